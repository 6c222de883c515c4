"""What a report says, as rows and sentences of plain text that are drawn in several ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from restore_rt.bench.report import (
    JUDGED_SECONDS,
    QUIET_SPREAD,
    Case,
    Measurement,
    Report,
    Sustained,
)
from restore_rt.bench.texts import NOTHING, figure, plain, words
from restore_rt.wording import count_of

__all__ = [
    "Grid",
    "Note",
    "Summary",
    "options_of",
    "summarise",
]

# Far less than 1, or more, says that the host's clock and the GPU's did not time the same.
_PLAUSIBLE = (0.5, 1.05)


@dataclass(frozen=True)
class Grid:
    """A table.

    Attributes
    ----------
    title
        What stands above it; may be empty.
    names
        So many columns at the left tell the rows apart; all others hold figures.
    head, rows
        The cells.
    """

    title: str
    names: int
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def narrow(self, labels: Sequence[str]) -> Grid:
        """Return it with a label for each row in place of all that tells the rows apart."""
        rows = ((label, *row[self.names :]) for label, row in zip(labels, self.rows, strict=True))
        return Grid(self.title, 1, ("case", *self.head[self.names :]), tuple(rows))


@dataclass(frozen=True)
class Note:
    """Sentences on one subject.

    Attributes
    ----------
    title
        The subject.
    lines
        At least one.
    warning
        Whether the figures mean less, or are missing, because of it.
    """

    title: str
    lines: tuple[str, ...]
    warning: bool = False


@dataclass(frozen=True)
class Summary:
    """A report in words.

    Attributes
    ----------
    machine, created
        Its processor and GPUs, and when they were measured.
    labels
        A short name of each measurement.
    grids
        The times of each case; then those of the stages, if there are any.
    notes
        In the order in which they are read.
    """

    machine: str
    created: str
    labels: tuple[str, ...]
    grids: tuple[Grid, ...]
    notes: tuple[Note, ...]


def summarise(report: Report) -> Summary:
    """Return what a report says; no text of it can steer a terminal."""
    made = report.measurements
    names = _Names([each.case for each in made] + [case for case, _ in report.failures])
    grids = [_times(made, names)]
    if any(each.stages for each in made):
        grids.append(_stages(made, names))
    notes = (
        Note("In all cases", _some(names.shared)),
        Note("Ran", names.lines(made, _ran)),
        Note("Machine", _some(words(report.machine))),
        _noise(report.control),
        Note("Left out", names.lines(made, _left_out)),
        Note("Verified", names.lines(made, _verified)),
        Note("Not verified", names.lines(made, _unverified), warning=True),
        Note("Quality", names.lines(made, _judged)),
        Note("Warm-up", names.lines(made, _unstable), warning=True),
        Note("Clocks", names.lines(made, _implausible), warning=True),
        Note("Energy", names.lines(made, _energy)),
        Note("Real time", names.lines(made, lambda each: _real_time(each.sustained))),
        Note(
            "Failed",
            tuple(names.line(len(made) + at, why) for at, (_, why) in enumerate(report.failures)),
            warning=True,
        ),
    )
    return Summary(
        machine=_headline(report.machine),
        created=_moment(report.created),
        labels=tuple(names.labels[: len(made)]),
        grids=tuple(grids),
        notes=tuple(note for note in notes if note.lines),
    )


def options_of(case: Case) -> dict[str, str]:
    """Return what a case asks for, by option, for people."""
    return {
        "model": plain(case.model),
        "frame": f"{case.width}x{case.height}",
        "provider": plain(case.provider),
        "backend": plain(case.backend),
        "precision": _or_default(case.precision),
        "batch": str(case.batch),
        "streams": str(case.streams),
        "threads": _or_default(case.threads),
        "tile": "default" if case.tile is None else f"{case.tile[1]}x{case.tile[0]}",
        "scope": plain(case.scope).replace("_", " "),
        "CUDA graphs": {None: NOTHING, True: "yes", False: "no"}[case.graphs],
    }


def _or_default(value: object) -> str:
    return "default" if value is None else plain(value)


# Their values speak for themselves.
_SPEAKING = ("model", "frame", "provider", "scope")
_UNASKED = ("auto", "default", NOTHING)


class _Names:
    """Tells cases apart by what differs between them."""

    def __init__(self, cases: Sequence[Case]) -> None:
        options = [options_of(case) for case in cases]
        every = options_of(Case())
        differing = [name for name in every if len({each[name] for each in options}) > 1]
        self.head = differing or ["model", "frame"]
        self.cells = [tuple(each[name] for name in self.head) for each in options]
        self.shared = ""
        if len(cases) > 1:
            same = {name: options[0][name] for name in every if name not in self.head}
            self.shared = _list(same)
        self._single = len(cases) < 2
        texts = [_list({name: each[name] for name in self.head}) for each in options]
        self.labels = [
            text if texts.count(text) == 1 else f"{text} ({texts[: at + 1].count(text)})"
            for at, text in enumerate(texts)
        ]

    def line(self, at: int, text: str) -> str:
        """Return what is said of a case, with its name if there are others."""
        return plain(text) if self._single else f"{self.labels[at]}: {plain(text)}"

    def lines(
        self, measurements: Sequence[Measurement], say: Callable[[Measurement], str]
    ) -> tuple[str, ...]:
        """Return what is said of measurements, the report's first cases; once if it is the same.

        Nothing is said of those for which ``say`` returns nothing.
        """
        said = [say(each) for each in measurements]
        if len(said) > 1 and len(set(said)) == 1 and said[0]:
            return (f"all cases: {plain(said[0])}",)
        return tuple(self.line(at, text) for at, text in enumerate(said) if text)


def _list(options: Mapping[str, str]) -> str:
    """Return options in words, without those that were not asked for unless there are no others."""
    asked = {name: text for name, text in options.items() if text not in _UNASKED}
    return ", ".join(
        text if name in _SPEAKING and text not in _UNASKED else f"{name} {text}"
        for name, text in (asked or options).items()
    )


def _some(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _times(measurements: Sequence[Measurement], names: _Names) -> Grid:
    columns: dict[str, Callable[[Measurement], str]] = {
        "p50 ms": lambda each: figure(each.p50_ms.value),
        "95 % interval": _interval,
        "p95": lambda each: figure(each.percentile(95)),
        "p99": lambda each: figure(each.percentile(99)),
        "max": lambda each: figure(each.max_ms),
        "jitter": lambda each: figure(each.jitter_ms),
        "frames/s": lambda each: figure(each.frames_per_second),
        "peak MB": lambda each: _megabytes(each.host_peak_mb),
    }
    if any(each.device_peak_mb is not None for each in measurements):
        columns["GPU MB"] = lambda each: _megabytes(each.device_peak_mb)
    if any(each.quality is not None for each in measurements):
        columns["PSNR dB"] = _psnr
    rows = (
        (*names.cells[at], *(tell(each) for tell in columns.values()))
        for at, each in enumerate(measurements)
    )
    return Grid("", len(names.head), (*names.head, *columns), tuple(rows))


def _interval(measurement: Measurement) -> str:
    p50 = measurement.p50_ms
    if len(measurement.rounds) < 2:
        return "one round"
    return f"{figure(p50.low, p50.value)} to {figure(p50.high, p50.value)}"


def _megabytes(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0f}"


def _psnr(measurement: Measurement) -> str:
    return NOTHING if measurement.quality is None else f"{measurement.quality.psnr_y:.2f}"


def _stages(measurements: Sequence[Measurement], names: _Names) -> Grid:
    # In the order in which they first occur.
    stages = list(dict.fromkeys(stage for each in measurements for stage in each.stages))
    rows = (
        (*names.cells[at], *(figure(each.stages.get(stage)) for stage in stages))
        for at, each in enumerate(measurements)
    )
    head = (*names.head, *(plain(stage) for stage in stages))
    return Grid("Busy ms of a frame in each stage", len(names.head), head, tuple(rows))


def _ran(measurement: Measurement) -> str:
    built = measurement.build_seconds
    engine = "" if built is None else f", and {figure(built)} s more the first time, for engines"
    return f"{measurement.description}; ready in {figure(measurement.load_seconds)} s{engine}"


def _noise(control: Mapping[str, float]) -> Note:
    spread = control["spread"]
    line = (
        f"the control loop takes {figure(control['median_ms'])} ms; its slowest round took "
        f"{spread:.2f} times as long as its fastest"
    )
    if spread <= QUIET_SPREAD:
        return Note("Noise", (line,))
    advice = (
        f"more than {QUIET_SPREAD:.2f} times says that the machine was busy with something else: "
        "measure again when it is quiet"
    )
    return Note("Noise", (line, advice), warning=True)


def _left_out(measurement: Measurement) -> str:
    rounds, quiet = len(measurement.rounds), len(measurement.quiet_rounds)
    if quiet == rounds:
        return ""
    return (
        f"{rounds - quiet} of {rounds} rounds, in which the machine was busy with something else; "
        "p95, p99 and max are of all"
    )


def _verified(measurement: Measurement) -> str:
    verified = measurement.verified
    if verified is None:
        return ""
    if verified.psnr is None:
        found = "no difference"
    else:
        found = f"at most {verified.worst} of 255 apart, PSNR {verified.psnr:.1f} dB"
    return f"{found}, against {verified.against} ({verified.pixels:,} pixels)"


def _judged(measurement: Measurement) -> str:
    found = measurement.quality
    if found is None:
        return ""
    pictures = count_of(found.pictures, "picture")
    return f"PSNR {found.psnr_y:.2f} dB, SSIM {found.ssim_y:.4f}, {pictures}, {found.damage}"


def _unverified(measurement: Measurement) -> str:
    if measurement.verified is not None:
        return ""
    return measurement.not_verified or "no reason is given"


def _unstable(measurement: Measurement) -> str:
    if measurement.stable:
        return ""
    return (
        f"the time of a frame still changed after {count_of(measurement.warm_runs, 'run')} in "
        f"{figure(measurement.warm_seconds)} s; all figures may be off"
    )


def _implausible(measurement: Measurement) -> str:
    ratio = measurement.events_over_wall
    if ratio is None or _PLAUSIBLE[0] <= ratio <= _PLAUSIBLE[1]:
        return ""
    return (
        f"the GPU's clock says {ratio:.2f} times what the host's says, where {_PLAUSIBLE[0]} to "
        f"{_PLAUSIBLE[1]} are plausible; all figures may be wrong"
    )


def _energy(measurement: Measurement) -> str:
    return ", ".join(
        f"{figure(joules)} J a frame ({plain(source)})"
        for source, joules in measurement.joules.items()
    )


def _real_time(sustained: Sustained | None) -> str:
    if sustained is None:
        return "not judged: no frames were run without a break"
    if sustained.seconds < JUDGED_SECONDS or not sustained.holds:
        return (
            f"not judged: {figure(sustained.seconds)} s without a break are too few, "
            f"{JUDGED_SECONDS:.0f} are needed"
        )
    rates = sorted(sustained.holds, key=float)
    held = [rate for rate in rates if sustained.holds[rate]]
    missed = [rate for rate in rates if not sustained.holds[rate]]
    p99 = sustained.p99_ms
    if not missed:
        return f"holds {', '.join(held)} (p99 {figure(p99)} ms)"
    limit = 1e3 / float(missed[0])
    # Where three digits are too few to tell them apart, more do.
    texts = figure(p99), figure(limit)
    if texts[0] == texts[1]:
        texts = f"{p99:.4f}", f"{limit:.4f}"
    reason = f"(p99 {texts[0]} ms > {texts[1]})" if p99 > limit else f"(p99 {texts[0]} ms)"
    if not held:
        return f"holds none of {', '.join(missed)} {reason}"
    return f"holds {', '.join(held)}; not {', '.join(missed)} {reason}"


def _headline(machine: Mapping[str, Any]) -> str:
    gpus = [str(gpu.get("name", "")) for gpu in machine.get("gpus") or [] if isinstance(gpu, dict)]
    parts = [plain(part) for part in (machine.get("processor"), *gpus) if part]
    return ", ".join(parts) or "unknown machine"


def _moment(created: str) -> str:
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return plain(created)
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%d %H:%M} UTC"
