"""``restore-rt bench``: measure how long a frame takes, and compare two reports."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from restore_rt.cli.console import emit, note, progress
from restore_rt.cli.options import JsonOption, OverwriteOption
from restore_rt.errors import BackendError, InputError
from restore_rt.files import check_target, whole_file
from restore_rt.wording import count_of

__all__ = ["bench"]

# Of `bench compare`; 1 to 3 mean the same for every command.
_EXIT_CODES = {"no difference": 0, "faster": 0, "slower": 4, "undecided": 5}
_MOST_SECONDS = 86_400.0

bench = typer.Typer(
    name="bench",
    help="Measure how long a frame takes, and compare two reports.",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)

_Texts = list[str] | None
_Path = Path | None


def _many(help_text: str, metavar: str) -> Any:
    panel = "What to measure (repeat an option or separate values with commas)"
    return typer.Option(help=help_text, metavar=metavar, rich_help_panel=panel)


def _number(help_text: str, shown: str, least: float) -> Any:
    return typer.Option(
        help=help_text, metavar="N", show_default=shown, min=least, max=_MOST_SECONDS
    )


def _file(help_text: str, *names: str) -> Any:
    return typer.Option(*names, help=help_text, metavar="FILE")


@bench.callback()
def measure(
    context: typer.Context,
    model: Annotated[_Texts, _many("Name of a shipped model, or an .onnx file.", "NAME")] = None,
    size: Annotated[_Texts, _many("Width and height of the frames.", "WxH")] = None,
    clip: Annotated[_Texts, _many("Video to decode, restore and encode.", "FILE")] = None,
    device: Annotated[_Texts, _many("Where it runs.", "auto|cpu|cuda|cuda:N")] = None,
    backend: Annotated[_Texts, _many("What runs it.", "auto|native|onnxruntime|tensorrt")] = None,
    precision: Annotated[_Texts, _many("Precision.", "auto|fp32|fp16|bf16")] = None,
    threads: Annotated[_Texts, _many("CPU threads.", "N")] = None,
    streams: Annotated[_Texts, _many("Concurrent callers.", "N")] = None,
    batch: Annotated[_Texts, _many("Tiles in one run of the network.", "N")] = None,
    tile: Annotated[_Texts, _many("Largest tile, width first.", "N|WxH")] = None,
    scope: Annotated[_Texts, _many("What is timed.", "end_to_end|device|network")] = None,
    pixels: Annotated[_Texts, _many("Of the frames.", "auto|luma|rgb|bgr|planes")] = None,
    sweep: Annotated[_Path, _file("TOML file with the options above; see docs/bench.md.")] = None,
    rounds: Annotated[int | None, _number("Rounds of each case.", "5 to 20", 1)] = None,
    seconds: Annotated[float | None, _number("Seconds of frames in a round.", "1.5", 0.01)] = None,
    sustain: Annotated[
        float | None, _number("Seconds without a pause; a real-time verdict needs 60.", "60", 0)
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Three rounds of a second, no real-time verdict.")
    ] = False,
    target: Annotated[_Path, _file("Write the report as JSON.", "--output", "-o")] = None,
    markdown: Annotated[_Path, _file("Write the tables as Markdown.")] = None,
    plot: Annotated[_Path, _file("Draw the times to a .png, .svg or .pdf (matplotlib).")] = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> int:
    """Measure how long a frame takes.

    Every result is verified before it is timed. Each case runs in several processes, which
    alternate with those of the other cases.
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return 0
    from rich.markdown import Markdown

    from restore_rt.bench.plotting import figure_class, plot_report
    from restore_rt.bench.running import Effort, run
    from restore_rt.bench.sweep import KEYS, cases_of, read_sweep
    from restore_rt.bench.tables import report_markdown

    named = {key: _split(context.params[key]) for key in KEYS if context.params[key]}
    if sweep is not None and named:
        raise InputError(f"--sweep and --{next(iter(named))} were given; give one of them")
    for path in (target, markdown, plot):
        if path is not None:
            check_target(path, overwrite=overwrite)
    if plot is not None:
        figure_class(plot)
    cases = cases_of(named) if sweep is None else read_sweep(sweep)
    effort = Effort(rounds=3, most_rounds=3, seconds=1.0, sustain=0.0) if quick else Effort()
    given = {"rounds": rounds, "most_rounds": rounds, "seconds": seconds, "sustain": sustain}
    chosen: Any = {name: value for name, value in given.items() if value is not None}
    effort = dataclasses.replace(effort, **chosen)
    with progress(count_of(len(cases), "case"), None, "processes") as advance:
        report = run(cases, effort, done=advance)
    if not report.measurements:
        reasons = (f"{each.case}: {each.reason}" for each in report.failures)
        raise BackendError(f"nothing was measured; {'; '.join(reasons)}")
    text = report_markdown(report)
    # Shown first, because writing a file may fail.
    emit(report.as_dict(), Markdown(text), as_json=as_json)
    if target is not None:
        report.write(target, overwrite=overwrite)
    if markdown is not None:
        with whole_file(markdown, overwrite=overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")
    if plot is not None:
        with whole_file(plot, overwrite=overwrite) as temporary:
            plot_report(report, temporary)
    for each in report.failures:
        note(f"not measured: {each.case}: {each.reason}")
    return 1 if report.failures else 0


@bench.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE.json", help="Report of bench -o.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER.json", help="A later report.")],
    as_json: JsonOption = False,
) -> int:
    """Compare two reports: ratios of median times, their confidence intervals, and a verdict.

    Exit codes: 0 nothing became slower; 1 failed; 2 wrong use; 4 a case became slower; 5 undecided:
    measure with more --rounds, or on a quieter machine.
    """
    from rich.markdown import Markdown

    from restore_rt.bench import comparing, read_report
    from restore_rt.bench.tables import comparison_markdown

    found = comparing.compare(read_report(before), read_report(after))
    emit(found.as_dict(), Markdown(comparison_markdown(found)), as_json=as_json)
    return _EXIT_CODES[found.verdict]


def _refuse_options(context: typer.Context) -> None:
    """Refuse options of measuring in front of a subcommand, which would ignore them."""
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise InputError(
                f"--{name.replace('_', '-')} was given to `restore-rt bench`, but "
                f"`bench {context.invoked_subcommand}` measures nothing; leave it out"
            )


def _split(given: list[str]) -> list[str]:
    """Return values that commas separate; a name with commas that is a file stays whole."""
    parts = ([text] if Path(text).is_file() else text.split(",") for text in given)
    return [part.strip() for each in parts for part in each]
