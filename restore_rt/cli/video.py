"""``restore-rt video``: video files through a model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from restore_rt.cli.console import emit, explain, fail, note, progress, show_traceback
from restore_rt.cli.options import (
    BackendOption,
    ContentOption,
    DeviceOption,
    JsonOption,
    ModelOption,
    OverwriteOption,
    RecursiveOption,
    ScaleOption,
    SkipExistingOption,
    ThreadsOption,
    TileOption,
    load_model,
    ran_by,
)
from restore_rt.cli.pipes import check_pipes
from restore_rt.errors import MediaError
from restore_rt.files import journal_folder
from restore_rt.options import Precision
from restore_rt.video.choices import CODECS, STANDARD, AudioChoice, Deinterlace
from restore_rt.wording import count_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from restore_rt import Restorer
    from restore_rt.video import VideoReport

__all__ = ["video"]

# The command says how much was computed if it is less than this.
_MOSTLY_COMPUTED = 0.95
_QUALITIES = ", ".join(
    f"{name} {codec.quality[-1]}" for name, codec in CODECS.items() if codec.quality
)
_PRESETS = ", ".join(f"{name} {codec.preset}" for name, codec in CODECS.items() if codec.preset)

InputsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="IN...",
        help="Videos, folders, patterns like 'clips/*.mp4', numbered pictures, frames/%05d.png, or "
        "- for standard input.",
    ),
]
OutputOption = Annotated[
    str,
    typer.Option(
        "-o", "--output", metavar="OUT",
        help="A file for one video, .mp4, .mov, .mkv, .webm, .gif, .apng or .webp, or numbered "
        "pictures, out/%05d.png, or - for standard output as Matroska, else a folder, made if "
        "missing.",
    ),
]  # fmt: skip
FormatOption = Annotated[
    Literal["mp4", "mov", "mkv", "webm", "gif", "apng", "webp"] | None,
    typer.Option(
        "--format", show_default="each video's own, or mkv",
        help="What to write into a folder.",
    ),
]  # fmt: skip
PrecisionOption = Annotated[
    Precision,
    typer.Option(
        "--precision",
        help="The type that the network computes in: fp16 needs a GPU, bf16 a CPU with "
        "AVX512_BF16; auto is bf16 where that is faster and within 55 dB of fp32, else the type "
        "of the model's weights.",
    ),
]
ChromaOption = Annotated[
    str,
    typer.Option(
        "--chroma",
        metavar="bicubic|network|FILE",
        help="How a luma model's chroma is enlarged: network also mends what compression did to "
        "it, in 4:2:0 video on a CPU.",
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
        help="The encoder's constant quality (CRF); lower is better and larger. Of .webp and "
        "numbered .jpg 1 to 100, the best.",
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
FpsOption = Annotated[
    str | None,
    typer.Option(
        "--fps", metavar="N", show_default="25",
        help="Numbered pictures per second: a number, or a fraction such as 30000/1001.",
    ),
]  # fmt: skip

ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Keep what is finished in a hidden folder beside the output until that is whole. "
        "However it was stopped, the same command goes on from there, and gives the same frames.",
    ),
]


def video(
    inputs: InputsArgument,
    output: OutputOption,
    model: ModelOption = None,
    content: ContentOption = None,
    scale: ScaleOption = None,
    format_name: FormatOption = None,
    recursive: RecursiveOption = False,
    codec: CodecOption = None,
    quality: QualityOption = None,
    preset: PresetOption = None,
    tile: TileOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    backend: BackendOption = "auto",
    precision: PrecisionOption = "auto",
    chroma: ChromaOption = "bicubic",
    pixel_format: PixelFormatOption = "auto",
    bit_depth: BitDepthOption = None,
    deinterlace: DeinterlaceOption = "auto",
    audio: AudioOption = "auto",
    drop: DropOption = [],  # noqa: B006  # typer reads it and does not change it
    fps: FpsOption = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
    skip_existing: SkipExistingOption = False,
    resume: ResumeOption = False,
) -> int:
    """Restore videos; sound, subtitles, chapters, timing and colour tags are kept.

    The exit code is 1 if nothing could be done, and 3 if a part of it was: a video of several
    failed, or a file ended early.
    """
    try:
        import restore_rt.video.codecs  # noqa: F401  # says what to install where PyAV is missing
    except ImportError as error:
        if error.name != "av":
            raise
        raise MediaError(str(error)) from error
    from restore_rt.cli.paths import VIDEOS, Plan, plan

    pairs: list[tuple[str | Path, str | Path]]
    if STANDARD in (*inputs, output):
        check_pipes(inputs, output, format_name=format_name, skips=skip_existing, json=as_json)
        planned, pairs = Plan([]), [(inputs[0], output)]
    else:
        planned = plan(
            inputs,
            output,
            media=VIDEOS,
            format_name=format_name,
            recursive=recursive,
            overwrite=overwrite,
            skip_existing=skip_existing,
        )
        pairs = [(job.source, job.target) for job in planned.jobs]
    left = planned.tell()
    for job in planned.existing:
        if (folder := journal_folder(job.target)).is_dir():
            note(f"{job.target} exists, and {folder} is left of an interrupted run: remove one")
    if not pairs:
        text = f"nothing to do: {count_of(len(planned.existing), 'video')} restored before"
        emit({"failed": 0, "videos": [], **left}, text, as_json=as_json)
        return 0
    choices = {
        "codec": codec,
        "quality": quality,
        "preset": preset,
        "threads": threads,
        "pixel_format": pixel_format,
        "bit_depth": bit_depth,
        "deinterlace": deinterlace,
        "audio": audio,
        "drop": drop,
        "fps": fps,
        "overwrite": overwrite,
        "resume": resume,
    }
    with load_model(
        model,
        content,
        scale,
        usual="video",
        device=device,
        backend=backend,
        precision=precision,
        tile=tile,
        threads=threads,
        chroma=chroma,
        allow_bf16=True,
    ) as restorer:
        alone = len(pairs) == 1
        outcomes = [_restored(*pair, restorer, choices, alone=alone) for pair in pairs]
        ran = ran_by(restorer)
    if alone and not planned.existing and not planned.passed_over:
        (outcome,) = outcomes
        if outcome.report is not None and output == STANDARD:
            note(_summary(outcome.report, "standard output"))  # which holds the video
        elif outcome.report is not None:
            data = {"source": outcome.source, "target": outcome.target, **ran}
            table = _table(outcome.report, outcome.target, ran["model"])
            emit({**data, **outcome.report.as_dict()}, table, as_json=as_json)
        if outcome.error is not None:
            raise outcome.error
        return 0
    failed = sum(outcome.report is None for outcome in outcomes)
    done = f"{len(outcomes) - failed} of {count_of(len(outcomes), 'video')} restored"
    if planned.existing:
        done += f", {len(planned.existing)} restored before"
    videos = [outcome.as_dict() for outcome in outcomes]
    emit(
        {**ran, "failed": failed, "videos": videos, **left},
        f"{done} ({ran['model']})",
        as_json=as_json,
    )
    if failed == len(outcomes):
        return 1
    return 3 if any(outcome.error is not None for outcome in outcomes) else 0


@dataclass(frozen=True)
class _Outcome:
    """What became of one video: a report if anything was written, an error if not all was."""

    source: str | Path
    target: str | Path
    report: VideoReport | None = None
    error: Exception | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "source": str(self.source),
            "target": str(self.target),
            "error": "" if self.error is None else explain(self.error),
            **({} if self.report is None else self.report.as_dict()),
        }


def _restored(
    source: str | Path,
    target: str | Path,
    restorer: Restorer,
    choices: dict[str, Any],
    *,
    alone: bool,
) -> _Outcome:
    """Restore a video; an error concerns it only, and is told unless it is that of the run."""
    from restore_rt.folders import make_folder
    from restore_rt.video import TruncatedVideoError, restore_video

    advance: Callable[[int], None] = lambda count: None  # noqa: E731
    label = "standard input" if source == STANDARD else Path(source).name
    with contextlib.ExitStack() as stack:

        def start(total: int | None) -> None:
            nonlocal advance
            advance = stack.enter_context(progress(label, total, "frames"))

        try:
            make_folder(Path(target).parent)
            report = restore_video(
                source,
                target,
                restorer,
                **choices,
                on_start=start,
                on_frame=lambda: advance(1),
                on_note=lambda text: note(text if alone else f"{source}: {text}"),
            )
            return _Outcome(source, target, report)
        except TruncatedVideoError as error:
            outcome = _Outcome(source, target, error.report, error)
        except Exception as error:
            outcome = _Outcome(source, target, None, error)
    if not alone and outcome.error is not None:
        show_traceback(outcome.error)
        message = explain(outcome.error)
        fail(message if str(source) in message else f"{source}: {message}")
    return outcome


def _summary(report: VideoReport, target: str | Path) -> str:
    before = f" ({report.taken_over} of them restored before)" if report.taken_over else ""
    return (
        f"{target}: {report.frames} frames{before}, {report.width}x{report.height}, "
        f"{report.codec}, {report.seconds:.1f} s, {report.fps:.1f} frames/s"
    )


def _table(report: VideoReport, target: str | Path, description: str) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table("stage", box=None, pad_edge=False)
    table.add_column("ms per frame", justify="right")
    table.add_column("share of wall time", justify="right")
    for row in report.table:
        table.add_row(row.stage, f"{row.milliseconds:.2f}", f"{row.share:.0%}")
    unchanged = (
        f"computed: {report.computed:.0%} of the picture; the rest is as in the frame before"
    )
    return Group(
        Text(_summary(report, target)),
        Text(description),
        table,
        Text(f"bottleneck: {report.bottleneck}{_waits(report)}"),
        *([Text(unchanged)] if report.computed < _MOSTLY_COMPUTED else []),
    )


def _waits(report: VideoReport) -> str:
    waits = ", ".join(f"{name} {share:.0%}" for name, share in report.stage_table.waits.items())
    return f"; waiting: {waits}" if waits else ""
