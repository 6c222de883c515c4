"""``restore-rt bench``: how long a frame takes here, and whether that changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from restore_rt.cli.console import emit, note, progress
from restore_rt.cli.options import JsonOption, OverwriteOption
from restore_rt.errors import BackendError, InputError
from restore_rt.files import check_target, whole_file
from restore_rt.wording import count_of

if TYPE_CHECKING:
    from restore_rt.bench.report import Report

__all__ = ["bench"]

# Of `bench compare`; 1 to 3 have their meaning for all verbs.
_EXIT_CODES = {"no difference": 0, "faster": 0, "slower": 4, "undecided": 5}
_MOST_SECONDS = 86_400.0

bench = typer.Typer(
    name="bench",
    help="Measure how long a frame takes here, and compare with what it took before.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)

_SWEEP = "What to measure (each may be given several times, or as a list with commas)"


def _many(option: str, help_text: str, metavar: str) -> Any:
    return typer.Option(option, help=help_text, metavar=metavar, rich_help_panel=_SWEEP)


@bench.callback()
def measure(
    context: typer.Context,
    model: Annotated[
        list[str] | None, _many("--model", "A shipped model's name or an .onnx file.", "NAME")
    ] = None,
    size: Annotated[
        list[str] | None, _many("--size", "Height and width of the frames.", "HxW")
    ] = None,
    clip: Annotated[
        list[str] | None,
        _many("--clip", "A video: decoded, restored and encoded; instead of --size.", "FILE"),
    ] = None,
    provider: Annotated[
        list[str] | None,
        _many("--provider", "Where the network runs.", "auto|cpu|cuda|tensorrt"),
    ] = None,
    backend: Annotated[
        list[str] | None,
        _many("--backend", "What runs it on a CPU.", "auto|native|onnxruntime"),
    ] = None,
    precision: Annotated[
        list[str] | None,
        _many("--precision", "What it computes in.", "auto|fp32|fp16|bf16"),
    ] = None,
    threads: Annotated[list[str] | None, _many("--threads", "CPU threads.", "N")] = None,
    streams: Annotated[list[str] | None, _many("--streams", "Callers at once.", "N")] = None,
    batch: Annotated[
        list[str] | None, _many("--batch", "Tiles in one run of the network.", "N")
    ] = None,
    tile: Annotated[list[str] | None, _many("--tile", "Largest tile.", "N|HxW")] = None,
    scope: Annotated[
        list[str] | None,
        _many("--scope", "What of a frame's way is timed.", "end_to_end|device|network"),
    ] = None,
    graphs: Annotated[
        list[str] | None, _many("--graphs", "Use CUDA graphs on a GPU, or not.", "on|off")
    ] = None,
    sweep: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file with the same names, each a value or a list, at the top or in "
            "[[sweep]] tables; instead of the options above.",
            metavar="FILE",
            rich_help_panel=_SWEEP,
        ),
    ] = None,
    quality: Annotated[
        Path | None,
        typer.Option(
            help="What `restore-rt eval --json` wrote of the same models: their PSNR stands "
            "beside the times, and the page draws it against them.",
            metavar="EVAL.json",
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes for each case, at least, in which the machine was not busy.",
            metavar="N",
            show_default="5",
        ),
    ] = None,
    most_rounds: Annotated[
        int | None,
        typer.Option(
            min=1, help="See --within.", metavar="N", show_default="four times as many as --rounds"
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=_MOST_SECONDS,
            help="For which each times frames.",
            metavar="S",
            show_default="1.5",
        ),
    ] = None,
    within: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Rounds go on until the median is known within this share of it, with a "
            "confidence of 95 %.",
            metavar="SHARE",
        ),
    ] = 0.02,
    sustain: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=_MOST_SECONDS,
            help="Seconds without a break, at the end; the verdict on real time needs 60.",
            metavar="S",
            show_default="60",
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Three rounds of a second, no verdict on real time, unless told otherwise.",
        ),
    ] = False,
    target: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT.json", help="Keep the report, to compare."),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--html", metavar="OUT.html", help="Write a page with plots."),
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, to paste into an issue.")
    ] = False,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> int:
    """Measure how long a frame takes here, and compare with what it took before.

    Every case is verified first, then timed in several processes of its own, which take turns with
    those of the other cases.
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return 0
    from restore_rt.bench.quality import read_quality
    from restore_rt.bench.running import Effort, run
    from restore_rt.bench.sweep import cases_of, read_sweep

    if markdown and as_json:
        raise InputError("--markdown and --json were given; give one of them")
    named: dict[str, Any] = {
        # A file's name may hold commas, as may a clip's.
        "model": _names(model),
        "size": _texts(size),
        "clip": clip,
        "provider": _texts(provider),
        "backend": _texts(backend),
        "precision": _texts(precision),
        "threads": _numbers("--threads", threads),
        "streams": _numbers("--streams", streams),
        "batch": _numbers("--batch", batch),
        "tile": _texts(tile),
        "scope": _texts(scope),
        "graphs": _switches("--graphs", graphs),
    }
    named = {key: value for key, value in named.items() if value is not None}
    if sweep is not None and named:
        raise InputError(f"--sweep and --{next(iter(named))} were given; give one of them")
    targets = [path for path in (target, page) if path is not None]
    for path in targets:
        check_target(path, overwrite=overwrite)
    if len({os.path.realpath(path) for path in targets}) < len(targets):
        raise InputError(f"-o and --html are both {target}; give each a file of its own")
    cases = cases_of(named) if sweep is None else read_sweep(sweep)
    # Before anything is measured, as it may be of other models.
    judged = {} if quality is None else read_quality(quality, [case.model for case in cases])
    if rounds is None:
        rounds = 3 if quick else 5
    if most_rounds is None:
        most_rounds = rounds if quick else 4 * rounds
    if most_rounds < rounds:
        raise InputError(f"--most-rounds is {most_rounds}, and --rounds {rounds}: give more")
    if seconds is None:
        seconds = 1.0 if quick else 1.5
    if sustain is None:
        sustain = 0.0 if quick else 60.0
    effort = Effort(
        rounds=rounds, most_rounds=most_rounds, seconds=seconds, within=within, sustain=sustain
    )
    # How many processes it takes, the times themselves decide.
    with progress(count_of(len(cases), "case"), None, "processes") as advance:
        report = run(cases, effort, done=advance).judged(judged)
    if not report.measurements:
        reasons = (f"{case}: {reason}" for case, reason in report.failures)
        raise BackendError(f"nothing was measured; {'; '.join(reasons)}")
    # First, as a file may still fail.
    _show(report, markdown=markdown, as_json=as_json)
    if target is not None:
        report.write(target, overwrite=overwrite)
    if page is not None:
        _write_page(report, page, overwrite=overwrite)
    for case, reason in report.failures:
        note(f"not measured: {case}: {reason}")
    return 1 if report.failures else 0


@bench.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE.json", help="A report of bench -o.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER.json", help="A later one.")],
    across_machines: Annotated[
        bool, typer.Option("--across-machines", help="Compare although the machines differ.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Compare two reports: ratios of median times with their intervals, and a verdict.

    Exit codes: 0 nothing became slower; 1 failed; 2 wrong use; 4 something became slower; 5 it
    cannot be told: measure with more --rounds, or on a quieter machine.
    """
    from restore_rt.bench.comparing import compare as compare_reports
    from restore_rt.bench.reading import read_report
    from restore_rt.bench.tables import comparison_table

    found = compare_reports(
        read_report(before), read_report(after), across_machines=across_machines
    )
    emit(found.as_dict(), comparison_table(found), as_json=as_json)
    return _EXIT_CODES[found.verdict]


def _refuse_options(context: typer.Context) -> None:
    """Refuse options of measuring before a verb that measures nothing."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise InputError(
                f"--{name.replace('_', '-')} was given to `restore-rt bench`, and "
                f"`bench {context.invoked_subcommand}` measures nothing: leave it out"
            )


def _names(given: list[str] | None) -> list[str] | None:
    """Return names that are parted by commas, but files as they are."""
    if given is None:
        return None
    return [
        name
        for text in given
        for name in ([text] if Path(text).is_file() else _texts([text]) or [])
    ]


def _texts(given: list[str] | None) -> list[str] | None:
    if given is None:
        return None
    return [part.strip() for text in given for part in text.split(",")]


def _numbers(option: str, given: list[str] | None) -> list[int] | None:
    texts = _texts(given)
    if texts is None:
        return None
    for text in texts:
        if not text.isdecimal():
            raise InputError(f"{option} is {text!r}; give a whole number, or several with commas")
    return [int(text) for text in texts]


def _switches(option: str, given: list[str] | None) -> list[bool] | None:
    texts = _texts(given)
    if texts is None:
        return None
    for text in texts:
        if text not in ("on", "off"):
            raise InputError(f"{option} is {text!r}; allowed are on and off")
    return [text == "on" for text in texts]


def _write_page(report: Report, path: Path, *, overwrite: bool) -> None:
    from restore_rt.bench.page import report_page

    with whole_file(path, overwrite=overwrite) as temporary:
        temporary.write_text(report_page(report), encoding="utf-8")


def _show(report: Report, *, markdown: bool, as_json: bool) -> None:
    from restore_rt.bench.tables import report_markdown, report_table

    text = report_markdown(report) if markdown else report_table(report)
    emit(report.as_dict(), text, as_json=as_json)
