"""What is exported: a trained network, and what its file is to say of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from restore_rt.training.checkpoint import load_checkpoint, load_weights
from restore_rt.training.networks import build
from restore_rt.training.recipe import RecipeError, parse_recipe

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


def load_source(path: Path) -> Source:
    """Read a checkpoint that training wrote; its averaged weights are what is exported.

    Raises
    ------
    InputError
        If it cannot be read, or is not what its recipe describes.
    """
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
