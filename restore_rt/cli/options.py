"""Options that several verbs share, and the model that they choose."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from restore_rt.errors import InputError, ModelError
from restore_rt.options import Backend, Precision

if TYPE_CHECKING:
    from restore_rt.restorer import Restorer

__all__ = [
    "BackendOption",
    "Content",
    "ContentOption",
    "DeviceOption",
    "JsonOption",
    "ModelOption",
    "OverwriteOption",
    "PrecisionOption",
    "RecursiveOption",
    "ScaleOption",
    "SkipExistingOption",
    "ThreadsOption",
    "TileOption",
    "load_model",
    "parse_size",
    "parse_tile",
    "ran_by",
]

Content = Literal["photo", "comic", "video"]

_DEFAULT_SCALE = 2

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="A shipped model's name or any .onnx file; overrides --content and --scale.",
        show_default="chosen by --content and --scale",
    ),
]
ContentOption = Annotated[
    Content | None, typer.Option("--content", "--type", help="The kind of material.")
]
ScaleOption = Annotated[
    int | None,
    typer.Option(
        "--scale",
        "--zoom",
        metavar="1|2|4",
        help=f"Width and height of the result over those of the input; {_DEFAULT_SCALE} if not "
        "given.",
        show_default=False,
    ),
]
TileOption = Annotated[
    str | None,
    typer.Option(
        "--tile",
        metavar="N|WxH",
        help="Largest tile in pixels of the input; smaller ones take less memory. The native "
        "backend has no tiles.",
        show_default="the model's own",
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option(
        "--threads", metavar="N", help="CPU threads to use.", show_default="all that are available"
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="auto|cpu|cuda|cuda:N",
        help="Where the network runs; cuda:1 is the GPU with number 1. auto is the fastest here; a "
        "device that is missing is an error.",
    ),
]
BackendOption = Annotated[
    Backend,
    typer.Option(
        "--backend",
        help="The software that runs the network: native is for CPUs, tensorrt for GPUs, "
        "onnxruntime for both.",
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision",
        help="The type that the network computes in: fp16 needs a GPU, bf16 a CPU with "
        "AVX512_BF16; auto is the type of the model's weights.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write the result as JSON.")]
RecursiveOption = Annotated[
    bool, typer.Option("--recursive", "-r", help="Folders in folders too, structure kept.")
]
SkipExistingOption = Annotated[
    bool,
    typer.Option(
        "--skip-existing",
        help="Leave out what has an output file already, even one of an input that ended early.",
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace output files that exist.")
]


def parse_tile(text: str | None) -> int | tuple[int, int] | None:
    """Return the tile that ``--tile`` names, one side or (height, width).

    Raises
    ------
    InputError
        It is neither ``N`` nor ``WxH``.
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
        return sides[1], sides[0]
    raise InputError(
        f"--tile is {text!r}; give one side like 256, or width and height like 480x270"
    )


def parse_size(option: str, text: str | None) -> tuple[int, int] | None:
    """Return the height and width that an option names, width first.

    Raises
    ------
    InputError
        It is not ``WxH``.
    """
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() for side in sides):
        raise InputError(f"{option} is {text!r}; give width and height like 480x270")
    return int(sides[1]), int(sides[0])


def load_model(
    model: str | None,
    content: Content | None,
    scale: int | None,
    *,
    usual: Content,
    device: str = "auto",
    backend: Backend = "auto",
    precision: Precision = "auto",
    tile: str | None = None,
    threads: int | None = None,
    chroma: str = "bicubic",
    allow_bf16: bool = False,
) -> Restorer:
    """Load the model that a verb's options ask for.

    Parameters
    ----------
    model
        ``--model``; overrides ``content`` and ``scale``.
    content, scale
        ``--content`` and ``--scale`` (None if not given).
    usual
        The content if ``--content`` is not given.
    device, backend, precision, tile, threads, chroma
        The options with these names.
    allow_bf16
        As for ``restore_rt.load``.

    Raises
    ------
    InputError
        A value is not allowed.
    ModelError, BackendError
        The model cannot be loaded, or not run on this machine.
    """
    from restore_rt import load
    from restore_rt.cli.console import note, progress
    from restore_rt.model import registry

    name = model
    if name is None:
        wanted = _DEFAULT_SCALE if scale is None else scale
        try:
            name = registry.choose(content or usual, wanted)
        except ModelError as error:
            raise InputError(f"--scale is {wanted}: {error}") from error
    restorer = load(
        name,
        device=device,
        backend=backend,
        precision=precision,
        tile=parse_tile(tile),
        threads=threads,
        chroma=chroma,
        allow_bf16=allow_bf16,
        progress=partial(progress, total=None, unit="steps"),
    )
    if model is None and content not in (None, restorer.manifest.content):
        note(
            f"no model for {content} with a scale of {restorer.scale} is shipped; {name}, made for "
            f"{restorer.manifest.content}, is used"
        )
    for text in restorer.notes:
        note(text)
    if tile is not None and restorer.backend == "native":
        note("--tile is ignored: the native backend takes whole frames, without tiles")
    if scale not in (None, restorer.scale):
        note(
            f"--scale {scale} is ignored: {restorer.manifest.name} enlarges {restorer.scale} times"
        )
    return restorer


def ran_by(restorer: Restorer) -> dict[str, str]:
    """Return what ran the model, in words and each part by itself, for ``--json``."""
    parts = {name: getattr(restorer, name) for name in ("device", "backend", "precision")}
    return {"model": restorer.description, **parts}
