"""Recipes: a training run described in a TOML file, read strictly into frozen dataclasses."""

from __future__ import annotations

import dataclasses
import math
import sys
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from restore_rt.errors import InputError, RestoreError
from restore_rt.manifest import COLOURS, CONTENTS, TASKS

__all__ = [
    "Data",
    "ModelInfo",
    "Network",
    "Optim",
    "Recipe",
    "RecipeError",
    "Variant",
    "load_recipe",
    "parse_recipe",
]

T = TypeVar("T")


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
    params: dict[str, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """One way in which inputs are made.

    `kind` is ``clean``, ``jpeg`` (quality `low` to `high`) or ``h264`` (CRF `low` to `high`);
    `share` is how often it is drawn, relative to the others; `copies` how many each picture gets.
    """

    kind: str
    share: float
    copies: int
    low: int = 0
    high: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """Pictures and how they become batches.

    `folders` gives each folder's share of the patches. One picture in `holdout`, chosen by its
    name, is kept for validation. `patch` is in input pixels. `full_range` is the share of luma
    patches that are stretched from 16..235 to 0..255.
    """

    folders: dict[str, float]
    variants: tuple[Variant, ...]
    holdout: int
    batch: int
    patch: int
    full_range: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optim:
    """Loss and schedule: warm-up, then a cosine from `rate` to `rate_end`, all in steps."""

    loss: str
    steps: int
    epoch: int
    rate: float
    rate_end: float
    warmup: int
    clip: float
    ema: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run."""

    seed: int
    model: ModelInfo
    network: Network
    data: Data
    optim: Optim
    text: str = dataclasses.field(repr=False, compare=False)


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
    if "text" in table:
        raise RecipeError("unknown key 'text'")
    recipe = _read(Recipe, {**table, "text": text}, "")
    _check(recipe)
    _check_network(recipe)
    return recipe


def _check(recipe: Recipe) -> None:
    # Names are looked up here, so that a misspelt one is reported before hours of preparation.
    from restore_rt.training.losses import LOSSES
    from restore_rt.training.networks import NETWORKS

    data, optim, network, model = recipe.data, recipe.optim, recipe.network, recipe.model
    rules = [
        (0 <= recipe.seed < 2**63, f"seed is {recipe.seed}; must be at least 0, below 2**63"),
        (model.task in TASKS, f"model.task is {model.task!r}; there are {[*TASKS]}"),
        (model.content in CONTENTS, f"model.content is {model.content!r}; there are {[*CONTENTS]}"),
        (network.name in NETWORKS, f"network.name is {network.name!r}; there are {[*NETWORKS]}"),
        (optim.loss in LOSSES, f"optim.loss is {optim.loss!r}; there are {[*LOSSES]}"),
        (1 <= network.scale <= 4, f"network.scale is {network.scale}; allowed are 1 to 4"),
        (
            network.colour in COLOURS,
            f"network.colour is {network.colour!r}; there are {[*COLOURS]}",
        ),
        (min(model.tile) >= 1, f"model.tile is {model.tile}; must be positive"),
        (bool(data.folders), "data.folders is empty; name at least one folder"),
        (bool(data.variants), "data.variants is empty; describe at least one"),
        (data.holdout >= 2, f"data.holdout is {data.holdout}; must be at least 2"),
        (data.batch >= 1, f"data.batch is {data.batch}; must be at least 1"),
        (data.patch >= 8, f"data.patch is {data.patch}; must be at least 8"),
        (0 <= data.full_range <= 1, f"data.full_range is {data.full_range}; must be 0 to 1"),
        (
            data.full_range == 0 or network.colour == "luma",
            "data.full_range is for luma networks; remove it or set network.colour to 'luma'",
        ),
        (optim.steps >= 1, f"optim.steps is {optim.steps}; must be at least 1"),
        (optim.epoch >= 1, f"optim.epoch is {optim.epoch}; must be at least 1"),
        (
            0 < optim.rate < math.inf,
            f"optim.rate is {optim.rate}; must be above 0, and finite",
        ),
        (
            0 <= optim.rate_end <= optim.rate,
            f"optim.rate_end is {optim.rate_end}; must be 0 to rate, which is {optim.rate}",
        ),
        (optim.warmup >= 0, f"optim.warmup is {optim.warmup}; must not be negative"),
        (optim.clip > 0, f"optim.clip is {optim.clip}; must be above 0"),
        (0 <= optim.ema < 1, f"optim.ema is {optim.ema}; must be at least 0 and below 1"),
    ]
    for name, share in data.folders.items():
        usable = 0 < share < math.inf
        rules.append((usable, f"data.folders.{name} is {share}; must be above 0, and finite"))
    limits = {"clean": (0, 0), "jpeg": (1, 95), "h264": (0, 51)}
    for number, variant in enumerate(data.variants):
        where = f"data.variants[{number}]"
        low, high = limits.get(variant.kind, (0, 0))
        span = f"from {variant.low} to {variant.high}; allowed are {low} to {high}, low first"
        rules += [
            (variant.kind in limits, f"{where}.kind is {variant.kind!r}; there are {[*limits]}"),
            (
                0 < variant.share < math.inf,
                f"{where}.share is {variant.share}; must be above 0, and finite",
            ),
            (variant.copies >= 1, f"{where}.copies is {variant.copies}; must be at least 1"),
            (low <= variant.low <= variant.high <= high, f"{where} goes {span}"),
        ]
    for holds, message in rules:
        if not holds:
            raise RecipeError(message)


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
    try:
        with torch.device("meta"), torch.no_grad():
            shape = network(x).shape
    except RuntimeError as error:
        raise RecipeError(
            f"model.tile is {[height, width]}, which network {net.name!r} does not take: {error}"
        ) from None
    if tuple(shape[2:]) != (height * net.scale, width * net.scale):
        raise RecipeError(
            f"model.tile is {[height, width]}, of which network {net.name!r} makes "
            f"{[*shape[2:]]}; must be {net.scale} times the tile"
        )


def _read(kind: type[T], table: Any, where: str) -> T:
    """Fill the dataclass `kind` from `table`, refusing every key and type it does not have."""
    if not isinstance(table, dict):
        raise RecipeError(f"{where or 'the recipe'} must be a table, not {table!r}")
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    prefix = f"{where}." if where else ""
    for key in table:
        if key not in fields:
            allowed = ", ".join(name for name in fields if name != "text")
            raise RecipeError(f"unknown key '{prefix}{key}'; allowed here: {allowed}")
    values = {}
    for name, field in fields.items():
        if name in table:
            values[name] = _convert(hints[name], table[name], f"{prefix}{name}")
        elif field.default is dataclasses.MISSING:
            raise RecipeError(f"missing key '{prefix}{name}'")
    return kind(**values)


def _convert(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _read(typing.cast(type, hint), value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is dict:
        if not isinstance(value, dict):
            raise RecipeError(f"'{where}' must be a table, not {value!r}")
        return {k: _convert(arguments[1], v, f"{where}.{k}") for k, v in value.items()}
    if origin is tuple:
        if not isinstance(value, list):
            raise RecipeError(f"'{where}' must be a list, not {value!r}")
        if arguments[-1] is not Ellipsis and len(value) != len(arguments):
            raise RecipeError(f"'{where}' must have {len(arguments)} entries, not {len(value)}")
        return tuple(_convert(arguments[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    assert not isinstance(hint, types.UnionType), "recipes have no optional types"
    # TOML writes 1 for 1.0, and bool is an int in Python.
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise RecipeError(f"'{where}' must be {hint.__name__}, not {value!r}")
    return value
