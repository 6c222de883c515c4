"""Recipes: a training run described in a TOML file, read strictly into frozen dataclasses."""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from restore_rt.errors import InputError, RestoreError
from restore_rt.manifest import COLOURS, CONTENTS, TASKS
from restore_rt.training.degradations import Step, read_step
from restore_rt.training.degradations.codecs import H264
from restore_rt.training.degradations.resizing import Reduce
from restore_rt.training.tables import read_table

__all__ = [
    "Adversary",
    "Cache",
    "Data",
    "LetteringData",
    "ModelInfo",
    "Network",
    "Optim",
    "Perceptual",
    "Recipe",
    "RecipeError",
    "Variant",
    "load_recipe",
    "parse_recipe",
]

PRECISIONS = ("fp32", "mixed")
SYMMETRIES = (1, 2, 8)


class RecipeError(InputError):
    """A recipe has an unknown key, a missing one, or a value that is not allowed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What the exported model says of itself."""

    name: str
    version: str
    task: str
    content: str
    trained_on: str
    licence: str
    tile: tuple[int, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """Which network; `params` goes to its constructor beside `scale` and `colour`."""

    name: str
    scale: int
    colour: str
    params: dict[str, int | str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """One way in which inputs are made: the steps that a picture goes through.

    `share` is how often it is drawn, relative to the others. With `frames` above 1 the picture
    becomes a clip of so many frames, over which a camera drifts, and one of them is the input.
    """

    name: str
    share: float
    steps: tuple[Step, ...]
    frames: int = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cache:
    """Degraded regions are kept in memory, and patches are cut from them.

    `count` regions of `region` input pixels squared are kept; after every `renew` steps the oldest
    makes way for a new one.
    """

    region: int = 128
    count: int = 1024
    renew: int = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class LetteringData:
    """Text drawn in bubbles over the pictures.

    `share` is the part of the regions that get lettering. Of these, `artwork` have a picture behind
    the bubbles, the others drawn shapes. `fonts` are folders of fonts; none names the system's.
    """

    share: float
    artwork: float = 0.7
    fonts: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """Pictures and how they become batches.

    `folders` gives each folder's share of the patches. Of `holdout` pictures one, chosen by its
    name, is kept for validation; where the pattern `groups` matches in a name, what it matches is
    chosen by, so that all pages of a comic stay together. Files that match a pattern in `exclude`
    (``folder/E05*``) are left out. `patch` is in input pixels. `full_range` is the share of luma
    patches that are stretched from 16..235 to 0..255, `grey` that of regions from which colour is
    taken before anything else happens to them. `symmetries` is 8 for all turns and mirrors
    of a square, 2 for mirroring left and right, 1 for none.
    """

    folders: dict[str, float]
    variants: tuple[Variant, ...]
    holdout: int
    batch: int
    patch: int
    full_range: float = 0.0
    grey: float = 0.0
    symmetries: int = 8
    groups: str = ""
    exclude: tuple[str, ...] = ()
    cache: Cache = Cache()
    lettering: LetteringData | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Perceptual:
    """Which features the loss ``perceptual`` compares.

    `weights` is a file of VGG-19 in torchvision's layout or of a network that ``train-features``
    made; empty takes the one that is shipped.
    """

    layer: str
    weights: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adversary:
    """A discriminator and when it takes part, in steps.

    `generator_start`, `discriminator_start` and `adversarial_start` are when the generator learns,
    when the discriminator does, and when the generator is also judged by it; `size` is the number
    of filters in the discriminator's first layer. The names are those of Neural Enhance.
    """

    kind: str
    weight: float
    size: int
    rate: float
    generator_start: int = 0
    discriminator_start: int = 0
    adversarial_start: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optim:
    """Schedule: warm-up, then a cosine from `rate` to `rate_end`, all in steps.

    `precision` is ``fp32``, or ``mixed``: bfloat16 (float16 on GPUs without it) where that is
    faster, float32 elsewhere.
    """

    steps: int
    epoch: int
    rate: float
    rate_end: float
    warmup: int
    clip: float
    ema: float
    precision: str = "fp32"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run; `loss` gives the weight of each loss."""

    seed: int
    model: ModelInfo
    network: Network
    data: Data
    optim: Optim
    loss: dict[str, float]
    perceptual: Perceptual | None = None
    adversary: Adversary | None = None
    text: str = dataclasses.field(default="", repr=False, compare=False, metadata={"hidden": True})


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe from a TOML file, or one that ships with restore_rt by its name.

    Raises
    ------
    RecipeError
        If it cannot be read, or says something that is not allowed.
    """
    shipped = Path(__file__).parent / "recipes"
    file = Path(path)
    if not file.is_file():
        names = sorted(p.stem for p in shipped.glob("*.toml"))
        if str(path) not in names:
            raise RecipeError(
                f"no recipe file {str(path)!r}, nor one of that name; shipped: {', '.join(names)}"
            )
        file = shipped / f"{path}.toml"
    try:
        return parse_recipe(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, RecipeError) as error:
        raise RecipeError(f"{file}: {error}") from None


def parse_recipe(text: str) -> Recipe:
    """Read a recipe from TOML text; see `load_recipe`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"not valid TOML: {error}") from None
    try:
        recipe = read_table(Recipe, table, readers={Step: read_step})
    except InputError as error:
        raise RecipeError(str(error)) from None
    recipe = dataclasses.replace(recipe, text=text)
    for holds, message in _rules(recipe):
        if not holds:
            raise RecipeError(message)
    _check_network(recipe)
    return recipe


def _rules(recipe: Recipe) -> Iterator[tuple[bool, str]]:
    # Names are looked up here, so that a misspelt one is reported before hours of preparation.
    from restore_rt.training.networks import NETWORKS

    data, optim, network, model = recipe.data, recipe.optim, recipe.network, recipe.model
    yield 0 <= recipe.seed < 2**63, f"seed is {recipe.seed}; must be at least 0, below 2**63"
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
    yield optim.epoch >= 1, f"optim.epoch is {optim.epoch}; must be at least 1"
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
    reductions = sum(isinstance(step, Reduce) for step in variant.steps)
    wanted = int(network.scale > 1)
    yield (
        reductions == wanted,
        f"{where} has {reductions} steps 'reduce'; scale {network.scale} needs {wanted}",
    )
    for step in variant.steps:
        if isinstance(step, H264) and step.luma:
            yield (
                step is variant.steps[-1] and network.colour == "luma",
                f"{where}: 'h264' with luma must be the last step, of a luma network",
            )


def _loss_rules(recipe: Recipe) -> Iterator[tuple[bool, str]]:
    from restore_rt.training.losses import ADVERSARIES, LOSSES

    names = [*LOSSES, "perceptual"]
    yield bool(recipe.loss), f"loss is empty; give one of {names} a weight"
    for name, weight in recipe.loss.items():
        yield name in names, f"loss has {name!r}; there are {names}"
        yield _positive(weight), f"loss.{name} is {weight}; must be above 0, and finite"
    yield (
        ("perceptual" in recipe.loss) == (recipe.perceptual is not None),
        "loss.perceptual and the table [perceptual] go together; add what is missing",
    )
    adversary = recipe.adversary
    if adversary:
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
            yield value >= 0, f"adversary.{name} is {value}; must not be negative"


def _positive(value: float) -> bool:
    return 0 < value < math.inf


def _check_network(recipe: Recipe) -> None:
    """Build the network without memory for its weights, and send an empty tile through it."""
    import torch

    from restore_rt.training.networks import build

    net, (height, width) = recipe.network, recipe.model.tile
    try:
        with torch.device("meta"), torch.no_grad():
            network = build(net.name, scale=net.scale, colour=net.colour, **net.params)
            x = torch.empty(1, 3 if net.colour == "rgb" else 1, height, width)
    except (RestoreError, RuntimeError, ValueError) as error:
        raise RecipeError(f"network.params is {net.params}: {error}") from None
    for what, side in (("model.tile", (height, width)), ("data.patch", (recipe.data.patch,) * 2)):
        try:
            with torch.device("meta"), torch.no_grad():
                shape = network(torch.empty(1, x.shape[1], *side)).shape
        except RuntimeError as error:
            raise RecipeError(
                f"{what} is {[*side]}, which network {net.name!r} does not take: {error}"
            ) from None
        if tuple(shape[2:]) != tuple(s * net.scale for s in side):
            raise RecipeError(
                f"{what} is {[*side]}, of which network {net.name!r} makes {[*shape[2:]]}; must "
                f"be {net.scale} times that"
            )
