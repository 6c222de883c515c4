"""Live video: sources that do not wait, restored by the best model that keeps pace."""
