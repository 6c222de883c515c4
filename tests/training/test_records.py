from __future__ import annotations

import csv
import errno
import json
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)
from tensorboard.backend.event_processing.event_file_loader import (  # type: ignore[import-untyped]
    RawEventFileLoader,
)
from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]

from restore_rt.training.loop.records import Records

GRID = np.zeros((8, 12, 3), np.uint8)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "samples").mkdir()
    return tmp_path


def open_records(run: Path, step: int, lines: list[str] | None = None) -> Records:
    return Records(run, step, (lines if lines is not None else []).append)


def write(run: Path, step: int, *rows: dict[str, float]) -> None:
    records = open_records(run, step)
    for row in rows:
        records.add(row, GRID)


def table(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_after_the_checkpoint_are_dropped(run: Path) -> None:
    write(run, 0, {"step": 1, "loss": 3}, {"step": 2, "loss": 2}, {"step": 3, "loss": 1})
    write(run, 2, {"step": 4, "loss": 0.5})
    assert [row["step"] for row in json.loads((run / "metrics.json").read_text())] == [1, 2, 4]
    assert [row["step"] for row in table(run)] == ["1", "2", "4"]
    write(run, 0, {"step": 1, "loss": 9})
    assert len(table(run)) == 1


def events(run: Path) -> list[tuple[str, int, Any]]:
    """Return what TensorBoard's files hold: names, steps, and values or sizes of pictures."""
    found: list[tuple[str, int, Any]] = []
    for path in sorted((run / "tensorboard").iterdir()):
        for event in map(Event.FromString, RawEventFileLoader(str(path)).Load()):
            for value in event.summary.value:
                size = (value.image.width, value.image.height)
                shown = value.simple_value if value.HasField("simple_value") else size
                found.append((value.tag, event.step, shown))
    return found


@pytest.mark.parametrize(
    "text", ["", "[{", "{}", "[3]", '[{"loss": 2}]', '[{"step": "x"}]', "\x00", "7"]
)
def test_a_damaged_table_is_said_and_begun_anew(run: Path, text: str) -> None:
    (run / "metrics.json").write_text(text)
    lines: list[str] = []
    records = open_records(run, 5, lines)
    records.add({"step": 6, "loss": 1.0}, GRID)
    if text != "{}":
        assert any("metrics.json is damaged" in line and "after step 5" in line for line in lines)
    assert [row["step"] for row in table(run)] == ["6"]


def test_figures_may_come_late(run: Path) -> None:
    write(run, 0, {"step": 1, "loss": 3}, {"step": 2, "loss": 2, "discriminator_loss": 0.5})
    assert [row["discriminator_loss"] for row in table(run)] == ["", "0.5"]


def test_what_is_written_is_strict_json(run: Path) -> None:
    # As a former version wrote it for a flat picture.
    (run / "metrics.json").write_text('[{"step": 1, "loss": 2, "psnr_a": Infinity}]')
    write(run, 1, {"step": 2, "loss": 1})
    text = (run / "metrics.json").read_text()
    assert json.loads(text) == [{"step": 1, "loss": 2}, {"step": 2, "loss": 1}]
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(run, 2, {"step": 3, "loss": float("nan")})
    assert (run / "metrics.json").read_text() == text


def test_without_tensorboard_there_are_tables_alone(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "restore_rt.training.loop.events", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.record_writer", None)
    lines: list[str] = []
    records = open_records(run, 0, lines)
    records.add({"step": 1, "loss": 1.0}, GRID)
    (line,) = lines
    assert "pip install tensorboard" in line
    assert len(table(run)) == 1
    assert (run / "samples" / "step_0000001.png").exists()
    assert not (run / "tensorboard").exists()


def test_what_cannot_be_written_is_said_once_and_made_good(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    records = open_records(run, 0, lines)
    opened = Path.open

    def full(self: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        if set("wax") & set(mode):
            raise OSError(errno.ENOSPC, "No space left on device", str(self))
        return opened(self, mode, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        records.add({"step": 1, "loss": 2.0}, GRID)
        records.add({"step": 2, "loss": 1.0}, GRID)
    assert [line.split(" cannot be written (")[0] for line in lines] == [
        "the tables",
        "sample pictures",
        "TensorBoard's events",
    ]
    assert all(line.endswith("training goes on") for line in lines)
    records.add({"step": 3, "loss": 0.5}, GRID)
    assert [row["step"] for row in table(run)] == ["1", "2", "3"]
    assert [path.name for path in (run / "samples").iterdir()] == ["step_0000003.png"]
    assert events(run) == [("loss", 3, 0.5), ("samples", 3, (12, 8))]


def test_one_that_fails_does_not_keep_the_others_from_being_written(run: Path) -> None:
    (run / "samples").rmdir()
    lines: list[str] = []
    open_records(run, 0, lines).add({"step": 1, "loss": 2.0}, GRID)
    (line,) = lines
    assert line.startswith("sample pictures cannot be written (cannot write ")
    assert "its folder does not exist" in line
    assert len(table(run)) == 1
    assert len(events(run)) == 2


def test_tensorboard_reads_the_events_of_a_resumed_run(run: Path) -> None:
    threads = threading.active_count()
    write(run, 0, {"step": 1, "loss": 3}, {"step": 2, "loss": 2})
    assert threading.active_count() == threads
    write(run, 1, {"step": 2, "loss": 1.5}, {"step": 3, "loss": 1})
    found = EventAccumulator(str(run / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in found.Scalars("loss")] == [(1, 3), (2, 1.5), (3, 1)]
    assert {(e.step, e.width, e.height) for e in found.Images("samples")} >= {(3, 12, 8)}
