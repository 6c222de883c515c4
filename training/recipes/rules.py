"""What a recipe may say, beyond its keys, types and the limits of each field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from restore_rt.errors import RestoreError
from restore_rt.model.manifest import CHROMA
from restore_rt.training.degradations.holes import Holes
from restore_rt.training.degradations.resizing import Reduce
from restore_rt.training.degradations.video import VIDEO_STEPS, Codec

if TYPE_CHECKING:
    from restore_rt.training.recipes import Data, Network, Recipe, Variant

__all__ = ["rules"]

# What goes to a network's constructor beside its `params`.
RESERVED = ("name", "scale", "colour")
# The task of networks that take a mask.
INPAINT = "inpaint"


def rules(recipe: Recipe) -> Iterator[tuple[bool, str]]:
    """Give for each rule whether it holds, and what to say if not; later ones rely on former ones.

    Names are looked up and sizes tried, so that what would fail is reported before hours of
    preparation.
    """
    from restore_rt.training.networks import NETWORKS

    data, optim, network, model = recipe.data, recipe.optim, recipe.network, recipe.model
    yield (
        bool(model.licence.strip()),
        "model.licence is empty; name the licences of the pictures, or say that there are none",
    )
    yield network.name in NETWORKS, f"network.name is {network.name!r}; there are {[*NETWORKS]}"
    yield min(model.tile) >= 1, f"model.tile is {model.tile}; must be positive"
    yield (
        0 <= optim.rate_end <= optim.rate,
        f"optim.rate_end is {optim.rate_end}; must be 0 to rate, which is {optim.rate}",
    )
    yield from _data_rules(data, network)
    yield from _mask_rules(recipe)
    for number, variant in enumerate(data.variants):
        yield from _variant_rules(variant, f"data.variants[{number}]", network)
    yield from _loss_rules(recipe)
    yield from _network_rules(recipe)


def _data_rules(data: Data, network: Network) -> Iterator[tuple[bool, str]]:
    yield bool(data.folders), "data.folders is empty; name at least one folder"
    yield bool(data.variants), "data.variants is empty; describe at least one"
    names = [variant.name for variant in data.variants]
    for name in names:
        yield names.count(name) == 1, f"data.variants has {name!r} twice; names must differ"
    low, high = data.reduced
    yield (
        0 < low <= high <= 1,
        f"data.reduced is [{low}, {high}]; must be above 0, ascending, and at most 1",
    )
    yield (
        data.full_range == 0 or network.colour != "rgb",
        "data.full_range is for luma and chroma; remove it or set network.colour to 'luma'",
    )
    try:
        re.compile(data.groups)
    except re.error as error:
        yield False, f"data.groups is {data.groups!r}, no regular expression: {error}"
    region = data.cache.region
    yield (
        region >= data.patch,
        f"data.cache.region is {region}; must be at least data.patch, {data.patch}",
    )


def _mask_rules(recipe: Recipe) -> Iterator[tuple[bool, str]]:
    network, task, levels = recipe.network, recipe.model.task, recipe.data.levels
    yield (
        network.mask == (task == INPAINT),
        (
            f"network.mask is {str(network.mask).lower()} and model.task {task!r}; networks with a "
            f"mask are for the task {INPAINT!r}, and others are not"
        ),
    )
    yield (
        levels == 0 or network.mask,
        f"data.levels is {levels}; it is for networks with a mask: leave it out",
    )
    if not network.mask:
        return
    yield (
        network.window == 1 and network.colour != CHROMA,
        "network.mask is for single frames of colour 'rgb' or 'luma'; leave out the window",
    )
    yield (
        recipe.data.full_range == 0,
        f"data.full_range is {recipe.data.full_range}; leave it out for networks with a mask",
    )
    for number, variant in enumerate(recipe.data.variants):
        yield (
            variant.frames == 1 and len(variant.steps) == 1 and isinstance(variant.steps[0], Holes),
            f"data.variants[{number}]: of a network with a mask, the one step must be 'holes'",
        )


def _variant_rules(variant: Variant, where: str, network: Network) -> Iterator[tuple[bool, str]]:
    yield (
        variant.frames >= network.window,
        (
            f"{where}.frames is {variant.frames}; a network whose window is {network.window} needs "
            "at least as many"
        ),
    )
    reductions = sum(isinstance(step, Reduce) for step in variant.steps)
    wanted = int(network.scale > 1)
    yield (
        reductions == wanted,
        f"{where} has {reductions} steps 'reduce'; scale {network.scale} needs {wanted}",
    )
    for step in variant.steps:
        if isinstance(step, VIDEO_STEPS) and network.colour == CHROMA:
            yield (
                step is variant.steps[-1] and isinstance(step, Codec) and step.planes,
                f"{where}: of a chroma network, 'codec' with planes must be the last step",
            )
        elif isinstance(step, Codec) and step.planes:
            yield False, f"{where}: 'codec' with planes is for chroma networks; write luma"
        if isinstance(step, VIDEO_STEPS) and step.luma:
            yield (
                step is variant.steps[-1] and network.colour == "luma",
                f"{where}: {step.kind!r} with luma must be the last step, of a luma network",
            )


def _loss_rules(recipe: Recipe) -> Iterator[tuple[bool, str]]:
    from restore_rt.training.losses import ADVERSARIES, LOSSES
    from restore_rt.training.losses.pixels import WINDOW
    from restore_rt.training.networks.discriminator import SMALLEST

    names = [*LOSSES, "perceptual"]
    yield bool(recipe.loss), f"loss is empty; give one of {names} a weight"
    for name in recipe.loss:
        yield name in names, f"loss has {name!r}; there are {names}"
    yield (
        ("perceptual" in recipe.loss) == (recipe.perceptual is not None),
        "loss.perceptual and the table [perceptual] go together; add what is missing",
    )
    side = recipe.data.patch * recipe.network.scale
    outputs = f"data.patch is {recipe.data.patch}, of which outputs are {side}x{side}"
    yield (
        "ssim" not in recipe.loss or side >= WINDOW,
        f"{outputs}; the loss ssim needs at least {WINDOW}x{WINDOW}",
    )
    if recipe.perceptual:
        layer = recipe.perceptual.layer
        match = re.fullmatch(r"conv([1-5])_[1-4]", layer)
        yield match is not None, f"perceptual.layer is {layer!r}; write it like 'conv3_2'"
        least = 2 ** (int(match.group(1)) - 1) if match else 0
        yield side >= least, f"{outputs}; the layer {layer} needs at least {least}x{least}"
    adversary = recipe.adversary
    if adversary:
        yield (
            side >= SMALLEST,
            f"{outputs}; a discriminator needs at least {SMALLEST}x{SMALLEST}",
        )
        yield (
            adversary.kind in ADVERSARIES,
            f"adversary.kind is {adversary.kind!r}; there are {[*ADVERSARIES]}",
        )
        for name in ("generator_start", "discriminator_start", "adversarial_start"):
            value = getattr(adversary, name)
            yield (
                value < recipe.optim.steps,
                f"adversary.{name} is {value}; must be below optim.steps, {recipe.optim.steps}",
            )


def _network_rules(recipe: Recipe) -> Iterator[tuple[bool, str]]:
    """Build the network without memory for its weights, and send empty tiles through it."""
    import torch

    from restore_rt.training.networks import build

    net = recipe.network
    for key in RESERVED:
        yield key not in net.params, f"network.params has {key!r}; write it as network.{key}"
    try:
        with torch.device("meta"), torch.no_grad():
            network = build(net.name, scale=net.scale, colour=net.colour, **net.params)
    except (RestoreError, RuntimeError, ValueError) as error:
        yield False, f"network.params is {net.params}: {error}"
        return
    patch, levels = recipe.data.patch, recipe.data.levels
    sizes = [("model.tile", recipe.model.tile), ("data.patch", (patch, patch))]
    if levels:
        yield (
            patch % 2**levels == 0,
            f"data.patch is {patch}; it must be a multiple of {2**levels} for {levels} data.levels",
        )
        sizes.append((f"data.patch halved {levels} times", (patch >> levels, patch >> levels)))
    for what, side in sizes:
        try:
            with torch.device("meta"), torch.no_grad():
                shape = network(torch.empty(1, net.inputs, *side)).shape
        except RuntimeError as error:
            yield False, f"{what} is {[*side]}, which network {net.name!r} does not take: {error}"
            return
        yield (
            tuple(shape[2:]) == tuple(s * net.scale for s in side),
            (
                f"{what} is {[*side]}, of which network {net.name!r} makes {[*shape[2:]]}; must "
                f"be {net.scale} times that"
            ),
        )
