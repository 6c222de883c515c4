"""Candidates of a comparison: models as the product runs them, and plain interpolation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from restore_rt import load
from restore_rt.errors import InputError
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import parameter_count, read_manifest
from restore_rt.training.degradations.resizing import resized

if TYPE_CHECKING:
    import onnx

__all__ = ["BASELINES", "ORIGINAL", "Candidate", "baselines", "open_models"]

U8 = NDArray[np.uint8]
Colour = Literal["rgb", "luma"]

ORIGINAL = "original"
# By scale: 1, and above 1. The first of them is what models are compared with.
BASELINES = (("input",), ("bicubic", "lanczos"))


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Something that restores 8-bit frames, (H, W, 3) or grey (H, W), to `scale` times their size.

    `name` is its row in the table; no two candidates share one. `parameters` is the number of
    weights, None for what is no model; `timed` says whether its time means anything. `takes` is the
    input that it is made for: luma of limited range, as video has it, or RGB. `details` are for the
    JSON file: what holds text, numbers, None and further such tables.
    """

    name: str
    restore: Callable[[U8], U8]
    scale: int
    parameters: int | None = None
    timed: bool = True
    takes: Colour = "luma"
    details: dict[str, Any] = field(default_factory=dict)


def baselines(scale: int) -> list[Candidate]:
    """Return what models are compared with.

    These are Pillow's bicubic and Lanczos filters on RGB, or, at scale 1, the input itself.
    """
    if scale == 1:
        return [Candidate(name="input", restore=lambda frame: frame, scale=1, timed=False)]
    return [
        Candidate(name=name, restore=_enlarger(name, scale), scale=scale) for name in BASELINES[1]
    ]


@contextmanager
def open_models(
    models: Sequence[str],
    *,
    threads: int | None = None,
    scale: int | None = None,
    colour: Colour | None = None,
) -> Iterator[list[Candidate]]:
    """Load models as `restore_rt.load` does, tiles and colour handling included.

    `models` are names of shipped models and paths of .onnx files. A model goes by the name in its
    manifest; where two share one, by the file's path. `scale` (output over input) and `colour` say
    what those without a manifest are; by default that is found by a trial run.

    Raises
    ------
    InputError
        If there is none, one is given twice, their scales differ, or a scale or a colour is given
        although they all have a manifest.
    ModelError
        If one is unknown or cannot be read, or nothing says what it is.
    """
    if not models:
        raise InputError("no model is named; give the name of a shipped one or an .onnx file")
    with ExitStack() as stack:
        loaded, counts, described = [], {}, True
        for model in models:
            network = _network(model)
            given = _given(network, scale, colour)
            described = described and not given
            restorer = stack.enter_context(load(model, threads=threads, **given))
            loaded.append((model, restorer, restorer.manifest))
            counts[model] = None if network is None else parameter_count(network)
        if described and (scale, colour) != (None, None):
            raise InputError(
                "scale and colour are for models without a manifest, and all of these have one; "
                "leave --scale and --colour out"
            )
        scales = {manifest.name: manifest.scale for _, _, manifest in loaded}
        if len({manifest.scale for _, _, manifest in loaded}) > 1:
            listed = ", ".join(f"{name} x{scale}" for name, scale in scales.items())
            raise InputError(f"the models enlarge differently ({listed}); give those of one scale")
        shared = Counter(manifest.name for _, _, manifest in loaded)
        taken = {ORIGINAL, *BASELINES[0], *BASELINES[1]}
        candidates = []
        for model, restorer, manifest in loaded:
            unique = shared[manifest.name] == 1 and manifest.name not in taken
            name = manifest.name if unique else model
            if name in taken:
                raise InputError(f"{name} is given twice; give each model once")
            taken.add(name)
            candidates.append(
                Candidate(
                    name=name,
                    restore=restorer,
                    scale=manifest.scale,
                    parameters=counts[model],
                    takes="rgb" if manifest.colour == "rgb" else "luma",
                    details={
                        "model": manifest.name,
                        "version": manifest.version,
                        "colour": manifest.colour,
                        "sha256": manifest.sha256,
                        "runs_on": restorer.description,
                    },
                )
            )
        yield candidates


def _enlarger(filter_name: str, scale: int) -> Callable[[U8], U8]:
    def enlarge(frame: U8) -> U8:
        height, width = frame.shape[:2]
        return resized(frame, height * scale, width * scale, filter_name)

    return enlarge


def _network(model: str) -> onnx.ModelProto | None:
    """Read the file of a model, or nothing: why it cannot be read is for `load` to say."""
    import onnx

    path = Path(model)
    try:
        return onnx.load(path if path.is_file() else zoo.path_of(model))
    except Exception:
        return None


def _given(
    network: onnx.ModelProto | None, scale: int | None, colour: Colour | None
) -> dict[str, Any]:
    """Return the options for a model without a manifest, none for others."""
    if network is None or read_manifest(network) is not None:
        return {}
    given = {"scale": scale, "colour": colour}
    return {key: value for key, value in given.items() if value is not None}
