"""Reads the file of a report again, and refuses what is none."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from restore_rt.bench.report import (
    SCHEMA,
    Case,
    Measurement,
    Quality,
    Report,
    Round,
    Sustained,
    Verified,
)
from restore_rt.bench.statistics import Histogram
from restore_rt.errors import InputError

__all__ = ["case_of", "measurement_of", "read_report"]


def read_report(path: str | Path) -> Report:
    """Read what ``Report.write`` wrote.

    Raises
    ------
    InputError
        There is no such file, it is no report, or one of another schema.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_refused)
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
        for key in ("machine", "software", "control"):
            if not isinstance(data[key], dict):
                raise TypeError(f"{key} is no table")
        return Report(
            created=str(data["created"]),
            machine=data["machine"],
            software=data["software"],
            control=data["control"],
            measurements=tuple(measurement_of(each) for each in data["measurements"]),
            failures=tuple((case_of(each["case"]), each["reason"]) for each in data["failures"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} is damaged ({type(error).__name__}: {error}); measure again"
        ) from error


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def measurement_of(data: dict[str, Any]) -> Measurement:
    """Return a measurement from what JSON holds of it.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError
        Something is missing, or of another type.
    """
    known = {each.name for each in dataclasses.fields(Measurement)}
    values = {name: value for name, value in data.items() if name in known}
    sustained, verified = values["sustained"], values["verified"]
    quality = values["quality"]
    if not isinstance(values["model"], dict) or "name" not in values["model"]:
        raise TypeError("model is no table with a name")
    counts = values["samples"]["counts"]
    if not counts or not values["rounds"]:
        raise ValueError("there are no samples")
    made = Measurement(
        **{
            **values,
            "case": case_of(values["case"]),
            "verified": None if verified is None else Verified(**verified),
            "rounds": tuple(Round(**each) for each in values["rounds"]),
            "samples": Histogram({int(at): int(count) for at, count in counts.items()}),
            "sustained": None if sustained is None else Sustained(**sustained),
            "quality": None if quality is None else Quality(**quality),
        }
    )
    _check_numbers(made)
    return made


def _check_numbers(made: Measurement) -> None:
    """Refuse what would only be found out when a page is half drawn."""
    for each in made.rounds:
        if not (each.median_ms > 0 and each.control_ms > 0 and each.frames > 0):
            raise ValueError("a round without time or frames")
    always = [made.mean_ms, made.min_ms, made.max_ms, made.jitter_ms, made.load_seconds]
    always += [value for each in made.rounds for value in dataclasses.astuple(each)]
    sometimes = [made.host_peak_mb, made.host_frames_mb, made.device_peak_mb, made.build_seconds]
    sometimes.append(made.events_over_wall)
    always += [value for value in sometimes if value is not None]
    always += [*made.stages.values(), *made.joules.values()]
    if made.sustained is not None:
        found = made.sustained
        always += [found.seconds, found.frames, found.p99_ms, found.max_ms]
        always += [float(rate) for rate in found.holds]
    if made.quality is not None:
        always += [made.quality.psnr_y, made.quality.ssim_y, made.quality.pictures]
    for value in always:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e12:
            raise ValueError(f"{value!r} is no time, size or number")


def case_of(data: dict[str, Any]) -> Case:
    """Return a case from what JSON holds of it."""
    for name, value in data.items():
        if name != "tile" and not isinstance(value, (str, int, type(None))):
            raise TypeError(f"{name} is {value!r}")
    tile = data["tile"]
    return Case(**{**data, "tile": None if tile is None else (int(tile[0]), int(tile[1]))})
