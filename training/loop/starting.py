"""The weights that a run begins with: another run's, or those of an exported model."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from restore_rt.errors import InputError, ModelError
from restore_rt.model.manifest import check_intact, read_manifest
from restore_rt.model.reading import find_model, is_model, read_model
from restore_rt.training.loop.checkpoint import load_checkpoint, load_weights
from restore_rt.training.networks import build, deepen, fold, look_around, unfold
from restore_rt.training.recipes import Network, RecipeError, parse_recipe

if TYPE_CHECKING:
    import onnx

__all__ = ["WEIGHTS", "Start", "load_start", "start_of_model"]

# What a checkpoint must have for a run to begin with it.
WEIGHTS = ("recipe", "average")


@dataclasses.dataclass(frozen=True)
class Start:
    """Weights to begin with, from the file `path`, by the names of the network's state.

    `network` is what they are of; None if its recipe is one that this version does not read.
    `folded` says whether the layers that serve only the training were folded.
    """

    path: Path
    network: Network | None
    weights: Mapping[str, Tensor]
    folded: bool

    def give(self, network: nn.Module, described: Network) -> None:
        """Put the weights into `network`, which `described` describes.

        A folded network's go into the branches that fold to them. A shallower CompactNet's go into
        a deeper one, whose further layers begin as the identity, and one's of single frames into
        one of a window, which begins by looking at the middle frame alone: what `network` computes
        is then what theirs does.

        Raises `InputError` if the weights are of a network whose place it cannot take.
        """
        theirs = self.network
        if theirs in (None, described) and not self.folded:
            load_weights(network, self.weights, self.path)
            return
        assert theirs is not None
        further = _further(theirs, described)
        if further is None:
            raise InputError(
                f"{self.path} is of another network, {_told(theirs)}; this recipe's is "
                f"{_told(described)}; give a start of the same, or leave it out"
            )
        weights = self.weights
        if not self.folded:
            trained = build(theirs.name, scale=theirs.scale, colour=theirs.colour, **theirs.params)
            load_weights(trained, weights, self.path)
            weights = fold(trained).state_dict()
        plain = fold(copy.deepcopy(network))
        layers, window = further
        weights = deepen(weights, layers) if layers else weights
        weights = look_around(weights, window) if window > 1 else weights
        load_weights(plain, weights, self.path)
        unfold(network, plain)


def load_start(source: str | Path) -> Start:
    """Read the weights that a run starts from.

    That is a checkpoint; a model file (.onnx) that the export stage wrote in fp32; or a shipped
    model's name. Raises `InputError` or `ModelError` if it is not there, or its weights cannot be
    told.
    """
    path = Path(source)
    if is_model(path):
        path = find_model(path)
        return start_of_model(read_model(path), path)
    content = load_checkpoint(path, needs=WEIGHTS)
    return Start(path, _network_of(content["recipe"]), content["average"], folded=False)


def start_of_model(model: onnx.ModelProto, path: Path) -> Start:
    """Take the weights of a model that the export stage wrote, read from `path`.

    Raises `ModelError` if it was changed since, or does not say which network it is.
    """
    from onnx import numpy_helper

    manifest = read_manifest(model)
    if manifest is not None:
        check_intact(model, manifest, path)
    network = _network_of(manifest.recipe) if manifest else None
    if manifest is None or network is None:
        raise ModelError(
            f"{path} does not say with a recipe of this version which network it is; only models "
            "that restore_rt exported can be trained on"
        )
    if manifest.precision != "fp32":
        raise ModelError(
            f"the weights in {path} are {manifest.precision}; give the fp32 version of the model"
        )
    plain = fold(build(network.name, scale=network.scale, colour=network.colour, **network.params))
    names = plain.state_dict().keys()
    weights = {
        tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy())
        for tensor in model.graph.initializer
        if tensor.name in names
    }
    return Start(path, network, weights, folded=True)


def _network_of(text: str) -> Network | None:
    try:
        return parse_recipe(text).network
    except RecipeError:
        # A recipe of another version: then the weights themselves have to tell.
        return None


def _further(theirs: Network, ours: Network) -> tuple[int, int] | None:
    """Tell what `ours` has besides, if it can take the place of `theirs`; else None.

    That is how many layers more, and the window of frames that it has instead of single ones, or 1.
    """
    usual: dict[str, int | str] = {"expand": 0, "unshuffle": 1, "window": 1}
    params = [usual | network.params for network in (theirs, ours)]
    for each in params:
        each.pop("expand")
    layers, window = 0, 1
    if theirs.name == ours.name == "compact":
        depths = [int(each.pop("depth")) for each in params]
        layers = depths[1] - depths[0]
        if params[0]["window"] == 1:
            window = ours.window
            params[1]["window"] = 1
    same = dataclasses.replace(theirs, params=params[0]) == dataclasses.replace(
        ours, params=params[1]
    )
    return (layers, window) if same and layers >= 0 else None


def _told(net: Network) -> str:
    return f"{net.name!r} of scale {net.scale}, colour {net.colour!r}, params {net.params}"
