"""Training data: pictures in folders become batches of aligned patches."""
