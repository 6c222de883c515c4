from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from restore_rt.training.records import Records

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
    records.close()


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


@pytest.mark.parametrize(
    "text", ["", "[{", "{}", "[3]", '[{"loss": 2}]', '[{"step": "x"}]', "\x00", "7"]
)
def test_a_damaged_table_is_said_and_begun_anew(run: Path, text: str) -> None:
    (run / "metrics.json").write_text(text)
    lines: list[str] = []
    records = open_records(run, 5, lines)
    records.add({"step": 6, "loss": 1.0}, GRID)
    records.close()
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
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    lines: list[str] = []
    records = open_records(run, 0, lines)
    records.add({"step": 1, "loss": 1.0}, GRID)
    records.close()
    (line,) = lines
    assert "pip install tensorboard" in line
    assert len(table(run)) == 1
    assert (run / "samples" / "step_0000001.png").exists()
    assert not (run / "tensorboard").exists()
