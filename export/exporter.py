"""A checkpoint becomes an ONNX file: exported, measured, compared, described, then written."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn
from torch.export import Dim

from restore_rt.errors import InputError, ModelError
from restore_rt.export.halo import find_halo
from restore_rt.export.samples import picture_samples, synthetic_samples
from restore_rt.files import check_target, whole_file
from restore_rt.manifest import Manifest, weights_sha256, write_manifest
from restore_rt.training.checkpoint import load_checkpoint, load_weights
from restore_rt.training.networks import build, fold
from restore_rt.training.recipe import Recipe, RecipeError, parse_recipe

__all__ = ["ExportError", "export_onnx"]

OPSET = 18
# On the scale of 0 to 1: about an eightieth of a step of 8-bit video.
TOLERANCE = 5e-5
Batch = NDArray[np.float32]


class ExportError(ModelError):
    """The exported network does not do what the trained one does; no file was written."""


def export_onnx(
    checkpoint: Path,
    out: Path,
    *,
    images: Path | None = None,
    tile: tuple[int, int] | None = None,
    opset: int = OPSET,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
) -> Manifest:
    """Export a checkpoint's averaged weights to an ONNX file that was checked.

    The file takes ``x`` (N, C, H, W) and gives ``y`` (N, C, scale*H, scale*W), float32, with N, H
    and W free. Halo and size multiple are measured, the outputs of PyTorch and ONNX Runtime are
    compared at several sizes and batch sizes, and the manifest is written into the file.

    Parameters
    ----------
    checkpoint
        What training wrote.
    out
        The file to write; it appears whole or not at all.
    images
        A folder of pictures to compare on, beside the synthetic ones.
    tile
        Recommended height and width of a tile; None takes the recipe's.
    opset
        ONNX operator set, 18 or later.
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
        If the checkpoint or the folder of pictures cannot be read, the tile or the operator set
        is not allowed, or `out` exists and may not be replaced.
    ReachError
        If the network looks too far to run on tiles.
    ExportError
        If the outputs differ or are not finite.
    OutputError
        If the file cannot be written.
    """
    if opset < 18:
        raise InputError(f"opset is {opset}; allowed are 18 and later")
    check_target(out, overwrite=overwrite)
    state = load_checkpoint(checkpoint, needs=("recipe", "step", "metrics", "average"))
    try:
        recipe = parse_recipe(state["recipe"])
    except RecipeError as error:
        raise RecipeError(f"the recipe in {checkpoint}: {error}") from None
    net = recipe.network
    network = build(net.name, scale=net.scale, colour=net.colour, **net.params).eval()
    load_weights(network, state["average"], checkpoint)
    for name, values in network.state_dict().items():
        if not torch.isfinite(values).all():
            raise ExportError(f"{checkpoint}: {name} has values that are not finite; export "
                              "another checkpoint")  # fmt: skip
    channels = 3 if net.colour == "rgb" else 1
    multiple = measure_multiple(network, channels, net.scale)
    tile = tile or recipe.model.tile
    if any(side < 1 or side % multiple for side in tile):
        raise InputError(f"tile is {tile}; both sides must be positive multiples of {multiple}")
    samples = synthetic_samples(channels)
    if images is not None:
        samples += picture_samples(images, net.colour, smallest=multiple)
    plain = fold(copy.deepcopy(network))
    halo = find_halo(plain, channels, scale=net.scale, multiple=multiple)
    say(f"halo {halo}, multiple {multiple}, both measured")
    # What is trained is compared with what was folded and exported, so the folding is checked too.
    model = to_onnx(plain, channels, opset, multiple)
    worst = compare(network, model, _batches(samples, multiple))
    say(f"PyTorch and ONNX Runtime agree to {worst:.1e} of 1")
    manifest = _describe(recipe, state, model, halo, multiple, tile)
    write_manifest(model, manifest)
    onnx.checker.check_model(model, full_check=True)
    with whole_file(out, overwrite=overwrite) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))
    say(f"wrote {out} ({out.stat().st_size} bytes)")
    return manifest


def measure_multiple(network: nn.Module, channels: int, scale: int) -> int:
    """Find what height and width must be multiples of, by trying.

    Raises
    ------
    ExportError
        If no power of two up to 64 does.
    """
    for multiple in (1, 2, 4, 8, 16, 32, 64):
        # Odd numbers of multiples, so that a larger multiple does not pass for a smaller one.
        sizes = [(multiple * a, multiple * b) for a, b in ((1, 3), (5, 7), (9, 5), (11, 13))]
        if all(_accepts(network, channels, size, scale) for size in sizes):
            return multiple
    raise ExportError("the network takes no size tried, up to multiples of 64, without an error")


@torch.no_grad()
def _accepts(network: nn.Module, channels: int, size: tuple[int, int], scale: int) -> bool:
    try:
        shape = network(torch.zeros(1, channels, *size)).shape
    except RuntimeError:
        return False
    return tuple(shape) == (1, channels, size[0] * scale, size[1] * scale)


def to_onnx(network: nn.Module, channels: int, opset: int, multiple: int) -> onnx.ModelProto:
    example = torch.zeros(2, channels, 24 * multiple, 40 * multiple)
    dynamic = {"x": {0: Dim("n"), 2: multiple * Dim("h"), 3: multiple * Dim("w")}}
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # The exporter's own libraries warn of each other's deprecations.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                verbose=False,
                opset_version=opset,
                input_names=["x"],
                output_names=["y"],
                dynamic_shapes=dynamic,
            )
    finally:
        logger.setLevel(level)
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    _strip(model)
    return model


def _strip(model: onnx.ModelProto) -> None:
    """Remove what the exporter notes of its own source lines: paths of this machine, for one."""
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    model.doc_string = graph.doc_string = ""
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for item in (*graph.input, *graph.output, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""


def _batches(samples: Sequence[Batch], multiple: int) -> list[Batch]:
    """Cut the samples to several sizes, odd ones if allowed, tiny ones, and batches of several."""
    batches: list[Batch] = []
    sizes = [(1, 1), (1, 37), (17, 5), (63, 95), (96, 64)]
    for sample in samples:
        batches.append(_cut(sample, sample.shape[2], sample.shape[3], multiple))
        batches += [_cut(sample, h * multiple, w * multiple, multiple) for h, w in sizes]
    height = min(s.shape[2] for s in samples)
    width = min(s.shape[3] for s in samples)
    together = np.concatenate([s[:1, :, :height, :width] for s in samples])
    batches += [_cut(together, height, width, multiple), _cut(together[:3], 31, 45, multiple)]
    return batches


def _cut(sample: Batch, height: int, width: int, multiple: int) -> Batch:
    height, width = min(height, sample.shape[2]), min(width, sample.shape[3])
    height = max(multiple, height - height % multiple)
    width = max(multiple, width - width % multiple)
    return np.ascontiguousarray(sample[:, :, :height, :width])


@torch.no_grad()
def compare(network: nn.Module, model: onnx.ModelProto, batches: Sequence[Batch]) -> float:
    """Run both on every batch and return the largest difference.

    Raises
    ------
    ExportError
        If shapes differ, an output is not finite, or the difference exceeds the tolerance.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    worst = 0.0
    for x in batches:
        expected = network(torch.from_numpy(x)).numpy()
        (actual,) = session.run(["y"], {"x": x})
        where = f"on an input of {x.shape}"
        if actual.shape != expected.shape:
            raise ExportError(
                f"{where} ONNX Runtime gives {actual.shape}, PyTorch {expected.shape}; "
                "the file was not written"
            )
        if not (np.isfinite(actual).all() and np.isfinite(expected).all()):
            raise ExportError(f"{where} the output is not finite; the file was not written")
        worst = max(worst, float(np.abs(actual - expected).max()))
        if worst > TOLERANCE:
            raise ExportError(
                f"{where} ONNX Runtime and PyTorch differ by {worst:.2e}; allowed is "
                f"{TOLERANCE:.0e}; the file was not written"
            )
    return worst


def _describe(
    recipe: Recipe,
    state: dict[str, object],
    model: onnx.ModelProto,
    halo: int,
    multiple: int,
    tile: tuple[int, int],
) -> Manifest:
    info = recipe.model
    metrics = state["metrics"]
    assert isinstance(metrics, dict)
    return Manifest(
        name=info.name,
        version=info.version,
        task=info.task,
        content=info.content,
        scale=recipe.network.scale,
        colour=recipe.network.colour,
        halo=halo,
        multiple=multiple,
        tile=tile,
        sha256=weights_sha256(model),
        trained_on=info.trained_on,
        licence=info.licence,
        recipe=recipe.text,
        metrics={"step": float(str(state["step"])), **metrics},
    )
