"""``restore-rt video``: a video file through a model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from restore_rt.cli.console import emit, note, progress
from restore_rt.cli.options import (
    BackendOption,
    ContentOption,
    DeviceOption,
    JsonOption,
    ModelOption,
    OverwriteOption,
    ScaleOption,
    ThreadsOption,
    TileOption,
    load_model,
    ran_by,
)
from restore_rt.errors import MediaError
from restore_rt.options import Precision
from restore_rt.video.encoders import CODECS, AudioChoice, Deinterlace

if TYPE_CHECKING:
    from rich.console import RenderableType

    from restore_rt.video import VideoReport

__all__ = ["video"]

_QUALITIES = ", ".join(
    f"{name} {codec.quality[-1]}" for name, codec in CODECS.items() if codec.quality
)
_PRESETS = ", ".join(f"{name} {codec.preset}" for name, codec in CODECS.items() if codec.preset)

SourceArgument = Annotated[Path, typer.Argument(metavar="IN", help="The video to restore.")]
TargetOption = Annotated[
    Path,
    typer.Option("-o", "--output", metavar="OUT", help="What to write: .mp4, .mov, .mkv or .webm."),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision",
        help="The type that the network computes in: fp16 needs a GPU, bf16 a CPU with "
        "AVX512_BF16; auto is bf16 where that is faster and within 55 dB of fp32, else the type "
        "of the model's weights.",
    ),
]
CodecOption = Annotated[
    str | None,
    typer.Option(
        "--codec", metavar="|".join(CODECS), show_default="h264; av1 for .webm",
        help="How the result is encoded; ffv1 is lossless.",
    ),
]  # fmt: skip
QualityOption = Annotated[
    int | None,
    typer.Option(
        "--quality", metavar="N", show_default=_QUALITIES,
        help="The encoder's constant quality (CRF); lower is better and larger.",
    ),
]  # fmt: skip
PresetOption = Annotated[
    str | None,
    typer.Option(
        "--preset", metavar="NAME", show_default=_PRESETS,
        help="The encoder's effort; slower ones make smaller files.",
    ),
]  # fmt: skip
PixelFormatOption = Annotated[
    str,
    typer.Option(
        "--pixel-format", metavar="auto|keep|NAME",
        help="auto writes what plays everywhere to .mp4 and .webm, 4:2:0 of 8 bits (10 for HDR), "
        "and keeps chroma and depth elsewhere; keep always does; or a name, such as yuv444p10.",
    ),
]  # fmt: skip
BitDepthOption = Annotated[
    int | None,
    typer.Option(
        "--bit-depth", metavar="N", show_default="by --pixel-format",
        help="Bits of a sample in the result.",
    ),
]  # fmt: skip
DeinterlaceOption = Annotated[
    Deinterlace,
    typer.Option(
        "--deinterlace",
        help="auto makes a picture of each frame that the stream calls interlaced, frame of every "
        "frame, field two of every frame; off leaves the fields woven.",
    ),
]
AudioOption = Annotated[
    AudioChoice,
    typer.Option(
        "--audio",
        help="What becomes of sound: auto copies it, and converts what the container cannot hold; "
        "copy copies it or leaves it out; flac and aac convert all of it.",
    ),
]
DropOption = Annotated[
    list[str],
    typer.Option(
        "--drop", metavar="KIND[:N]",
        help="What to leave out: audio, subtitles, data, attachments, or one of a kind, counted "
        "from 0, as in audio:1. Can be given several times.",
    ),
]  # fmt: skip


def video(
    source: SourceArgument,
    target: TargetOption,
    model: ModelOption = None,
    content: ContentOption = None,
    scale: ScaleOption = None,
    codec: CodecOption = None,
    quality: QualityOption = None,
    preset: PresetOption = None,
    tile: TileOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    backend: BackendOption = "auto",
    precision: PrecisionOption = "auto",
    pixel_format: PixelFormatOption = "auto",
    bit_depth: BitDepthOption = None,
    deinterlace: DeinterlaceOption = "auto",
    audio: AudioOption = "auto",
    drop: DropOption = [],  # noqa: B006  # typer reads it and does not change it
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Restore a video; sound, subtitles, chapters, timing and colour tags are kept."""
    try:
        from restore_rt.video import TruncatedVideoError, restore_video
    except ImportError as error:
        if error.name != "av":
            raise
        raise MediaError(str(error)) from error
    with (
        load_model(
            model,
            content,
            scale,
            usual="video",
            device=device,
            backend=backend,
            precision=precision,
            tile=tile,
            threads=threads,
            allow_bf16=True,
        ) as restorer,
        contextlib.ExitStack() as stack,
    ):
        advance: Callable[[int], None] = lambda count: None  # noqa: E731

        def start(total: int | None) -> None:
            nonlocal advance
            advance = stack.enter_context(progress(source.name, total, "frames"))

        try:
            report = restore_video(
                source,
                target,
                restorer,
                codec=codec,
                quality=quality,
                preset=preset,
                threads=threads,
                pixel_format=pixel_format,
                bit_depth=bit_depth,
                deinterlace=deinterlace,
                audio=audio,
                drop=drop,
                overwrite=overwrite,
                on_start=start,
                on_frame=lambda: advance(1),
                on_note=note,
            )
        except TruncatedVideoError as error:
            stack.close()
            _show(
                error.report,
                source,
                target,
                ran_by(restorer),
                as_json=as_json,
            )
            raise
        ran = ran_by(restorer)
    _show(report, source, target, ran, as_json=as_json)


def _show(
    report: VideoReport, source: Path, target: Path, ran: dict[str, str], *, as_json: bool
) -> None:
    data = {"source": source, "target": target, **ran, **report.as_dict()}
    emit(data, _table(report, target, ran["model"]), as_json=as_json)


def _table(report: VideoReport, target: Path, description: str) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table("stage", box=None, pad_edge=False)
    table.add_column("ms per frame", justify="right")
    table.add_column("share of wall time", justify="right")
    for row in report.table:
        table.add_row(row.stage, f"{row.milliseconds:.2f}", f"{row.share:.0%}")
    return Group(
        Text(
            f"{target}: {report.frames} frames, {report.width}x{report.height}, {report.codec}, "
            f"{report.seconds:.1f} s, {report.fps:.1f} frames/s"
        ),
        Text(description),
        table,
        Text(f"bottleneck: {report.bottleneck}"),
    )
