"""Reports go to a file and come back, and what is no report is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from restore_rt.bench import read_report
from restore_rt.bench.report import SCHEMA, Failure
from restore_rt.errors import InputError
from tests.bench.made import measured, other_case, reported

KEYS = ("created", "machine", "software", "control", "measurements", "failures")


def test_a_report_comes_back_as_far_as_it_is_compared(tmp_path: Path) -> None:
    report = reported(
        measured([10.0, 10.5, 11.0]),
        measured([3.0], case=other_case(tile=(64, 96), threads=1), sustained=None, verified=None),
        measured([40.0], case=other_case(clip="/a/film.mkv")),
        failures=(Failure(other_case(device="cuda"), "there is no GPU"),),
    )
    report.write(tmp_path / "a.json")
    again = read_report(tmp_path / "a.json")
    for name in ("created", "machine", "software", "control"):
        assert getattr(again, name) == getattr(report, name)
    for one, other in zip(again.measurements, report.measurements, strict=True):
        for name in ("case", "description", "model", "rounds", "key", "p50_ms"):
            assert getattr(one, name) == getattr(other, name)


def test_the_file_has_what_follows_from_the_rest(tmp_path: Path) -> None:
    report = reported(measured([10.0, 10.5, 11.0]), measured([3.0], case=other_case(threads=1)))
    report.write(tmp_path / "a.json")
    first, second = json.loads((tmp_path / "a.json").read_text("utf-8"))["measurements"]
    p50 = report.measurements[0].p50_ms
    assert first["derived"]["p50_ms"] == p50.value == pytest.approx(10.4925, abs=1e-3)
    assert first["derived"]["p50_interval_ms"] == [p50.low, p50.high]
    assert first["derived"]["p99_ms"] == pytest.approx(11, rel=0.005)
    # One round says nothing of others, and infinity is no JSON.
    assert second["derived"]["p50_interval_ms"] is None


def test_percentiles_are_those_of_all_frames(tmp_path: Path) -> None:
    times = np.random.default_rng(0).lognormal(2, 1, 1000)
    reported(measured([10.0], times_ms=times)).write(tmp_path / "a.json")
    (made,) = json.loads((tmp_path / "a.json").read_text("utf-8"))["measurements"]
    assert "times_ms" not in made
    assert len(made["percentiles_ms"]) == 101
    for percent in (0, 1, 50, 95, 99, 100):
        exact = float(np.percentile(times, percent))
        assert made["percentiles_ms"][percent] == pytest.approx(exact)
    assert made["max_ms"] == times.max()
    assert made["derived"]["p95_ms"] == made["percentiles_ms"][95]


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="exists"):
        reported().write(path)
    assert path.read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "has the schema None"),
        ('{"schema": "restore_rt.bench/99"}', "has the schema 'restore_rt.bench/99'"),
        (json.dumps({"schema": SCHEMA}), "is damaged"),
        (
            json.dumps({key: {} for key in KEYS} | {"schema": SCHEMA, "measurements": [{}]}),
            "is damaged",
        ),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_report(path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["machine"], 7),
        (["software"], None),
        (["created"], 7),
        (["measurements"], {}),
        (["measurements", 0], "text"),
        (["measurements", 0, "rounds"], []),
        (["measurements", 0, "rounds", 0], [1, 2]),
        (["measurements", 0, "rounds", 0, "median_ms"], "fast"),
        (["measurements", 0, "rounds", 0, "median_ms"], float("nan")),
        (["measurements", 0, "rounds", 0, "control_ms"], 0),
        (["measurements", 0, "rounds", 0, "control_ms"], float("inf")),
        (["measurements", 0, "rounds", 0, "frames"], None),
        (["measurements", 0, "case"], 7),
        (["measurements", 0, "case", "model"], ["a"]),
        (["measurements", 0, "case", "clip"], 7),
        (["measurements", 0, "case", "tile"], 7),
        (["measurements", 0, "case", "scope"], "all"),
        (["measurements", 0, "case", "height"], "360"),
        (["measurements", 0, "case", "streams"], None),
        (["measurements", 0, "model"], 7),
        (["measurements", 0, "model"], {"sha256": "ab"}),
        (["measurements", 0, "description"], None),
    ],
)
def test_a_value_of_another_kind_is_refused(
    tmp_path: Path, path: list[str | int], value: object
) -> None:
    data = place = json.loads(json.dumps(reported(measured([10.0, 10.5])).as_dict()))
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    file = tmp_path / "a.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(InputError, match="is damaged"):
        read_report(file)


def test_a_missing_report_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*none\.json: No such file"):
        read_report(tmp_path / "none.json")


def test_a_case_says_what_tells_it_from_the_usual_one() -> None:
    case = other_case(backend="onnxruntime", threads=2, tile=(64, 96), scope="network")
    assert str(case) == (
        "video-x2, 640x360, backend onnxruntime, threads 2, tile 96x64, scope network"
    )
