"""The shipped models: an ONNX file and a card (Markdown) for each."""

from __future__ import annotations

import functools
from pathlib import Path

from restore_rt.errors import ModelError
from restore_rt.model.manifest import Manifest, read_manifest

__all__ = ["choose", "models", "path_of"]

_FOLDER = Path(__file__).parents[1] / "zoo"


@functools.cache
def _shipped() -> tuple[Manifest, ...]:
    import onnx

    found = []
    for path in sorted(_FOLDER.glob("*.onnx")):
        manifest = read_manifest(onnx.load(path))
        if manifest is None:
            raise ModelError(f"the shipped model {path} has no manifest; reinstall restore-rt")
        found.append(manifest)
    return tuple(found)


def models() -> list[Manifest]:
    """Return the manifests of all shipped models, ordered by name."""
    return list(_shipped())


def path_of(name: str) -> Path:
    """Return the file of a shipped model.

    Raises
    ------
    ModelError
        No shipped model has this name.
    """
    path = _FOLDER / f"{name}.onnx"
    if path.is_file():
        return path
    names = ", ".join(path.stem for path in sorted(_FOLDER.glob("*.onnx")))
    raise ModelError(
        f"{name!r} is neither a shipped model ({names}) nor an existing .onnx file; "
        "`restore-rt models` lists what is shipped"
    )


def choose(content: str, scale: int) -> str:
    """Return the name of the shipped model for a kind of content and a scale.

    Parameters
    ----------
    content
        One of ``restore_rt.model.manifest.CONTENTS``. Where no model is shipped for it at this
        scale, a model for other content at the same scale is chosen.
    scale
        Output size over input size.

    Raises
    ------
    ModelError
        No shipped model has this scale.
    """
    fitting = [manifest for manifest in models() if manifest.scale == scale]
    if not fitting:
        scales = sorted({manifest.scale for manifest in models()})
        raise ModelError(
            f"no shipped model enlarges {scale} times; allowed are "
            f"{', '.join(map(str, scales))}, or give a model file with --model"
        )
    # Photographs and video resemble each other more than either resembles a comic.
    nearness = [content, *(kind for kind in ("photo", "video", "comic") if kind != content)]
    return min(fitting, key=lambda model: (nearness.index(model.content), model.name)).name
