"""The shipped models: for each an ONNX file, a card (Markdown), and its manifest in an index.

``python -m restore_rt.model.index`` updates the index after a model was added or changed.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

from restore_rt.errors import ModelError
from restore_rt.model.manifest import Manifest

__all__ = ["FOLDER", "INDEX", "choose", "chroma_path", "models", "path_of"]

FOLDER = Path(__file__).parents[1] / "zoo"
INDEX = FOLDER / "index.json"


@functools.cache
def _shipped() -> tuple[Manifest, ...]:
    try:
        entries = json.loads(INDEX.read_text(encoding="utf-8"))
        return tuple(
            Manifest(
                **{
                    **entry,
                    "tile": tuple(entry["tile"]),
                    "value_range": tuple(entry["value_range"]),
                }
            )
            for entry in entries
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"the index of the shipped models cannot be read ({error}); reinstall restore-rt"
        ) from error


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
    names = [manifest.name for manifest in models()]
    if name in names:
        return FOLDER / f"{name}.onnx"
    raise ModelError(
        f"{name!r} is neither a shipped model ({', '.join(names)}) nor an existing .onnx file; "
        "`restore-rt models` lists the shipped ones"
    )


def chroma_path() -> Path:
    """Return the file of the shipped chroma network, which is no model by itself."""
    return FOLDER / "chroma" / "video-x2-chroma.onnx"


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
    # Those that need a mask beside the picture are chosen by name.
    offered = [manifest for manifest in models() if manifest.task != "inpaint"]
    fitting = [manifest for manifest in offered if manifest.scale == scale]
    if not fitting:
        scales = sorted({manifest.scale for manifest in offered})
        raise ModelError(
            f"no shipped model enlarges {scale} times; allowed are "
            f"{', '.join(map(str, scales))}, or give a model file with --model"
        )
    # Photographs and video resemble each other more than either resembles a comic.
    nearness = [content, *(kind for kind in ("photo", "video", "comic") if kind != content)]
    return min(fitting, key=lambda model: (nearness.index(model.content), model.name)).name
