"""What a benchmark measured: cases, measurements and reports. ``docs/bench.md`` has the JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from restore_rt.bench.machine import describe_machine, describe_software
from restore_rt.bench.statistics import Interval, mean_interval
from restore_rt.errors import InputError
from restore_rt.files import whole_file
from restore_rt.options import LoadOptions

__all__ = [
    *("JUDGED_SECONDS", "PIXELS", "QUIET_SPREAD", "RATES", "SCHEMA", "SCOPES", "Case"),
    *(
        "Failure",
        "Measurement",
        "Pixels",
        "Report",
        "Round",
        "Scope",
        "Sustained",
        "Verified",
        "read_report",
    ),
]

SCHEMA = "restore_rt.bench/3"
_T = TypeVar("_T")
Scope = Literal["end_to_end", "device", "network"]
Pixels = Literal["auto", "luma", "rgb", "bgr", "planes"]
PIXELS: tuple[Pixels, ...] = ("auto", "luma", "rgb", "bgr", "planes")
SCOPES: tuple[Scope, ...] = ("end_to_end", "device", "network")
# Frame rates that the real-time verdict covers, and the shortest run that it is given for.
RATES = (24, 30, 60)
JUDGED_SECONDS = 60.0
# If the control loop slows down by more than this, other programs kept the machine busy.
QUIET_SPREAD = 1.10
# Rounds are left out only if at least this many quiet ones remain.
_LEAST_ROUNDS = 3


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing to measure; raises ``InputError`` if a value is not allowed.

    Attributes
    ----------
    model, device, backend, precision, batch, threads, tile
        Arguments of ``restore_rt.load``; ``tile`` is a height and width.
    height, width
        Size of the frames in pixels.
    clip
        A video to decode, restore and encode; None to restore one frame repeatedly.
    streams
        Number of concurrent callers, each with its own frame.
    scope
        Times run from host memory to host memory (``"end_to_end"``), from GPU memory to GPU memory
        (``"device"``), or are those of the ``"network"`` alone.
    pixels
        What the frames are made of: arrays of ``"luma"``, ``"rgb"`` or ``"bgr"``, or 4:2:0
        ``"planes"``; ``"auto"`` is what the network takes.
    """

    model: str = "video-x2"
    device: str = "auto"
    backend: str = "auto"
    precision: str = "auto"
    height: int = 360
    width: int = 640
    clip: str | None = None
    batch: int = 1
    streams: int = 1
    threads: int | None = None
    tile: tuple[int, int] | None = None
    scope: Scope = "end_to_end"
    pixels: Pixels = "auto"

    def __post_init__(self) -> None:
        options = LoadOptions(**self.options)
        if self.scope not in SCOPES:
            raise InputError(f"scope is {self.scope!r}; allowed are {', '.join(SCOPES)}")
        if self.pixels not in PIXELS:
            raise InputError(f"pixels is {self.pixels!r}; allowed are {', '.join(PIXELS)}")
        for name in ("height", "width", "streams"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise InputError(f"{name} is {value!r}; give a whole number of at least 1")
        if self.scope == "device" and options.on_cpu:
            raise InputError(
                "scope is 'device', which needs a GPU, but another option asks for the CPU; leave "
                "one of them out"
            )
        if self.scope == "network" and self.streams > 1:
            raise InputError(f"streams is {self.streams}; the scope 'network' takes one stream")
        if self.clip is not None and self.pixels != "auto":
            raise InputError("a clip has its own pixels; leave out pixels")
        if self.clip is not None and (self.scope, self.streams) != ("end_to_end", 1):
            raise InputError(
                "a clip is measured end to end with one stream; leave out scope and streams"
            )

    @property
    def options(self) -> dict[str, Any]:
        """The options for ``restore_rt.load``; a clip may use bf16, as in ``restore-rt video``."""
        names = ("device", "backend", "precision", "tile", "batch", "threads")
        chosen = {name: getattr(self, name) for name in names}
        return {**chosen, "allow_bf16": self.clip is not None and self.precision == "auto"}

    def __str__(self) -> str:
        """Return the model, the size and every option that is not at its default."""
        shown = {**vars(self), "clip": self.clip and Path(self.clip).name}
        if self.tile is not None:
            shown["tile"] = f"{self.tile[1]}x{self.tile[0]}"
        others = [
            f"{name} {value}"
            for name, value in shown.items()
            if name not in ("model", "width", "height") and value != getattr(Case, name)
        ]
        return ", ".join([f"{self.model}, {self.width}x{self.height}", *others])


@dataclass(frozen=True)
class Verified:
    """How closely a result matched the reference; ``worst`` in steps of 255, ``psnr`` in dB."""

    against: str
    worst: int
    psnr: float | None
    pixels: int


@dataclass(frozen=True)
class Round:
    """Times of one case in one process; the control loop ran before, between and after frames."""

    median_ms: float
    control_ms: float
    frames: int
    frames_per_second: float
    load_seconds: float

    def __post_init__(self) -> None:
        if not all(0 < each < math.inf for each in (self.median_ms, self.control_ms, self.frames)):
            raise ValueError("a round has no frames or no time")


@dataclass(frozen=True)
class Sustained:
    """Frames restored without a pause, as in real use.

    ``holds`` tells by frame rate whether 99 of 100 frames were ready in time; it is empty if the
    run was shorter than a minute.
    """

    seconds: float
    frames: int
    p99_ms: float
    max_ms: float
    holds: dict[int, bool]

    @classmethod
    def of(cls, times: NDArray[np.float64], wall: float) -> Sustained:
        """Judge frames by the slowest hundredth of them; all times are in seconds."""
        p99, most = (1e3 * float(np.percentile(times, percent)) for percent in (99, 100))
        rates = RATES if wall >= JUDGED_SECONDS else ()
        return cls(wall, len(times), p99, most, {rate: p99 <= 1e3 / rate for rate in rates})


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The results of one case; times are in ms, sizes in MB of 10^6 bytes.

    ``times_ms`` are those of all frames. ``docs/bench.md`` explains the other fields.
    """

    case: Case
    description: str
    device: str = ""
    backend: str = ""
    precision: str = ""
    pixels: str = ""
    model: dict[str, Any]
    verified: Verified | None = None
    not_verified: str = ""
    stable: bool = True
    rounds: tuple[Round, ...]
    times_ms: NDArray[np.float64] = field(default_factory=lambda: np.empty(0), compare=False)
    stages: dict[str, float] = field(default_factory=dict)
    host_peak_mb: float | None = None
    host_frames_mb: float | None = None
    device_peak_mb: float | None = None
    sustained: Sustained | None = None

    @property
    def key(self) -> Case:
        """The case without the folders of its files."""
        clip = None if self.case.clip is None else Path(self.case.clip).name
        return dataclasses.replace(self.case, model=self.model["name"], clip=clip)

    @property
    def quiet_rounds(self) -> tuple[Round, ...]:
        """The rounds in which the machine was not busy with other programs.

        The control loop alone decides: it took at most a tenth longer than in the case's fastest
        round. Frame times have no say, so that a network that is slow in some processes is
        reported and not discarded. If fewer than three rounds were quiet, all count.
        """
        limit = QUIET_SPREAD * min(each.control_ms for each in self.rounds)
        quiet = tuple(each for each in self.rounds if each.control_ms <= limit)
        return quiet if len(quiet) >= _LEAST_ROUNDS else self.rounds

    @property
    def p50_ms(self) -> Interval:
        """Geometric mean of the quiet rounds' medians, with its confidence interval."""
        return mean_interval([each.median_ms for each in self.quiet_rounds])

    @property
    def frames_per_second(self) -> float:
        """Mean of the quiet rounds, all streams together."""
        return statistics.fmean(each.frames_per_second for each in self.quiet_rounds)

    @property
    def percentiles_ms(self) -> list[float]:
        """The percentiles 0 to 100 of the times of all frames."""
        return [float(each) for each in np.percentile(self.times_ms, range(101))]

    def as_dict(self) -> dict[str, Any]:
        """Return the measurement for JSON, with ``derived`` figures for simple readers."""
        own, percentiles = dataclasses.asdict(self), self.percentiles_ms
        del own["times_ms"]
        derived = {
            "p50_ms": self.p50_ms.value,
            "p50_interval_ms": self.p50_ms.ends,
            **{f"p{at}_ms": percentiles[at] for at in (90, 95, 99)},
            "frames_per_second": self.frames_per_second,
        }
        frames = {"percentiles_ms": percentiles, "max_ms": percentiles[100]}
        return {**own, **frames, "derived": derived}


@dataclass(frozen=True)
class Failure:
    """A case that could not be measured."""

    case: Case
    reason: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """The results of one run of ``restore-rt bench``; ``docs/bench.md`` explains every field."""

    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    machine: dict[str, Any] = field(default_factory=describe_machine)
    software: dict[str, str] = field(default_factory=describe_software)
    measurements: tuple[Measurement, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def control(self) -> dict[str, float]:
        """Median ms of the control loop, and its slowest round over its fastest."""
        rounds = [each.control_ms for made in self.measurements for each in made.rounds] or [1.0]
        return {"median_ms": statistics.median(rounds), "spread": max(rounds) / min(rounds)}

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        own = {"schema": SCHEMA, **dataclasses.asdict(self), "control": self.control}
        return {**own, "measurements": [each.as_dict() for each in self.measurements]}

    def write(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the report as JSON.

        Raises
        ------
        InputError, OutputError
            The file exists and ``overwrite`` is False, or it cannot be written.
        """
        text = json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n"
        with whole_file(Path(path), overwrite=overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")


def read_report(path: str | Path) -> Report:
    """Read a file that ``Report.write`` wrote, for ``compare``.

    The report has the machine, the software, and the case, model, description and rounds of each
    measurement; the other fields are empty.

    Raises
    ------
    InputError
        The file is missing, damaged, not a report, or has another schema.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise InputError(
            f"{path} has the schema {schema!r}; this version reads {SCHEMA!r}, which "
            "`restore-rt bench -o FILE` writes"
        )
    try:
        return Report(
            created=_typed(str, data["created"]),
            machine=_typed(dict, data["machine"]),
            software=_typed(dict, data["software"]),
            measurements=tuple(map(_measurement, _typed(list, data["measurements"]))),
        )
    except (KeyError, TypeError, ValueError, InputError) as error:
        raise InputError(
            f"{path} is damaged ({type(error).__name__}: {error}); measure again"
        ) from error


def _measurement(data: Any) -> Measurement:
    case, model, rounds = data["case"], data["model"], _typed(list, data["rounds"])
    for text in (case["model"], case["clip"] or "", model["name"]):
        _typed(str, text)
    if not rounds:
        raise ValueError("a measurement has no rounds")
    return Measurement(
        # JSON has no tuples.
        case=Case(**{**case, "tile": case["tile"] and tuple(case["tile"])}),
        description=_typed(str, data["description"]),
        model=model,
        rounds=tuple(Round(**each) for each in rounds),
    )


def _typed(kind: type[_T], value: Any) -> _T:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is not a valid {kind.__name__}")
    return value
