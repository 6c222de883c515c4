"""Export of a checkpoint to ONNX: convert, measure, compare, describe, then write."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.export.conversion import (
    OPSET,
    OPSETS,
    Conversion,
    convert,
    measure_multiple,
    open_session,
    run,
)
from restore_rt.export.cost import measure_cost
from restore_rt.export.faults import ExportError
from restore_rt.export.half import keep_what_needs_it, simulate, to_half
from restore_rt.export.halo import find_halo
from restore_rt.export.interface import INTERFACES, take_bytes, take_mask
from restore_rt.export.quantization import choose_layers
from restore_rt.export.samples import picture_samples, synthetic_samples
from restore_rt.export.sources import DESCRIBED, Source, load_source
from restore_rt.export.verification import TOLERANCE, compare, fitting, sizes_to_try
from restore_rt.files import check_target, whole_file
from restore_rt.model.manifest import PRECISIONS, Manifest, weights_sha256, write_manifest
from restore_rt.model.validation import MOST_FIXED_PIXELS, check_network
from restore_rt.tiled.sizes import TileSizes
from restore_rt.training.networks import fold

__all__ = ["FLOORS", "ExportError", "check_model_target", "export_onnx"]

# Least PSNR against fp32 of any picture, in dB.
FLOORS = {"fp16": 60.0, "int8": 42.0}
# The largest difference of a frame's bytes from the planes, of 255: half of one is rounding.
BYTE_TOLERANCE = 0.51
Batch = NDArray[np.float32]


def export_onnx(
    source: str | Path | Source,
    out: Path,
    *,
    precision: str = "fp32",
    io: str = "float32",
    static: tuple[int, int] | None = None,
    images: Path | None = None,
    tolerance: float | None = None,
    tile: tuple[int, int] | None = None,
    opset: int = OPSET,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
) -> Manifest:
    """Export a network to an ONNX file that was checked and describes itself.

    The file takes ``x`` and gives ``y``, with N, H and W free; of a network that fills holes it
    takes ``image`` and ``mask``. Layers that serve only the training
    are folded. Halo and size multiple are measured, the outputs of PyTorch and ONNX Runtime are
    compared at several sizes and batch sizes, and what a lower precision costs is measured.

    Parameters
    ----------
    source
        What `load_source` takes: a checkpoint, a shipped model's name or a file of ours, someone
        else's checkpoint; or what it gave.
    out
        The file to write; it appears whole or not at all.
    precision
        ``"fp32"``; ``"fp16"``, typed so in the graph, with the nodes in fp32 that need it;
        ``"int8"``, calibrated on the pictures.
    io
        ``"float32"`` planes (N, C, H, W) of 0 to 1; ``"float16"`` ones, with fp16 alone; ``"u8"``,
        frames (N, H, W, C) of bytes.
    static
        Height and width, if they are not to be free.
    images
        A folder of pictures to compare on, beside the synthetic ones; int8 needs it.
    tolerance
        Least PSNR against fp32 in dB, of any picture; None takes that of `FLOORS`.
    tile
        Recommended height and width of a tile; None takes the source's, or `static`.
    opset
        ONNX operator set, one of `OPSETS`.
    overwrite
        An existing file may be replaced.
    say
        Takes one line of progress.

    Returns
    -------
    Manifest
        What the file says of itself.

    Raises
    ------
    InputError
        If an option has a value that is not allowed, the source or the folder of pictures cannot be
        read, or `out` exists and may not be replaced.
    ReachError
        If the network looks too far to run on tiles.
    ExportError
        If the outputs differ or are not finite, or a lower precision costs too much.
    OutputError
        If the file cannot be written.
    """
    _check_options(precision, io, images, tolerance, opset)
    _check_sizes(static, tile)
    check_model_target(out, overwrite=overwrite)
    if not isinstance(source, Source):
        source = load_source(source)
    if out.exists() and source.path.exists() and out.samefile(source.path):
        raise InputError(f"{out} is what is exported; give another name, so that it is kept")
    network, channels = source.network, source.channels
    if source.masked and io == "u8":
        raise InputError(
            "io is 'u8', and the network takes a mask beside the picture; export it with --io "
            "float32"
        )
    for name, values in network.state_dict().items():
        if not torch.isfinite(values).all():
            raise ExportError(
                f"{source.path}: {name} has values that are not finite; export another checkpoint"
            )
    multiple = measure_multiple(network, channels, source.scale)
    for what, sides in (("static", static), ("tile", tile or static or source.tile)):
        if sides is not None and any(side < 1 or side % multiple for side in sides):
            raise InputError(
                f"{what} is {sides[1]}x{sides[0]}; both sides must be positive multiples of "
                f"{multiple}"
            )
    pictures = (
        picture_samples(images, source.colour, smallest=multiple, masked=source.masked)
        if images
        else []
    )
    if precision == "int8" and len(pictures) < 2:
        raise InputError(
            f"{images} holds one picture; int8 learns from one and is measured on another: give "
            "two or more with --images"
        )
    plain = fold(copy.deepcopy(network))
    halo = find_halo(plain, channels, scale=source.scale, multiple=multiple)
    say(f"halo {halo.pixels}, multiple {multiple}, both measured; opset {opset}")
    if not halo.exact:
        say(
            "what lies beyond the halo still changes outputs, on the samples by at most half a "
            "step of 8 bits"
        )
    described = {name: getattr(source, name) for name in DESCRIBED}
    described["tile"] = tile or static or source.tile
    manifest = Manifest(
        **described,
        halo=halo.pixels,
        multiple=multiple,
        precision=precision,
        value_range=(0.0, 255.0) if io == "u8" else (0.0, 1.0),
        sha256="",
    )
    if static is None:
        # The runtime would refuse a tile that it is told to use and cannot.
        TileSizes.of(manifest, tile=tile, overlap=None, feather=None, batch=1)
    # What is trained is compared with what was folded and exported, so the folding is checked too.
    conversion = convert(plain, channels, opset=opset, multiple=multiple, static=static)
    samples = _Samples.of(pictures, channels, multiple, static)
    worst = compare(network, conversion, samples.varied)
    say(f"PyTorch and ONNX Runtime agree to {worst:.1e} of 1")
    model = _reduced(
        conversion,
        precision,
        samples,
        floor=tolerance or FLOORS.get(precision, 0),
        float_io=io != "float16",
        say=say,
    )
    if source.masked:
        model = _with_mask(model, samples.measured)
    if io == "u8":
        model = _of_bytes(model, samples.measured)
    manifest = write_manifest(model, replace(manifest, sha256=weights_sha256(model)))
    onnx.checker.check_model(model, full_check=True)
    # What the runtime would refuse to read is not to be written.
    check_network(model)
    with whole_file(out, overwrite=overwrite) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
    say(f"wrote {out} ({out.stat().st_size} bytes)")
    return manifest


def check_model_target(out: Path, *, overwrite: bool) -> None:
    """Refuse (`InputError`), before any work, a path that does not end in .onnx.

    The same goes for one where no file can be written, see `restore_rt.files.check_target`.
    """
    if out.suffix != ".onnx":
        raise InputError(f"{str(out)!r} is no name for a model; it must end in .onnx")
    check_target(out, overwrite=overwrite)


def _check_options(
    precision: str, io: str, images: Path | None, tolerance: float | None, opset: int
) -> None:
    for name, value, allowed in (("precision", precision, PRECISIONS), ("io", io, INTERFACES)):
        if value not in allowed:
            raise InputError(f"{name} is {value!r}; allowed are {', '.join(allowed)}")
    if opset not in OPSETS:
        raise InputError(f"opset is {opset}; allowed are {OPSETS[0]} to {OPSETS[-1]}")
    if io == "float16" and precision != "fp16":
        raise InputError(f"io is 'float16' and precision {precision!r}; it goes with fp16 alone")
    if precision == "int8" and images is None:
        raise InputError("int8 learns the ranges of values from pictures; name a folder of images")
    if tolerance is not None and (precision == "fp32" or not 0 < tolerance < 200):
        raise InputError(
            f"tolerance is {tolerance}; it is the least PSNR of fp16 or int8 against fp32, in dB, "
            "above 0"
        )


def _check_sizes(static: tuple[int, int] | None, tile: tuple[int, int] | None) -> None:
    if static is None:
        return
    if tile not in (None, static):
        raise InputError(f"tile is {tile}, but static {static} is all that it takes; leave it out")
    if static[0] * static[1] > MOST_FIXED_PIXELS:
        raise InputError(
            f"static is {static}, of {static[0] * static[1]} pixels; allowed are up to "
            f"{MOST_FIXED_PIXELS}"
        )


@dataclass(frozen=True)
class _Samples:
    """Inputs of many sizes for comparison, calibration and measurement."""

    varied: list[Batch]
    calibration: list[Batch]
    measured: list[Batch]

    @classmethod
    def of(
        cls,
        pictures: list[Batch],
        channels: int,
        multiple: int,
        static: tuple[int, int] | None,
    ) -> _Samples:
        synthetic = synthetic_samples(channels)
        if static:
            together = fitting([*synthetic, *pictures], static)
            fitted = fitting(pictures or synthetic, static)[:-1]
            return cls(together, fitted[::2], fitted[1::2] or fitted)
        cut = [
            sample[:, :, : height - height % multiple, : width - width % multiple]
            for sample in pictures or synthetic
            for height, width in [sample.shape[2:]]
        ]
        cut = [np.ascontiguousarray(sample) for sample in cut]
        few = pictures[:: max(1, len(pictures) // 4)][:4]
        return cls(sizes_to_try([*synthetic, *few], multiple), cut[::2], cut[1::2] or cut)


def _reduced(
    conversion: Conversion,
    precision: str,
    samples: _Samples,
    *,
    floor: float,
    float_io: bool,
    say: Callable[[str], None],
) -> onnx.ModelProto:
    """Return the graph in its precision, and report the cost."""
    fp32 = conversion.model
    if precision == "fp32":
        return fp32
    compute = None
    if precision == "fp16":
        keep = keep_what_needs_it(conversion, samples.measured, floor=floor, say=say)
        say(f"kept in fp32: {', '.join(keep) or 'nothing'}")
        model = to_half(fp32, keep=keep, float_io=float_io)
        compute = partial(simulate, conversion, keep)
    else:
        model = choose_layers(fp32, samples.calibration, samples.measured, floor=floor, say=say)
    cost = measure_cost(fp32, model, samples.measured, compute=compute)
    if cost.least_psnr < floor:
        raise ExportError(
            f"the {precision} graph gives {cost.least_psnr:.1f} dB against fp32, allowed is "
            f"{floor:.1f}: lower --tolerance, or export in fp32; the file was not written"
        )
    say(f"{precision} {cost}")
    return model


def _with_mask(model: onnx.ModelProto, samples: list[Batch]) -> onnx.ModelProto:
    """Give the graph a mask as an input of its own, and check it against the original."""
    made = take_mask(model)
    joined, apart = (open_session(each) for each in (model, made))
    for sample in samples:
        difference = float(np.abs(run(joined, sample) - run(apart, sample)).max())
        if not difference <= TOLERANCE:
            raise ExportError(
                f"the graph with a mask differs from that without by {difference:.2e}; the file "
                "was not written"
            )
    return made


def _of_bytes(model: onnx.ModelProto, samples: list[Batch]) -> onnx.ModelProto:
    """Change the graph's input and output to bytes, and check it against the original."""
    made = take_bytes(model)
    planes, pixels = (open_session(each) for each in (model, made))
    for sample in samples:
        frame = np.rint(sample * 255).astype(np.uint8)
        y = run(planes, frame.astype(np.float32) / np.float32(255))
        (levels,) = pixels.run(["y"], {"x": np.ascontiguousarray(frame.transpose(0, 2, 3, 1))})
        expected = np.clip(y, 0, 1).transpose(0, 2, 3, 1) * 255
        if levels.dtype != np.uint8 or levels.shape != expected.shape:
            raise ExportError(
                f"the graph of bytes gives {levels.dtype} of {levels.shape}, not uint8 of "
                f"{expected.shape}; the file was not written"
            )
        difference = float(np.abs(levels - expected).max())
        if difference > BYTE_TOLERANCE:
            raise ExportError(
                f"the graph of bytes differs from that of planes by {difference:.2f} of 255; "
                "the file was not written"
            )
    return made
