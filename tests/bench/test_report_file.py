"""Reports go to a file and come back, and what is no report is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from restore_rt.bench import Measurement, read_report
from restore_rt.bench.reading import typed
from restore_rt.bench.report import SCHEMA, Failure
from restore_rt.errors import InputError
from tests.bench.made import measured, other_case, reported

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
KEYS = ("created", "machine", "software", "control", "measurements", "failures")


def test_a_report_comes_back_as_it_went(tmp_path: Path) -> None:
    report = reported(
        measured([10.0, 10.5, 11.0]),
        measured([3.0], case=other_case(tile=(64, 96), threads=1), sustained=None, verified=None),
        failures=(Failure(other_case(device="cuda"), "there is no GPU"),),
    )
    report.write(tmp_path / "a.json")
    assert read_report(tmp_path / "a.json") == report


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


def test_results_of_earlier_versions_can_be_read() -> None:
    read = [
        (made, typed(Measurement, made))
        for path in RESULTS.glob("*.json")
        for made in json.loads(path.read_text("utf-8"))
        .get("parts", {})
        .get("bench", {})
        .get("measurements", [])
    ]
    assert read
    for made, measurement in read:
        assert measurement.case.model == made["case"]["model"]
        assert measurement.p50_ms.value == pytest.approx(made["derived"]["p50_ms"])


def test_percentiles_lie_within_the_samples() -> None:
    made = measured([10.0])
    assert made.percentile(50) == made.percentile(99) == 10.0


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
        (["measurements", 0, "rounds"], []),
        (["measurements", 0, "rounds", 0, "median_ms"], "fast"),
        (["measurements", 0, "rounds", 0, "control_ms"], 0),
        (["measurements", 0, "case", "model"], ["a"]),
        (["measurements", 0, "model"], 7),
        (["measurements", 0, "samples", "counts"], {}),
        (["measurements", 0, "host_peak_mb"], float("nan")),
        (["measurements", 0, "stages", "network"], None),
        (["measurements", 0, "sustained", "holds"], {"24": "yes"}),
        (["measurements", 0, "case", "scope"], "all"),
        (["measurements", 0, "sustained", "p99_ms"], -1),
    ],
)
def test_a_value_of_another_kind_is_refused(
    tmp_path: Path, path: list[str | int], value: object
) -> None:
    data = reported(measured([10.0, 10.5])).as_dict()
    place = data
    for key in path[:-1]:
        place = place[key]  # type: ignore[index]
    place[path[-1]] = value  # type: ignore[index]
    file = tmp_path / "a.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(InputError, match=r"is damaged|is not JSON"):
        read_report(file)


def test_a_missing_report_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*none\.json: No such file"):
        read_report(tmp_path / "none.json")


def test_a_case_says_what_tells_it_from_the_usual_one() -> None:
    case = other_case(backend="onnxruntime", threads=2, tile=(64, 96), scope="network")
    assert str(case) == (
        "video-x2, 640x360, backend onnxruntime, threads 2, tile 96x64, scope network"
    )
