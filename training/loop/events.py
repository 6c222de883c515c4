"""TensorBoard's event files.

PyTorch's own writer leaves the writing to a thread, which a full disk ends with a traceback; here
the caller writes, and gets the error. Needs tensorboard.
"""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # type: ignore[import-untyped]
from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]
from torch.utils.tensorboard.summary import image, scalar

__all__ = ["Events"]


class Events:
    """Figures and pictures for TensorBoard, in `folder`, which is made when the first come."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: Path | None = None

    def add(self, step: int, figures: Mapping[str, float], grid: NDArray[np.uint8]) -> None:
        """Write the figures of a step and its sample grid (H, W, 3).

        Raises `OSError` if they cannot be written; the next ones go to another file.
        """
        data = io.BytesIO()
        records = RecordWriter(data)

        def write(**content: object) -> None:
            records.write(Event(wall_time=time.time(), **content).SerializeToString())

        file = self._file
        if file is None:
            write(file_version="brain.Event:2")
            # Hides what a run that was broken off wrote of this step and of later ones.
            write(step=step, session_log=SessionLog(status=SessionLog.START))
            name = f"{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{step}"
            file = self.folder / f"events.out.tfevents.{name}"
        for name, value in figures.items():
            write(step=step, summary=scalar(name, value))  # type: ignore[no-untyped-call]
        picture = image("samples", grid, dataformats="HWC")  # type: ignore[no-untyped-call]
        write(step=step, summary=picture)
        # Half a record may be left at the end of a file that could not be written.
        self._file = None
        self.folder.mkdir(exist_ok=True)
        with file.open("ab") as end:
            end.write(data.getvalue())
        self._file = file
