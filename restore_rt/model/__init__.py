"""Model files: the manifest, the registry of shipped models, reading, inspection, checks."""
