"""The training loop: a step, its state, checkpoints, validation and records."""
