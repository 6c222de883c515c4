"""Records of a run beside its checkpoints: tables, sample pictures, TensorBoard events."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restore_rt.files import whole_file

if TYPE_CHECKING:
    from restore_rt.training.loop.events import Events

__all__ = ["Records"]

U8 = NDArray[np.uint8]


class Records:
    """One row per validation, in ``metrics.csv``, ``metrics.json`` and TensorBoard's events.

    On resuming, rows after the checkpoint are dropped; a table that is damaged is begun anew.
    Sample pictures go to the folder ``samples``, which must exist.
    """

    def __init__(self, run: Path, step: int, say: Callable[[str], None]) -> None:
        self.run, self.say = run, say
        self.rows: list[dict[str, float]] = []
        file = run / "metrics.json"
        if step and file.exists():
            try:
                rows = json.loads(file.read_text(encoding="utf-8"))
                self.rows = [_finite(row) for row in rows if row["step"] <= step]
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                say(f"{file} is damaged ({error!r}); the tables begin anew after step {step}")
        self._events = _events(run / "tensorboard", say)
        self._failed: set[str] = set()

    def add(self, row: Mapping[str, float], grid: U8) -> None:
        """Write a row, which must have ``step``, and the sample grid (H, W, 3) of that step.

        None of this is worth a training: what cannot be written is left out, and that is said once.
        """
        self.rows.append(dict(row))
        step = int(row["step"])
        figures = {name: value for name, value in row.items() if name != "step"}
        self._try("the tables", self._write_tables)
        self._try("sample pictures", lambda: self._write_sample(step, grid))
        if self._events:
            add = self._events.add
            self._try("TensorBoard's events", lambda: add(step, figures, grid))

    def _try(self, what: str, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if what not in self._failed:
                self._failed.add(what)
                self.say(f"{what} cannot be written ({error}); training goes on")

    def _write_tables(self) -> None:
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

    def _write_sample(self, step: int, grid: U8) -> None:
        with whole_file(self.run / "samples" / f"step_{step:07d}.png", overwrite=True) as temporary:
            Image.fromarray(grid).save(temporary)


def _finite(row: Mapping[str, float]) -> dict[str, float]:
    # Strict JSON has no infinity, which tables of former versions may hold.
    return {name: value for name, value in row.items() if math.isfinite(value)}


def _events(folder: Path, say: Callable[[str], None]) -> Events | None:
    try:
        from restore_rt.training.loop.events import Events
    except ImportError:
        say("tensorboard is not installed, so no event files are written: pip install tensorboard")
        return None
    return Events(folder)
