"""``restore-rt bench``: measure how long a frame takes, and compare two reports."""

from __future__ import annotations

import dataclasses
import os
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

_SWEEP = "What to measure (repeat an option or separate values with commas)"


def _many(option: str, help_text: str, metavar: str) -> Any:
    return typer.Option(option, help=help_text, metavar=metavar, rich_help_panel=_SWEEP)


def _number(help_text: str, shown: str, **limits: Any) -> Any:
    return typer.Option(help=help_text, metavar="N", show_default=shown, **limits)


def _file(*names: str, help_text: str) -> Any:
    return typer.Option(*names, help=help_text, metavar="FILE")


@bench.callback()
def measure(
    context: typer.Context,
    model: Annotated[
        list[str] | None, _many("--model", "Name of a shipped model, or an .onnx file.", "NAME")
    ] = None,
    size: Annotated[
        list[str] | None, _many("--size", "Height and width of the frames.", "HxW")
    ] = None,
    clip: Annotated[
        list[str] | None,
        _many("--clip", "Video to decode, restore and encode; instead of --size.", "FILE"),
    ] = None,
    device: Annotated[
        list[str] | None, _many("--device", "Where the network runs.", "auto|cpu|cuda|cuda:N")
    ] = None,
    backend: Annotated[
        list[str] | None,
        _many("--backend", "What runs it.", "auto|native|onnxruntime|tensorrt"),
    ] = None,
    precision: Annotated[
        list[str] | None, _many("--precision", "Precision of the network.", "auto|fp32|fp16|bf16")
    ] = None,
    threads: Annotated[list[str] | None, _many("--threads", "CPU threads.", "N")] = None,
    streams: Annotated[list[str] | None, _many("--streams", "Concurrent callers.", "N")] = None,
    batch: Annotated[
        list[str] | None, _many("--batch", "Tiles in one run of the network.", "N")
    ] = None,
    tile: Annotated[list[str] | None, _many("--tile", "Largest tile.", "N|HxW")] = None,
    scope: Annotated[
        list[str] | None,
        _many("--scope", "Part of the work that is timed.", "end_to_end|device|network"),
    ] = None,
    sweep: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with the options above as keys, each a value or a list, at the top "
            "level or in [[sweep]] tables.",
            metavar="FILE",
            rich_help_panel=_SWEEP,
        ),
    ] = None,
    rounds: Annotated[
        int | None, _number("Least number of rounds with a quiet machine.", "5", min=1)
    ] = None,
    most_rounds: Annotated[
        int | None, _number("Largest number of rounds.", "4 x --rounds", min=1)
    ] = None,
    seconds: Annotated[
        float | None,
        _number("Seconds that a round times frames.", "1.5", min=0.01, max=_MOST_SECONDS),
    ] = None,
    within: Annotated[
        float,
        _number("Rounds go on until the median is known to this share of it.", "0.02", min=0.0),
    ] = 0.02,
    sustain: Annotated[
        float | None,
        _number(
            "Seconds without a pause at the end; the real-time verdict needs 60.",
            "60",
            min=0.0,
            max=_MOST_SECONDS,
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Short for --rounds 3 --most-rounds 3 --seconds 1 --sustain 0."
        ),
    ] = False,
    target: Annotated[
        Path | None, _file("--output", "-o", help_text="Write the report as JSON, to compare.")
    ] = None,
    markdown: Annotated[
        Path | None, _file("--markdown", help_text="Write the tables as Markdown.")
    ] = None,
    plot: Annotated[
        Path | None,
        _file(
            "--plot", help_text="Draw the times to a .png, .svg or .pdf file (needs matplotlib)."
        ),
    ] = None,
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
    from restore_rt.bench.plotting import figure_class, plot_report
    from restore_rt.bench.running import Effort, run
    from restore_rt.bench.sweep import cases_of, read_sweep
    from restore_rt.bench.tables import markdown as markdown_of
    from restore_rt.bench.tables import report_page, terminal

    named = {
        "model": _split(model),
        "size": _split(size),
        "clip": clip,
        "device": _split(device),
        "backend": _split(backend),
        "precision": _split(precision),
        "threads": _split(threads),
        "streams": _split(streams),
        "batch": _split(batch),
        "tile": _split(tile),
        "scope": _split(scope),
    }
    named = {key: value for key, value in named.items() if value is not None}
    if sweep is not None and named:
        raise InputError(f"--sweep and --{next(iter(named))} were given; give one of them")
    _check_targets({"-o": target, "--markdown": markdown, "--plot": plot}, overwrite=overwrite)
    if plot is not None:
        figure_class(plot)
    cases = cases_of(named) if sweep is None else read_sweep(sweep)
    effort = Effort(rounds=3, most_rounds=3, seconds=1.0, sustain=0.0) if quick else Effort()
    if rounds is not None and most_rounds is None:
        most_rounds = rounds if quick else 4 * rounds
    given = {"rounds": rounds, "most_rounds": most_rounds, "seconds": seconds, "sustain": sustain}
    chosen = {name: value for name, value in given.items() if value is not None}
    effort = dataclasses.replace(effort, within=within, **chosen)
    if effort.most_rounds < effort.rounds:
        raise InputError(
            f"--most-rounds is {effort.most_rounds}, but --rounds is {effort.rounds}; give more"
        )
    with progress(count_of(len(cases), "case"), None, "processes") as advance:
        report = run(cases, effort, done=advance)
    if not report.measurements:
        reasons = (f"{case}: {reason}" for case, reason in report.failures)
        raise BackendError(f"nothing was measured; {'; '.join(reasons)}")
    page = report_page(report)
    # Shown first, because writing a file may fail.
    emit(report.as_dict(), terminal(page), as_json=as_json)
    if target is not None:
        report.write(target, overwrite=overwrite)
    if markdown is not None:
        with whole_file(markdown, overwrite=overwrite) as temporary:
            temporary.write_text(markdown_of(page), encoding="utf-8")
    if plot is not None:
        with whole_file(plot, overwrite=overwrite) as temporary:
            plot_report(report, temporary)
    for case, reason in report.failures:
        note(f"not measured: {case}: {reason}")
    return 1 if report.failures else 0


@bench.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE.json", help="Report of bench -o.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER.json", help="A later report.")],
    across_machines: Annotated[
        bool, typer.Option("--across-machines", help="Compare even if the machines differ.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Compare two reports: ratios of median times, their confidence intervals, and a verdict.

    Exit codes: 0 nothing became slower; 1 failed; 2 wrong use; 4 a case became slower; 5 undecided:
    measure with more --rounds, or on a quieter machine.
    """
    from restore_rt.bench.comparing import compare as compare_reports
    from restore_rt.bench.reading import read_report
    from restore_rt.bench.tables import comparison_page, terminal

    found = compare_reports(
        read_report(before), read_report(after), across_machines=across_machines
    )
    emit(found.as_dict(), terminal(comparison_page(found)), as_json=as_json)
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


def _split(given: list[str] | None) -> list[str] | None:
    """Return values that commas separate; a name with commas that is a file stays whole."""
    if given is None:
        return None
    parts = ([text] if Path(text).is_file() else text.split(",") for text in given)
    return [part.strip() for each in parts for part in each]


def _check_targets(targets: dict[str, Path | None], *, overwrite: bool) -> None:
    seen: dict[str, str] = {}
    for option, path in targets.items():
        if path is None:
            continue
        check_target(path, overwrite=overwrite)
        other = seen.setdefault(os.path.realpath(path), option)
        if other != option:
            raise InputError(f"{other} and {option} are both {path}; give each its own file")
