"""Options that several verbs share, and the model that they choose."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from restore_rt.errors import InputError, ModelError

if TYPE_CHECKING:
    from restore_rt.restorer import Restorer

__all__ = [
    "Backend",
    "BackendOption",
    "Content",
    "DeviceOption",
    "JsonOption",
    "ModelOption",
    "OverwriteOption",
    "Precision",
    "PrecisionOption",
    "Provider",
    "ProviderOption",
    "ThreadsOption",
    "TileOption",
    "TypeOption",
    "ZoomOption",
    "load_model",
    "parse_size",
    "parse_tile",
]

Content = Literal["photo", "comic", "video"]
Provider = Literal["auto", "cpu", "cuda", "tensorrt"]
Backend = Literal["auto", "native", "onnxruntime"]
Precision = Literal["auto", "fp32", "fp16", "bf16"]

_DEFAULT_ZOOM = 2

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="A shipped model's name or an .onnx file, by anyone; goes before --type and --zoom.",
        show_default="chosen by --type and --zoom",
    ),
]
TypeOption = Annotated[Content | None, typer.Option("--type", help="What the material is.")]
ZoomOption = Annotated[
    int | None,
    typer.Option(
        "--zoom",
        metavar="1|2|4",
        help=f"How many times as wide and high the result is; {_DEFAULT_ZOOM} if not given.",
        show_default=False,
    ),
]
TileOption = Annotated[
    str | None,
    typer.Option(
        "--tile",
        metavar="N|HxW",
        help="Largest tile in pixels of the input; smaller ones take less memory.",
        show_default="the model's own",
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads", metavar="N", help="CPU threads to use.", show_default="all that are available"
    ),
]
ProviderOption = Annotated[
    Provider, typer.Option("--provider", help="Where the network runs; never replaced in silence.")
]
BackendOption = Annotated[
    Backend,
    typer.Option("--backend", help="What runs the network on a CPU; auto is the faster one."),
]
PrecisionOption = Annotated[
    Precision | None,
    typer.Option(
        "--precision",
        help="What the network computes in: fp16 is for GPUs, bf16 for CPUs that have it, auto is "
        "bf16 where that is faster and comes near, and else the model's own.",
    ),
]
DeviceOption = Annotated[
    int, typer.Option("--device", metavar="N", help="The GPU's number.", min=0)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write the result as JSON.")]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace output files that exist.")
]


def parse_tile(text: str | None) -> int | tuple[int, int] | None:
    """Return the tile that ``--tile`` names, one side or (height, width).

    Raises
    ------
    InputError
        It is neither ``N`` nor ``HxW``.
    """
    if text is None:
        return None
    try:
        sides = [int(side) for side in text.lower().split("x")]
    except ValueError:
        sides = []
    if len(sides) == 1:
        return sides[0]
    if len(sides) == 2:
        return sides[0], sides[1]
    raise InputError(
        f"--tile is {text!r}; give one side like 256, or height and width like 270x480"
    )


def parse_size(option: str, text: str | None) -> tuple[int, int] | None:
    """Return the height and width that an option names.

    Raises
    ------
    InputError
        It is not ``HxW``.
    """
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        raise InputError(f"{option} is {text!r}; give height and width like 270x480")
    return int(sides[0]), int(sides[1])


def load_model(
    model: str | None,
    content: Content | None,
    zoom: int | None,
    *,
    usual: Content,
    provider: Provider = "auto",
    backend: Backend = "auto",
    precision: Precision | None = None,
    device: int = 0,
    tile: str | None = None,
    threads: int | None = None,
) -> Restorer:
    """Load the model that a verb's options ask for.

    Parameters
    ----------
    model
        ``--model``; when given, ``content`` and ``zoom`` do not matter.
    content, zoom
        ``--type`` and ``--zoom`` (``None``: not given).
    usual
        The content when ``--type`` is not given.
    provider, backend, precision, device, tile, threads
        The options of these names as they were given.

    Raises
    ------
    InputError
        A value is not allowed.
    ModelError, BackendError
        The model cannot be loaded, or not run on this machine.
    """
    from restore_rt import load
    from restore_rt.cli.console import note, progress
    from restore_rt.model import registry as zoo

    sides = parse_tile(tile)
    name = model
    if name is None:
        wanted = _DEFAULT_ZOOM if zoom is None else zoom
        try:
            name = zoo.choose(content or usual, wanted)
        except ModelError as error:
            raise InputError(f"--zoom is {wanted}: {error}") from error
    restorer = load(
        name,
        provider=provider,
        backend=backend,
        precision=precision,
        device=device,
        tile=sides,
        threads=threads,
        progress=partial(progress, total=None, unit="steps"),
    )
    if model is None and content not in (None, restorer.manifest.content):
        note(
            f"no model for {content} is shipped yet that enlarges {restorer.scale} times; "
            f"{name}, made for {restorer.manifest.content}, is used"
        )
    if zoom not in (None, restorer.scale):
        note(f"--zoom {zoom} is not used: {restorer.manifest.name} enlarges {restorer.scale} times")
    return restorer
