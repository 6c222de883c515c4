"""``restore-rt build``: an ONNX file becomes an engine of TensorRT or TensorRT-RTX."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from restore_rt.cli import options
from restore_rt.cli.console import emit, progress

__all__ = ["build"]


def build(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A shipped model's name or an .onnx file.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.engine",
            help="The engine to write; FILE.engine.json beside it says what it depends on.",
        ),
    ],
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="MIN:OPT:MAX",
            help="Sizes that it takes, each HxW or NxHxW, and is tuned for (OPT); one alone is the "
            "only one that it takes.",
            show_default="from the least to the model's tile, tuned for that",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="SM",
            help="What it runs on: sm75, sm86, sm89, sm120... With TensorRT, which needs such a "
            "GPU to build: its own, or ampere+ for all later ones.",
            show_default="the GPU at hand",
        ),
    ] = None,
    library: Annotated[
        Literal["auto", "tensorrt", "rtx"],
        typer.Option(
            "--library",
            help="What builds it, and will run it; auto takes TensorRT where it is installed, else "
            "TensorRT-RTX.",
        ),
    ] = "auto",
    timing_cache: Annotated[
        Path | None,
        typer.Option(
            "--timing-cache",
            metavar="FILE",
            help="Keeps what the builder measures, for later builds; made if missing. TensorRT "
            "only.",
            show_default=False,
        ),
    ] = None,
    workspace: Annotated[
        int | None,
        typer.Option(
            "--workspace",
            metavar="MIB",
            help="Most working memory that a layer may take.",
            show_default="the library's limit",
        ),
    ] = None,
    as_json: options.JsonOption = False,
    overwrite: options.OverwriteOption = False,
) -> int:
    """Build an engine from an ONNX file.

    Its types are those of the file: export the model with --precision fp16 for an engine in fp16,
    and with --io u8 for one that takes frames of bytes. An engine runs on the library's version
    that built it alone; keep the .json file with it.
    """
    from restore_rt.tensorrt.building import build_engine
    from restore_rt.tensorrt.profile import Profile

    built = build_engine(
        model,
        output,
        profile=None if profile is None else Profile.parse(profile),
        target=target,
        library=library,
        timing_cache=timing_cache,
        workspace=workspace,
        overwrite=overwrite,
        progress=partial(progress, total=None, unit="steps"),
    )
    made = built.sidecar
    text = (
        f"{built.path}: {made.manifest.name} in {made.precision} for {made.target}, profile "
        f"{made.profile}, {made.plan_bytes} bytes, by {made.library} {made.library_version}"
    )
    data = {"engine": built.path, "sidecar": built.sidecar_path, **dataclasses.asdict(made)}
    emit(data, text, as_json=as_json)
    return 0
