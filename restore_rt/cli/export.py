"""``restore-rt export``: a trained network becomes an ONNX file that was checked."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer

from restore_rt.cli import options
from restore_rt.cli.console import emit, note
from restore_rt.cli.memory import out_of_memory
from restore_rt.errors import InputError, RestoreError
from restore_rt.files import whole_file

__all__ = ["export"]


def export(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A checkpoint, a shipped model's name, an .onnx file of ours in fp32, or the "
            "checkpoint of a network that others trained.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.onnx",
            help="The file to write; may be left out with --triton.",
            show_default=False,
        ),
    ] = None,
    precision: Annotated[
        Literal["fp32", "fp16", "int8"],
        typer.Option(
            "--precision",
            help="Of weights and values. fp16 is typed so in the graph, as TensorRT needs it; int8 "
            "is for CPUs, and learns the ranges of values from --images.",
        ),
    ] = "fp32",
    io: Annotated[
        Literal["float32", "float16", "u8"],
        typer.Option(
            "--io",
            help="What it takes and gives: planes (N, C, H, W) of 0 to 1, or frames (N, H, W, C) "
            "of bytes.",
        ),
    ] = "float32",
    static: Annotated[
        str | None,
        typer.Option(
            "--static",
            metavar="WxH",
            help="The one size of input that it takes.",
            show_default="any size",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="DIR",
            help="Pictures to compare on and to measure what a precision costs.",
            show_default="patterns",
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            metavar="DB",
            help="Least PSNR of fp16 or int8 against fp32, of any picture, in dB.",
            show_default="60 for fp16, 42 for int8",
        ),
    ] = None,
    tile: options.TileOption = None,
    triton: Annotated[
        Path | None,
        typer.Option(
            "--triton",
            metavar="DIR",
            help="Put the model into this repository of Triton Inference Server, too.",
            show_default=False,
        ),
    ] = None,
    triton_version: Annotated[
        int | None,
        typer.Option(
            "--triton-version",
            metavar="N",
            min=1,
            help="The model's version there.",
            show_default="1",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="What others' model is to be called.", show_default="the file"),
    ] = None,
    content: Annotated[
        options.Content | None,
        typer.Option("--content", help="What it was trained for.", show_default="photo"),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option("--licence", help="That of its weights.", show_default="unknown"),
    ] = None,
    opset: Annotated[
        int, typer.Option("--opset", metavar="N", help="ONNX operator set, 18 to 25.")
    ] = 18,
    as_json: options.JsonOption = False,
    overwrite: options.OverwriteOption = False,
) -> int:
    """Export a network to an ONNX file that was checked and describes itself.

    What was trained and what was exported are compared at many sizes, how far the network looks is
    measured, and so is what a lower precision costs; a file that would be wrong is not written, and
    the first node that departs is named. Nodes that fp16 would spoil stay in fp32: few, found by
    measurement. Of int8, the fastest choice of first and last layer is taken that
    --tolerance allows.
    """
    try:
        from restore_rt.export.exporter import check_model_target, export_onnx
        from restore_rt.export.sources import load_source
        from restore_rt.export.triton import check_place, write_repository
    except ImportError as error:
        raise InputError(
            f"exporting needs {error.name}; pip install 'restore-rt[export]'"
        ) from None

    if out is None and triton is None:
        raise InputError("nothing is to be written; name a file with -o, or a folder with --triton")
    if triton is None and triton_version is not None:
        raise InputError(
            f"--triton-version is {triton_version}, and there is no --triton: give both"
        )
    version = triton_version or 1
    if out is not None:
        # Before a checkpoint is read, which may take long.
        check_model_target(out, overwrite=overwrite)
    sides = options.parse_tile(tile)
    read = load_source(source, name=name, content=content, licence=licence)
    if triton is not None:
        check_place(triton, read.name, version, overwrite=overwrite)
    with tempfile.TemporaryDirectory(prefix="restore-rt-") as folder:
        # A repository that refuses the model must not leave a file behind, so that comes first.
        file = out if out is not None and triton is None else Path(folder, "model.onnx")
        try:
            manifest = export_onnx(
                read,
                file,
                precision=precision,
                io=io,
                static=options.parse_size("--static", static),
                images=images,
                tolerance=tolerance,
                tile=(sides, sides) if isinstance(sides, int) else sides,
                opset=opset,
                overwrite=overwrite,
                say=note,
            )
        except (MemoryError, RuntimeError) as error:
            # PyTorch's is a RuntimeError.
            if not out_of_memory(error):
                raise
            raise RestoreError(
                "out of memory: give a smaller --static, or smaller pictures in --images"
            ) from error
        written = [] if out is None else [out]
        if triton is not None:
            written += write_repository([file], triton, version=version, overwrite=overwrite)
            if out is not None:
                with whole_file(out, overwrite=overwrite) as temporary:
                    shutil.copyfile(file, temporary)
    lines = "\n".join(map(str, written))
    emit({"files": written, **dataclasses.asdict(manifest)}, lines, as_json=as_json)
    return 0
