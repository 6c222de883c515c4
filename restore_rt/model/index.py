"""Writes the index of the shipped models: ``python -m restore_rt.model.index``."""

from __future__ import annotations

import dataclasses
import json

from restore_rt.errors import ModelError
from restore_rt.model.manifest import read_manifest
from restore_rt.model.registry import FOLDER, INDEX

__all__ = ["index_text"]


def index_text() -> str:
    """Return the index of the shipped ONNX files: the manifest of each, ordered by file name.

    Raises
    ------
    ModelError
        A file has no manifest, or its name differs from the manifest's.
    """
    import onnx

    found = []
    for path in sorted(FOLDER.glob("*.onnx")):
        manifest = read_manifest(onnx.load(path))
        if manifest is None or manifest.name != path.stem:
            raise ModelError(f"{path} has no manifest with its own name; export the model again")
        found.append(dataclasses.asdict(manifest))
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    INDEX.write_text(index_text(), encoding="utf-8")
