"""``restore-rt live``: live video through the best model that keeps pace."""

from __future__ import annotations

import re
import signal
from contextlib import ExitStack
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from restore_rt.cli.console import emit, note
from restore_rt.cli.options import (
    BackendOption,
    DeviceOption,
    JsonOption,
    OverwriteOption,
    PrecisionOption,
    ThreadsOption,
    load_model,
)
from restore_rt.cli.pipes import check_output
from restore_rt.errors import InputError, MediaError, TruncatedInputError
from restore_rt.threads import available_threads
from restore_rt.video.choices import STANDARD

if TYPE_CHECKING:
    from rich.console import RenderableType

    from restore_rt.live import LiveRun
    from restore_rt.live.report import LiveReport

__all__ = ["live"]

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A file, an address such as rtsp://camera/stream, a camera (/dev/video0), a screen "
        "(x11grab::0.0), or - for standard input.",
    ),
]
SinkOption = Annotated[
    str,
    typer.Option(
        "-o", "--output", metavar="SINK",
        help="A file, tcp://, udp:// or rtmp://, - for standard output, window, or null to "
        "measure.",
    ),
]  # fmt: skip
FormatOption = Annotated[
    Literal["mkv", "mp4", "nut", "yuv4mpeg", "raw", "mpegts", "flv"] | None,
    typer.Option(
        "--format", show_default="mkv to -, mpegts to tcp:// and udp://, flv to rtmp://",
        help="What is streamed; mp4 is fragmented, nut, yuv4mpeg and raw are not compressed.",
    ),
]  # fmt: skip
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", show_default="the best that keeps pace",
        help="Use this model alone: a shipped one's name, or any .onnx file.",
    ),
]  # fmt: skip
LatencyOption = Annotated[
    str,
    typer.Option(
        "--latency", metavar="N[ms|s]",
        help="The time from a frame's arrival to its delivery that is allowed, up to 10s; a number "
        "alone is in milliseconds.",
    ),
]  # fmt: skip
LateOption = Annotated[
    Literal["drop", "show"],
    typer.Option(
        "--late", help="Leave out frames that would be late, or restore them all the same."
    ),
]
PaceOption = Annotated[
    bool, typer.Option("--pace", help="Give out a file's frames at their times, as a camera would.")
]


def live(
    source: SourceArgument,
    sink: SinkOption,
    format_name: FormatOption = None,
    model: ModelOption = None,
    latency: LatencyOption = "100ms",
    late: LateOption = "drop",
    pace: PaceOption = False,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    backend: BackendOption = "auto",
    precision: PrecisionOption = "auto",
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> int:
    """Restore live video with the best model that keeps pace.

    Ctrl-C or SIGTERM ends it; what was written until then stays.
    """
    budget = parse_latency(latency)
    if sink == STANDARD:
        check_output(json=as_json)
    try:
        import restore_rt.video.codecs  # noqa: F401  # says what to install where PyAV is missing
    except ImportError as error:
        if error.name != "av":
            raise
        raise MediaError(str(error)) from error
    from restore_rt.live import ladder_names, restore_live

    names = ladder_names() if model is None else [model]
    with ExitStack() as opened:
        ladder = {
            name: opened.enter_context(
                load_model(
                    name, None, None, usual="video", device=device, backend=backend,
                    precision=precision, threads=threads, allow_bf16=True,
                )
            )
            for name in names
        }  # fmt: skip
        report = restore_live(
            source,
            sink,
            ladder,
            latency=budget,
            late=late,
            pace=pace,
            format_name=format_name,
            threads=threads or available_threads(),
            overwrite=overwrite,
            on_start=_end_when_told,
            on_note=note,
        )
    if sink == STANDARD:
        note(_summary(report, sink))  # standard output holds the video
    else:
        emit({"source": source, "sink": sink, **report.as_dict()}, _table(report, sink),
             as_json=as_json)  # fmt: skip
    if report.damage:
        raise TruncatedInputError(report.damage)
    return 0


def _end_when_told(run: LiveRun) -> None:
    """Let SIGTERM and SIGHUP end a run as Ctrl-C does: a recording is finished.

    The second one ends the command at once.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(number, before[signal.Signals(number)])
        run.stop()

    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)


def parse_latency(text: str) -> float:
    """Return the seconds that ``--latency`` says.

    Raises
    ------
    InputError
        It is no number of milliseconds or seconds.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)?", text.strip())
    if found is None:
        raise InputError(f"--latency is {text!r}; give a time like 100ms or 0.5s")
    return float(found[1]) * (1 if found[2] == "s" else 0.001)


def _summary(report: LiveReport, sink: str) -> str:
    rungs = ", ".join(f"{count} by {name}" for name, count in report.rungs.items() if count)
    age = report.table.age
    ages = "" if age is None else (
        f"; ages: half below {age.median * 1000:.0f} ms, 95 % below {age.p95 * 1000:.0f} ms"
    )  # fmt: skip
    return (
        f"{sink}: {report.delivered} of {report.frames} frames delivered ({rungs or 'none'}), "
        f"{report.dropped} dropped, {report.late} late{ages}"
    )


def _table(report: LiveReport, sink: str) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table("stage", box=None, pad_edge=False)
    table.add_column("ms per frame", justify="right")
    table.add_column("share of wall time", justify="right")
    for row in report.table.rows:
        table.add_row(row.stage, f"{row.milliseconds:.2f}", f"{row.share:.0%}")
    return Group(Text(_summary(report, sink)), table)
