"""What a recipe may say, beyond its keys and types."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from restore_rt.errors import RestoreError
from restore_rt.model.manifest import COLOURS, CONTENTS, TASKS
from restore_rt.training.degradations.codecs import VIDEO_STEPS
from restore_rt.training.degradations.motion import MOTIONS
from restore_rt.training.degradations.resizing import Reduce

if TYPE_CHECKING:
    from restore_rt.training.recipes import Data, Network, Recipe, Variant

__all__ = ["rules"]

PRECISIONS = ("fp32", "mixed")
SYMMETRIES = (1, 2, 8)
# The model's name is the file's too, and what users write to load it.
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# What goes to a network's constructor beside its `params`.
RESERVED = ("name", "scale", "colour")


def rules(recipe: Recipe) -> Iterator[tuple[bool, str]]:
    """Give for each rule whether it holds, and what to say if not; later ones rely on former ones.

    Names are looked up and sizes tried, so that what would fail is reported before hours of
    preparation.
    """
    from restore_rt.training.networks import NETWORKS

    data, optim, network, model = recipe.data, recipe.optim, recipe.network, recipe.model
    yield 0 <= recipe.seed < 2**63, f"seed is {recipe.seed}; must be at least 0, below 2**63"
    for key in ("name", "version"):
        value = getattr(model, key)
        yield (
            WORD.fullmatch(value) is not None,
            f"model.{key} is {value!r}; write letters, digits, and after the first also . _ -",
        )
    yield (
        bool(model.licence.strip()),
        "model.licence is empty; name the licences of the pictures, or say that there are none",
    )
    yield model.task in TASKS, f"model.task is {model.task!r}; there are {[*TASKS]}"
    yield model.content in CONTENTS, f"model.content is {model.content!r}; there are {[*CONTENTS]}"
    yield network.name in NETWORKS, f"network.name is {network.name!r}; there are {[*NETWORKS]}"
    yield 1 <= network.scale <= 4, f"network.scale is {network.scale}; allowed are 1 to 4"
    yield (
        network.colour in COLOURS,
        f"network.colour is {network.colour!r}; there are {[*COLOURS]}",
    )
    yield min(model.tile) >= 1, f"model.tile is {model.tile}; must be positive"
    yield optim.steps >= 1, f"optim.steps is {optim.steps}; must be at least 1"
    interval = optim.validation_interval
    yield interval >= 1, f"optim.validation_interval is {interval}; must be at least 1"
    yield _positive(optim.rate), f"optim.rate is {optim.rate}; must be above 0, and finite"
    yield (
        0 <= optim.rate_end <= optim.rate,
        f"optim.rate_end is {optim.rate_end}; must be 0 to rate, which is {optim.rate}",
    )
    yield optim.warmup >= 0, f"optim.warmup is {optim.warmup}; must not be negative"
    yield optim.clip > 0, f"optim.clip is {optim.clip}; must be above 0"
    yield 0 <= optim.ema < 1, f"optim.ema is {optim.ema}; must be at least 0 and below 1"
    yield (
        optim.precision in PRECISIONS,
        f"optim.precision is {optim.precision!r}; there are {[*PRECISIONS]}",
    )
    yield from _data_rules(data, network)
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
    yield data.holdout >= 2, f"data.holdout is {data.holdout}; must be at least 2"
    yield data.batch >= 1, f"data.batch is {data.batch}; must be at least 1"
    yield data.patch >= 8, f"data.patch is {data.patch}; must be at least 8"
    yield 0 <= data.full_range <= 1, f"data.full_range is {data.full_range}; must be 0 to 1"
    yield 0 <= data.grey <= 1, f"data.grey is {data.grey}; must be 0 to 1"
    low, high = data.reduced
    yield (
        0 < low <= high <= 1,
        f"data.reduced is [{low}, {high}]; must be above 0, ascending, and at most 1",
    )
    yield (
        data.full_range == 0 or network.colour == "luma",
        "data.full_range is for luma networks; remove it or set network.colour to 'luma'",
    )
    yield (
        data.symmetries in SYMMETRIES,
        f"data.symmetries is {data.symmetries}; there are {[*SYMMETRIES]}",
    )
    try:
        re.compile(data.groups)
    except re.error as error:
        yield False, f"data.groups is {data.groups!r}, no regular expression: {error}"
    for name, share in data.folders.items():
        yield _positive(share), f"data.folders.{name} is {share}; must be above 0, and finite"
    cache = data.cache
    yield (
        cache.region >= data.patch,
        f"data.cache.region is {cache.region}; must be at least data.patch, {data.patch}",
    )
    yield cache.count >= 1, f"data.cache.count is {cache.count}; must be at least 1"
    yield cache.renew >= 1, f"data.cache.renew is {cache.renew}; must be at least 1"
    if data.lettering:
        for name in ("share", "artwork"):
            value = getattr(data.lettering, name)
            yield 0 <= value <= 1, f"data.lettering.{name} is {value}; must be 0 to 1"


def _variant_rules(variant: Variant, where: str, network: Network) -> Iterator[tuple[bool, str]]:
    yield (
        re.fullmatch(r"[a-z0-9_]+", variant.name) is not None,
        f"{where}.name is {variant.name!r}; use small letters, digits and _",
    )
    yield _positive(variant.share), f"{where}.share is {variant.share}; must be above 0, and finite"
    yield 1 <= variant.frames <= 64, f"{where}.frames is {variant.frames}; allowed are 1 to 64"
    yield (
        variant.frames >= network.window,
        (
            f"{where}.frames is {variant.frames}; a network whose window is {network.window} needs "
            "at least as many"
        ),
    )
    yield variant.motion in MOTIONS, f"{where}.motion is {variant.motion!r}; there are {[*MOTIONS]}"
    reductions = sum(isinstance(step, Reduce) for step in variant.steps)
    wanted = int(network.scale > 1)
    yield (
        reductions == wanted,
        f"{where} has {reductions} steps 'reduce'; scale {network.scale} needs {wanted}",
    )
    for step in variant.steps:
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
    for name, weight in recipe.loss.items():
        yield name in names, f"loss has {name!r}; there are {names}"
        yield _positive(weight), f"loss.{name} is {weight}; must be above 0, and finite"
    yield (
        ("perceptual" in recipe.loss) == (recipe.perceptual is not None),
        "loss.perceptual and the table [perceptual] go together; add what is missing",
    )
    side = recipe.data.patch * recipe.network.scale
    yield (
        "ssim" not in recipe.loss or side >= WINDOW,
        (
            f"data.patch is {recipe.data.patch}, of which outputs are {side}x{side}; the loss ssim "
            f"needs at least {WINDOW}x{WINDOW}"
        ),
    )
    if recipe.perceptual:
        layer = recipe.perceptual.layer
        match = re.fullmatch(r"conv([1-5])_[1-4]", layer)
        yield match is not None, f"perceptual.layer is {layer!r}; write it like 'conv3_2'"
        least = 2 ** (int(match.group(1)) - 1) if match else 0
        yield (
            side >= least,
            (
                f"data.patch is {recipe.data.patch}, of which outputs are {side}x{side}; the layer "
                f"{layer} needs at least {least}x{least}"
            ),
        )
    adversary = recipe.adversary
    if adversary:
        yield (
            side >= SMALLEST,
            (
                f"data.patch is {recipe.data.patch}, of which outputs are {side}x{side}; a "
                f"discriminator needs at least {SMALLEST}x{SMALLEST}"
            ),
        )
        yield (
            adversary.kind in ADVERSARIES,
            f"adversary.kind is {adversary.kind!r}; there are {[*ADVERSARIES]}",
        )
        for name in ("weight", "rate"):
            value = getattr(adversary, name)
            yield _positive(value), f"adversary.{name} is {value}; must be above 0, and finite"
        yield 4 <= adversary.size <= 512, f"adversary.size is {adversary.size}; allowed: 4 to 512"
        for name in ("generator_start", "discriminator_start", "adversarial_start"):
            value = getattr(adversary, name)
            yield (
                0 <= value < recipe.optim.steps,
                (
                    f"adversary.{name} is {value}; must be at least 0 and below optim.steps, "
                    f"{recipe.optim.steps}"
                ),
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
    channels = net.planes * net.window
    for what, side in (("model.tile", recipe.model.tile), ("data.patch", (recipe.data.patch,) * 2)):
        try:
            with torch.device("meta"), torch.no_grad():
                shape = network(torch.empty(1, channels, *side)).shape
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


def _positive(value: float) -> bool:
    return 0 < value < math.inf
