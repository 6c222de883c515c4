"""The harness: timing in turn, verification, and one file of results for each processor."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from restore_rt.bench.machine import describe_machine


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("RESTORE_RT_RESULTS", str(tmp_path))
    return importlib.import_module("harness")


def read(folder: Path) -> Any:
    (file,) = folder.iterdir()
    return json.loads(file.read_text("utf-8"))


def test_parts_go_into_one_file_that_has_the_machine_once(harness: Any, tmp_path: Path) -> None:
    harness.write("engines", {"cases": [1]})
    part = harness.write("startup", {"milliseconds": 2})
    assert part["machine"] == describe_machine()
    found = read(tmp_path)
    assert found["machine"] == describe_machine()
    assert found["parts"]["engines"]["cases"] == [1]
    assert found["parts"]["startup"]["milliseconds"] == 2
    for part in found["parts"].values():
        assert {"created", "software"} <= part.keys()
        assert "machine" not in part


def test_a_part_replaces_its_former_self_and_others_stay(harness: Any, tmp_path: Path) -> None:
    harness.write("engines", {"cases": [1]})
    harness.write("startup", {"milliseconds": 2})
    harness.write("engines", {"cases": [3]})
    harness.update(minutes_of_make_bench=4)
    found = read(tmp_path)
    assert found["parts"]["engines"]["cases"] == [3]
    assert found["parts"]["startup"]["milliseconds"] == 2
    assert found["minutes_of_make_bench"] == 4


def test_another_machine_of_the_same_name_is_refused(harness: Any, tmp_path: Path) -> None:
    harness.write("engines", {"cases": [1]})
    (file,) = tmp_path.iterdir()
    record = json.loads(file.read_text("utf-8"))
    record["machine"]["threads"] += 6
    file.write_text(json.dumps(record), "utf-8")
    with pytest.raises(SystemExit, match=r"is of another machine of that name \(threads: "):
        harness.write("engines", {"cases": [2]})
    assert json.loads(file.read_text("utf-8")) == record


def test_a_file_of_its_own_says_which_machine_it_is_of(harness: Any, tmp_path: Path) -> None:
    harness.write("loader", {"recipes": 5}, alone=True)
    assert [path.name for path in tmp_path.iterdir()] == ["loader.json"]
    found = read(tmp_path)
    assert found["recipes"] == 5
    assert found["machine"]["processor"] == describe_machine()["processor"]


@pytest.mark.parametrize(
    ("processor", "instructions", "extensions", "name"),
    [
        ("Intel(R) Xeon(R) Processor", "avx512", ["bf16"], "intel-xeon-avx512-bf16"),
        ("AMD Ryzen 9 5950X 16-Core Processor", "avx2", [], "amd-ryzen-9-5950x-avx2"),
        ("Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", "avx2", [], "intel-core-i7-8550u-avx2"),
    ],
)
def test_a_file_is_named_for_the_processor(
    harness: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    processor: str,
    instructions: str,
    extensions: list[str],
    name: str,
) -> None:
    machine = {"processor": processor, "instructions": instructions, "extensions": extensions}
    monkeypatch.setattr(harness, "describe_machine", lambda: machine)
    harness.write("startup", {})
    assert [path.stem for path in tmp_path.iterdir()] == [name]


def test_fewer_runs_are_spread_over_all_rounds(harness: Any) -> None:
    ran: list[str] = []
    steps = {name: lambda name=name: ran.append(name) for name in ("quick", "slow")}
    timings = harness.interleaved(steps, {"quick": 6, "slow": 2})
    assert {name: len(times) for name, times in timings.items()} == {"quick": 6, "slow": 2}
    # After one that does not count, one in each half.
    assert [ran[2:6].count("slow"), ran[6:].count("slow")] == [1, 1]


def test_a_wrong_result_ends_the_benchmark(harness: Any) -> None:
    assert harness.check("x", np.array([1, 4], np.uint8), np.array([1, 5], np.uint8), 1) == 1
    with pytest.raises(SystemExit, match="x is off by 2; allowed are 1"):
        harness.check("x", np.array([1, 4]), np.array([1, 2]), 1)
    with pytest.raises(SystemExit, match="x is off by nan"):
        harness.check("x", np.array([np.nan]), np.array([1.0]), 1)
    with pytest.raises(SystemExit, match=r"x has the shape \(2,\); expected is \(3,\)"):
        harness.check("x", np.zeros(2), np.zeros(3), 1)
