"""What was measured goes into one file for each processor, and nothing of another machine."""

from __future__ import annotations

import importlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from restore_rt.bench.machine import describe_machine


@pytest.fixture
def collect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return the module, whose parts lie in ``parts`` and whose files go to ``into``."""
    monkeypatch.setenv("RESTORE_RT_RESULTS", str(tmp_path / "parts"))
    monkeypatch.setattr("sys.argv", ["collect.py", "--into", str(tmp_path / "into")])
    (tmp_path / "parts").mkdir()
    return importlib.import_module("collect")


def write(folder: Path, name: str, **more: Any) -> None:
    record = {"machine": {**describe_machine(), "clocks": {"load": 0.5}}, "created": "today"}
    (folder / "parts" / f"{name}.json").write_text(json.dumps({**record, **more}), "utf-8")


def test_parts_go_into_one_file_that_tells_the_machine_once(collect: Any, tmp_path: Path) -> None:
    write(tmp_path, "engines", cases=[1])
    write(tmp_path, "startup", milliseconds=2)
    collect.main()
    (file,) = (tmp_path / "into").iterdir()
    assert file.stem == collect.name_of(describe_machine())
    found = json.loads(file.read_text("utf-8"))
    assert found["machine"] == describe_machine()
    assert found["parts"] == {
        "startup": {"created": "today", "milliseconds": 2, "clocks": {"load": 0.5}},
        "engines": {"created": "today", "cases": [1], "clocks": {"load": 0.5}},
    }


def test_what_was_not_measured_again_stays(
    collect: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "engines", cases=[1])
    write(tmp_path, "startup", milliseconds=2)
    collect.main()
    (tmp_path / "parts" / "startup.json").unlink()
    write(tmp_path, "engines", cases=[3])
    capsys.readouterr()
    collect.main()
    (file,) = (tmp_path / "into").iterdir()
    found = json.loads(file.read_text("utf-8"))["parts"]
    assert found["engines"]["cases"] == [3]
    assert found["startup"]["milliseconds"] == 2
    assert capsys.readouterr().out.endswith(": engines; kept: startup\n")


def test_a_part_of_another_machine_is_refused(collect: Any, tmp_path: Path) -> None:
    write(tmp_path, "engines")
    write(tmp_path, "startup", machine={**describe_machine(), "processor": "another"})
    with pytest.raises(SystemExit, match=r"startup\.json is of another machine .*another"):
        collect.main()
    assert not (tmp_path / "into").exists()


def test_another_machine_of_the_same_name_is_refused(collect: Any, tmp_path: Path) -> None:
    write(tmp_path, "engines")
    collect.main()
    (file,) = (tmp_path / "into").iterdir()
    record = json.loads(file.read_text("utf-8"))
    record["machine"]["threads"] += 6
    file.write_text(json.dumps(record), "utf-8")
    with pytest.raises(SystemExit, match=r"is of another machine of that name \(threads: "):
        collect.main()
    assert json.loads(file.read_text("utf-8")) == record


def test_the_whole_run_is_timed_once(collect: Any, tmp_path: Path) -> None:
    write(tmp_path, "engines")
    (tmp_path / "parts" / "started").write_text(f"{time.time() - 600:.0f}\n", "utf-8")
    collect.main()
    (file,) = (tmp_path / "into").iterdir()
    assert json.loads(file.read_text("utf-8"))["minutes_of_make_bench"] == pytest.approx(10, abs=1)
    assert not (tmp_path / "parts" / "started").exists()
    before = file.read_text("utf-8")
    collect.main()
    assert file.read_text("utf-8") == before


def test_nothing_to_collect_is_told(collect: Any) -> None:
    with pytest.raises(SystemExit, match="nothing was measured"):
        collect.main()


@pytest.mark.parametrize(
    ("processor", "instructions", "extensions", "name"),
    [
        ("Intel(R) Xeon(R) Processor", "avx512", ["bf16"], "intel-xeon-avx512-bf16"),
        ("AMD Ryzen 9 5950X 16-Core Processor", "avx2", [], "amd-ryzen-9-5950x-avx2"),
        ("Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", "avx2", [], "intel-core-i7-8550u-avx2"),
    ],
)
def test_a_file_is_named_for_the_processor(
    collect: Any, processor: str, instructions: str, extensions: list[str], name: str
) -> None:
    machine = {"processor": processor, "instructions": instructions, "extensions": extensions}
    assert collect.name_of(machine) == name
