"""What a run leaves behind beside its checkpoints: tables, sample pictures, TensorBoard events."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.files import whole_file

__all__ = ["Records"]


class Records:
    """One row for each epoch, in ``metrics.csv``, ``metrics.json`` and TensorBoard's event files.

    On resuming, rows after the checkpoint are dropped; a table that is damaged is begun anew.
    Sample pictures go to the folder ``samples``, which must exist. Close it after use.
    """

    def __init__(self, run: Path, step: int, say: Callable[[str], None]) -> None:
        self.run = run
        self.rows: list[dict[str, float]] = []
        file = run / "metrics.json"
        if step and file.exists():
            try:
                rows = json.loads(file.read_text(encoding="utf-8"))
                self.rows = [_finite(row) for row in rows if row["step"] <= step]
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                say(f"{file} is damaged ({error!r}); the tables begin anew after step {step}")
        self._board = _board(run / "tensorboard", step, say)

    def add(self, row: Mapping[str, float], grid: NDArray[np.uint8]) -> None:
        """Write a row, which must have ``step``, and the sample grid (H, W, 3) of that step."""
        step = int(row["step"])
        self.rows.append(dict(row))
        with whole_file(self.run / "samples" / f"step_{step:07d}.png", overwrite=True) as temporary:
            Image.fromarray(grid).save(temporary)
        with whole_file(self.run / "metrics.json", overwrite=True) as temporary:
            text = json.dumps(self.rows, indent=1, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")
        with (
            whole_file(self.run / "metrics.csv", overwrite=True) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as table,
        ):
            # Not every row has every figure: a discriminator may start late.
            names = dict.fromkeys(name for row in self.rows for name in row)
            writer = csv.DictWriter(table, list(names))
            writer.writeheader()
            writer.writerows(self.rows)
        if self._board:
            for name, value in row.items():
                if name != "step":
                    self._board.add_scalar(name, value, step)
            self._board.add_image("samples", grid, step, dataformats="HWC")
            self._board.flush()

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self._board:
            self._board.close()


def _finite(row: Mapping[str, float]) -> dict[str, float]:
    # Strict JSON has no infinity, which tables of former versions may hold.
    return {name: value for name, value in row.items() if math.isfinite(value)}


def _board(folder: Path, step: int, say: Callable[[str], None]) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        say("tensorboard is not installed, so no event files are written: pip install tensorboard")
        return None
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
