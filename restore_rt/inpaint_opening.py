"""From the file of an in-painting network to a Restorer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from restore_rt.chroma import BICUBIC
from restore_rt.errors import InputError, ModelError
from restore_rt.inpaint.foreign import Described, describe, find_inputs
from restore_rt.inpaint.network import OWN, InpaintNetwork
from restore_rt.inpaint.runner import InpaintRunner, tile_sizes
from restore_rt.model.graph import dimensions, inputs_of
from restore_rt.model.manifest import Manifest, check_expected, check_intact
from restore_rt.options import LoadOptions
from restore_rt.restorer import Restorer
from restore_rt.threads import thread_count

if TYPE_CHECKING:
    import onnx

__all__ = ["is_inpainting", "open_inpainting"]

TASK = "inpaint"


def is_inpainting(network: onnx.ModelProto, manifest: Manifest | None) -> bool:
    """Tell whether a network replaces holes: by its manifest, else by what it takes."""
    if manifest is not None:
        return manifest.task == TASK
    return find_inputs(network) is not None


def open_inpainting(
    network: onnx.ModelProto, manifest: Manifest | None, path: Path, options: LoadOptions
) -> Restorer:
    """Open an in-painting network, which runs in ONNX Runtime on the CPU.

    Raises
    ------
    InputError
        An option does not fit.
    ModelError
        The network is not what its manifest says; or without one, what it takes cannot be found.
    BackendError
        ONNX Runtime is not installed.
    """
    _check_options(options, path)
    threads = thread_count(options.threads)
    if manifest is None:
        inputs = find_inputs(network)
        assert inputs is not None
        found = describe(network, inputs, path, threads=threads)
    else:
        check_intact(network, manifest, path)
        _check_inputs(network, manifest, path)
        found = Described(manifest, OWN, (None, None), ())
    check_expected(found.manifest, path, scale=options.scale, colour=options.colour)
    sizes = tile_sizes(
        found.manifest,
        tile=options.tile,
        overlap=options.overlap,
        feather=options.feather,
        fixed=found.fixed,
    )

    def open_runner(count: int) -> InpaintRunner:
        runs = InpaintNetwork(network, found.convention, threads=count)
        return InpaintRunner(runs, found.manifest, sizes, count, refines=manifest is not None)

    return Restorer(open_runner, found.manifest, threads=threads, path=path, notes=found.notes)


def _check_options(options: LoadOptions, path: Path) -> None:
    """Refuse what in-painting networks do not have."""
    wrong = {
        "device": options.device.startswith("cuda"),
        "backend": options.backend not in ("auto", "onnxruntime"),
        "precision": options.precision not in ("auto", "fp32"),
        "batch": options.batch != 1,
        "chroma": options.chroma != BICUBIC,
    }
    for name, given in wrong.items():
        if given:
            raise InputError(
                f"{name} is {getattr(options, name)!r}, and {path} is an in-painting network, "
                f"which runs in fp32 in ONNX Runtime on the CPU, a tile at a time: leave {name} "
                "out"
            )


def _check_inputs(network: onnx.ModelProto, manifest: Manifest, path: Path) -> None:
    shapes = {value.name: dimensions(value) for value in inputs_of(network)}
    channels = {name: shape[1] for name, shape in shapes.items() if len(shape) == 4}
    if channels != {OWN.image: 3, OWN.mask: 1}:
        raise ModelError(
            f"{path} takes {', '.join(f'{n} {s}' for n, s in shapes.items())}; an in-painting "
            "model takes image (N, 3, H, W) and mask (N, 1, H, W): export it again"
        )
    if (manifest.scale, manifest.colour, manifest.value_range) != (1, "rgb", OWN.taken):
        raise ModelError(
            f"{path} is an in-painting model of scale {manifest.scale}, colour {manifest.colour} "
            f"and value range {manifest.value_range}; they must be 1, rgb and {OWN.taken}: export "
            "it again"
        )
