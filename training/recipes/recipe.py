"""Recipes: a training run described in a TOML file, read strictly into frozen dataclasses."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Annotated

from restore_rt.errors import InputError
from restore_rt.model.manifest import CHROMA, COLOURS, CONTENTS, TASKS
from restore_rt.training.degradations import Step, read_step
from restore_rt.training.degradations.motion import MOTIONS
from restore_rt.training.limits import (
    at_least,
    between,
    check_limits,
    each,
    matching,
    number,
    one_of,
    positive,
)
from restore_rt.training.recipes.rules import rules
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
# The model's name is the file's too, and what users write to load it.
Word = Annotated[
    str,
    matching(
        r"[A-Za-z0-9][A-Za-z0-9._-]*", "write letters, digits, and after the first also . _ -"
    ),
]
Count = Annotated[int, at_least(1)]
FromZero = Annotated[int, at_least(0)]
Share = Annotated[float, between(0, 1)]
Positive = Annotated[float, positive]
Weights = Annotated[dict[str, float], each(positive)]


class RecipeError(InputError):
    """A recipe has an unknown key, a missing one, or a value that is not allowed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """The exported model's description."""

    name: Word
    version: Word
    task: Annotated[str, one_of(TASKS)]
    content: Annotated[str, one_of(CONTENTS)]
    trained_on: str
    licence: str
    tile: tuple[int, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network:
    """Which network; `params` goes to its constructor beside `scale` and `colour`.

    One with a `mask` fills holes: its input is the picture with a first fill of the holes, and the
    mask as a further channel.
    """

    name: str
    scale: Annotated[int, between(1, 4)]
    colour: Annotated[str, one_of((*COLOURS, CHROMA))]
    params: dict[str, int | str]
    mask: bool = False

    @property
    def window(self) -> int:
        """Frames of which the input is made; the middle one is restored."""
        window = self.params.get("window", 1)
        return window if isinstance(window, int) else 1

    @property
    def inputs(self) -> int:
        """Channels of the input."""
        return 16 if self.colour == CHROMA else self.outputs * self.window + self.mask

    @property
    def outputs(self) -> int:
        """Channels of the output."""
        return {"rgb": 3, CHROMA: 2}.get(self.colour, 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variant:
    """One way in which inputs are made: the steps that a picture goes through.

    `share` is how often it is drawn, relative to the others. With `frames` above 1 so many frames
    are taken of a clip, or made of a picture, and one of them is the input. `motion` says how a
    picture becomes a clip: by ``drift`` of a camera, or as ``layers`` that move.
    """

    name: Annotated[str, matching("[a-z0-9_]+", "use small letters, digits and _")]
    share: Positive
    steps: tuple[Step, ...]
    frames: Annotated[int, between(1, 64)] = 1
    motion: Annotated[str, one_of(MOTIONS)] = "drift"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cache:
    """Degraded regions are kept in memory, and patches are cut from them.

    `count` regions of `region` input pixels squared are kept; after every `renew` steps the oldest
    makes way for a new one.
    """

    region: int = 128
    count: Count = 1024
    renew: Count = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class LetteringData:
    """Text drawn in bubbles over the pictures.

    `share` is the part of the regions that get lettering. Of these, `artwork` have a picture behind
    the bubbles, the others drawn shapes; of the pictures, `tones` are drawn in ink and screentone
    first. `scripts` is the share of speeches in other scripts than Latin, of those that the fonts
    have. `fonts` are folders of fonts, relative to the recipe file's; none names the system's.
    """

    share: Share
    artwork: Share = 0.7
    tones: Share = 0.0
    scripts: Share = 0.0
    fonts: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """Pictures and how they become batches.

    `folders` gives each folder's share of the patches. Of `holdout` pictures one, chosen by its
    name, is kept for validation; where the pattern `groups` matches in a name, what it matches is
    chosen by, so that all pages of a comic stay together. Files that match a pattern in `exclude`
    (``folder/E05*``) are left out. `patch` is in input pixels. `full_range` is the share of luma
    patches, or of regions with chroma, that are stretched from 16..235 to 0..255, `grey` that of
    regions from which colour is taken before anything else happens to them. `reduced` is by how
    much a picture is made smaller before a region is cut, result over picture, drawn for each
    region between the two (less where
    the picture would become too small): many pictures are softer than their pixels, and teach to
    sharpen, where reduced ones teach edges and texture. `symmetries` is 8 for all turns and mirrors
    of a square, 2 for mirroring left and right, 1 for none. `levels` is for networks with a mask:
    how often a picture is halved at most before the network begins to fill it, the smallest first;
    each step draws a number up to that.
    """

    folders: Weights
    variants: tuple[Variant, ...]
    holdout: Annotated[int, at_least(2)]
    batch: Count
    patch: Annotated[int, at_least(8)]
    full_range: Share = 0.0
    grey: Share = 0.0
    reduced: tuple[float, float] = (1.0, 1.0)
    symmetries: Annotated[int, one_of((1, 2, 8))] = 8
    levels: Annotated[int, between(0, 4)] = 0
    groups: str = ""
    exclude: tuple[str, ...] = ()
    cache: Cache = Cache()
    lettering: LetteringData | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Perceptual:
    """Which features the loss ``perceptual`` compares.

    `weights` is a file of VGG-19 in torchvision's layout or of a network that ``train-features``
    made, relative to the recipe file's folder; empty takes the one that is shipped.
    """

    layer: str
    weights: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sharpen:
    """By how much outputs are to be sharper than what the losses alone would make of them.

    The losses compare outputs that went through a Gaussian blur of standard deviation `sigma`, in
    output pixels, so that the network learns to undo it. What a network is sure of is sharpened so,
    and what it guesses is not made up: with sharpened targets in place of blurred outputs a network
    gained less at the same cost in PSNR. An adversary and the validation see outputs as they are.
    """

    sigma: Annotated[float, between(0.2, 2.0)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adversary:
    """A discriminator and when it takes part, in steps.

    `generator_start`, `discriminator_start` and `adversarial_start` are when the generator learns,
    when the discriminator does, and when the generator is also judged by it; `size` is the number
    of filters in the discriminator's first layer. The names are those of Neural Enhance.
    """

    kind: str
    weight: Positive
    size: Annotated[int, between(4, 512)]
    rate: Positive
    generator_start: FromZero = 0
    discriminator_start: FromZero = 0
    adversarial_start: FromZero = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optim:
    """Schedule: warm-up, then a cosine from `rate` to `rate_end`, all in steps.

    After every `validation_interval` steps the network is validated and a checkpoint written.

    `precision` is ``fp32``, or ``mixed``: bfloat16 (float16 on GPUs without it) where that is
    faster, float32 elsewhere.
    """

    steps: Count
    validation_interval: Count
    rate: Positive
    rate_end: float
    warmup: FromZero
    clip: Annotated[float, number(lambda norm: norm > 0, "above 0")]
    ema: Annotated[float, number(lambda share: 0 <= share < 1, "at least 0 and below 1")]
    precision: Annotated[str, one_of(PRECISIONS)] = "fp32"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run; `loss` gives the weight of each loss.

    `text` is what it was read from, and `folder` where files that it names are looked for: that of
    the recipe's own file, or the current one for a recipe that is text alone.
    """

    seed: Annotated[int, number(lambda seed: 0 <= seed < 2**63, "at least 0, below 2**63")]
    model: ModelInfo
    network: Network
    data: Data
    optim: Optim
    loss: Weights
    perceptual: Perceptual | None = None
    sharpen: Sharpen | None = None
    adversary: Adversary | None = None
    text: str = dataclasses.field(default="", repr=False, compare=False, metadata={"hidden": True})
    folder: Path = dataclasses.field(
        default=Path(), repr=False, compare=False, metadata={"hidden": True}
    )


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe from a TOML file, or one that ships with restore_rt by its name.

    Raises `RecipeError` if it cannot be read, or says something that is not allowed.
    """
    shipped = Path(__file__).parent
    file = Path(path)
    try:
        try:
            text = file.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            names = sorted(p.stem for p in shipped.glob("*.toml"))
            if str(path) not in names:
                raise RecipeError(
                    f"no recipe file {str(path)!r}, nor one of that name; shipped: "
                    f"{', '.join(names)}"
                ) from None
            file = shipped / f"{path}.toml"
            text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(
            f"cannot read the recipe {file}: {error.strerror}; change the permissions of the file "
            "and its folders, or name another"
        ) from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"{file} is no UTF-8 text: {error}; save it as UTF-8") from None
    try:
        recipe = parse_recipe(text)
    except RecipeError as error:
        raise RecipeError(f"{file}: {error}") from None
    return dataclasses.replace(recipe, folder=file.parent)


def parse_recipe(text: str) -> Recipe:
    """Read a recipe from TOML text; see `load_recipe`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"not valid TOML: {error}") from None
    optim = table.get("optim")
    if isinstance(optim, dict) and "epoch" in optim and "validation_interval" not in optim:
        # Its name in recipes of before, which checkpoints and the shipped models carry.
        optim["validation_interval"] = optim.pop("epoch")
    try:
        recipe = read_table(Recipe, table, readers={Step: read_step})
        check_limits(recipe)
    except InputError as error:
        raise RecipeError(str(error)) from None
    recipe = dataclasses.replace(recipe, text=text)
    for holds, message in rules(recipe):
        if not holds:
            raise RecipeError(message)
    return recipe
