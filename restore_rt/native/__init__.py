"""The native CPU backend: ONNX importer, quantisation and runner; whole frames, no tiles."""
