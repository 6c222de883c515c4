"""Source of an export: a trained network and its description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from restore_rt.errors import InputError, ModelError
from restore_rt.export.conversion import open_session, run
from restore_rt.export.samples import synthetic_samples
from restore_rt.export.verification import TOLERANCE
from restore_rt.model.manifest import read_manifest
from restore_rt.model.reading import find_model, is_model, read_model
from restore_rt.training.loop.checkpoint import load_checkpoint, load_weights
from restore_rt.training.loop.starting import start_of_model
from restore_rt.training.networks import build, fold
from restore_rt.training.recipes import RecipeError, parse_recipe

__all__ = ["DESCRIBED", "Source", "load_source"]

# Of the inputs on which an exported file is compared with its network; a multiple of all that
# networks need.
SIDE = 64


@dataclass(frozen=True, kw_only=True)
class Source:
    """A trained network, from the file `path`, and its description as in `Manifest`.

    The network takes (N, C, H, W) and gives (N, C, scale*H, scale*W), float32 of 0 to 1, in eval
    mode. One that is `masked` takes a mask as a further channel.
    """

    path: Path
    network: nn.Module
    scale: int
    colour: str
    name: str
    version: str
    task: str
    content: str
    tile: tuple[int, int]
    trained_on: str
    licence: str
    recipe: str = ""
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def channels(self) -> int:
        """Channels of the network's input, and of its output unless it is for chroma or masked."""
        return {"rgb": 3, "luma": 1}.get(self.colour, 16) + self.masked

    @property
    def masked(self) -> bool:
        """Whether the network fills holes that a mask marks."""
        return self.task == "inpaint"


# What a source and a manifest both say.
DESCRIBED = tuple(item.name for item in fields(Source)[2:])


def load_source(
    source: str | Path,
    *,
    name: str | None = None,
    content: str | None = None,
    licence: str | None = None,
) -> Source:
    """Read the network to export.

    That is a checkpoint that training wrote, of which the averaged weights are taken; a shipped
    model's name; an .onnx file of ours in fp32; or a checkpoint that others trained, see
    `restore_rt.export.foreign.describe`,
    which alone leaves `name`, `content` and `licence` open.

    Raises `InputError` or `ModelError` if it cannot be read, or is not what its recipe describes,
    or nothing knows its network.
    """
    path = Path(source)
    described = {"name": name, "content": content, "licence": licence}
    if is_model(path):
        _refuse(described, path)
        return _load_model(find_model(path))
    from restore_rt.export.foreign import describe
    from restore_rt.export.foreign.weightfile import read_content

    weights = read_content(path)
    if "format" in weights:
        _refuse(described, path)
        return _load_checkpoint(path)
    return describe(weights, path, name=name, content=content, licence=licence)


def _refuse(described: Mapping[str, str | None], path: Path) -> None:
    for key, value in described.items():
        if value is not None:
            raise InputError(
                f"{key} is {value!r}, but {path} says it itself; leave it out (it is for what "
                "others trained)"
            )


def _load_model(path: Path) -> Source:
    model = read_model(path)
    manifest = read_manifest(model)
    if manifest is None or not manifest.recipe:
        whose = "its weights were trained by others" if manifest else "others exported it"
        raise ModelError(
            f"{path} is an ONNX file, and {whose}: restore_rt.load and restore-rt image --model "
            "take it as it is; to export again, give the checkpoint that it was made of"
        )
    start = start_of_model(model, path)
    assert start.network is not None
    net = start.network
    network = fold(build(net.name, scale=net.scale, colour=net.colour, **net.params)).eval()
    load_weights(network, start.weights, path)
    described = {name: getattr(manifest, name) for name in DESCRIBED}
    source = Source(path=path, network=network, **described)
    _check_same(source, model)
    return source


def _check_same(source: Source, model: onnx.ModelProto) -> None:
    """Refuse a file whose network another version of ours would compute otherwise."""
    if model.graph.input[0].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        raise ModelError(
            f"{source.path} does not take float32 planes; give the file that --io float32 wrote"
        )
    session = open_session(model)
    sides = [side.dim_value or SIDE for side in model.graph.input[0].type.tensor_type.shape.dim[2:]]
    for x in synthetic_samples(source.channels, size=(sides[0], sides[1])):
        with torch.no_grad():
            expected = source.network(torch.from_numpy(x)).numpy()
        if not np.abs(run(session, x) - expected).max() <= TOLERANCE:
            raise ModelError(
                f"{source.path} was made by another version of restore_rt, whose network of this "
                "recipe computes something else; export the checkpoint again"
            )


def _load_checkpoint(path: Path) -> Source:
    state = load_checkpoint(path, needs=("recipe", "step", "metrics", "average"))
    try:
        recipe = parse_recipe(state["recipe"])
    except RecipeError as error:
        raise RecipeError(f"the recipe in {path}: {error}") from None
    net = recipe.network
    if net.window > 1:
        raise ModelError(
            f"{path} is of a network that sees {net.window} frames, which cannot be exported yet; "
            "allowed is a window of 1"
        )
    network = build(net.name, scale=net.scale, colour=net.colour, **net.params).eval()
    load_weights(network, state["average"], path)
    return Source(
        path=path,
        network=network,
        scale=net.scale,
        colour=net.colour,
        recipe=recipe.text,
        metrics={"step": float(state["step"]), **state["metrics"]},
        **asdict(recipe.model),
    )
