"""Feature networks for perceptual losses, and how the shipped one is trained."""
