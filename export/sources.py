"""What is exported: a trained network, and what its file is to say of itself."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from torch import nn

from restore_rt.manifest import read_manifest
from restore_rt.modelfile import find_model, read_model
from restore_rt.training.checkpoint import load_checkpoint, load_weights
from restore_rt.training.networks import build, fold
from restore_rt.training.recipe import RecipeError, parse_recipe
from restore_rt.training.starting import load_start

__all__ = ["Source", "load_source"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A trained network and its description.

    Attributes
    ----------
    path
        The file that it is from.
    network
        Takes (N, C, H, W), gives (N, C, scale*H, scale*W), float32 of 0 to 1, in eval mode.
    scale, colour, name, version, task, content, tile, trained_on, licence, recipe, metrics
        As in `restore_rt.manifest.Manifest`.
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
        """Channels of the network's input and output."""
        return 3 if self.colour == "rgb" else 1


def load_source(source: str | Path) -> Source:
    """Read what is to be exported.

    Parameters
    ----------
    source
        A checkpoint that training wrote, of which the averaged weights are taken; a shipped model's
        name; or an .onnx file of ours in fp32.

    Raises
    ------
    InputError, ModelError
        If it cannot be read, or is not what its recipe describes.
    """
    path = Path(source)
    if path.suffix == ".onnx" or not (path.suffix or path.exists()):
        return _load_model(find_model(path))
    return _load_checkpoint(path)


def _load_model(path: Path) -> Source:
    start = load_start(path)
    manifest = read_manifest(read_model(path))
    assert manifest is not None
    assert start.network is not None
    net = start.network
    network = fold(build(net.name, scale=net.scale, colour=net.colour, **net.params)).eval()
    load_weights(network, start.weights, path)
    described = {item.name: getattr(manifest, item.name) for item in fields(Source)[2:]}
    return Source(path=path, network=network, **described)


def _load_checkpoint(path: Path) -> Source:
    state = load_checkpoint(path, needs=("recipe", "step", "metrics", "average"))
    try:
        recipe = parse_recipe(state["recipe"])
    except RecipeError as error:
        raise RecipeError(f"the recipe in {path}: {error}") from None
    net, model = recipe.network, recipe.model
    network = build(net.name, scale=net.scale, colour=net.colour, **net.params).eval()
    load_weights(network, state["average"], path)
    return Source(
        path=path,
        network=network,
        scale=net.scale,
        colour=net.colour,
        name=model.name,
        version=model.version,
        task=model.task,
        content=model.content,
        tile=model.tile,
        trained_on=model.trained_on,
        licence=model.licence,
        recipe=recipe.text,
        metrics={"step": float(state["step"]), **state["metrics"]},
    )
