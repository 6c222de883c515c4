"""Figures of a whole clip's luma: VMAF and VMAF-NEG as libvmaf gives them, and flicker."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError, RestoreError

__all__ = ["NO_FFMPEG", "find_ffmpeg", "flicker", "measure_clip", "vmaf"]

U8 = NDArray[np.uint8]

NO_FFMPEG = "no ffmpeg with libvmaf is on PATH; pip install imageio-ffmpeg"
_MODELS = {"vmaf": "vmaf_v0.6.1", "vmaf_neg": "vmaf_v0.6.1neg"}
# libvmaf fails where a side is shorter.
_SMALLEST = 32
# Levels of 255 by which a pixel that stands still may change, by noise and by rounding.
_STILL = 2
# The part of a clip's pixels that must stand still before flicker means something.
_LEAST_STILL = 0.01


@cache
def find_ffmpeg() -> str | None:
    """Return an ffmpeg with libvmaf: the one on PATH, or that of imageio-ffmpeg, or None."""
    found = [shutil.which("ffmpeg")]
    with suppress(ImportError, RuntimeError):
        import imageio_ffmpeg

        found.append(imageio_ffmpeg.get_ffmpeg_exe())
    for program in found:
        # One that cannot be run is none.
        with suppress(OSError):
            if program is not None and " libvmaf " in _filters(program):
                return program
    return None


def _filters(program: str) -> str:
    command = [program, "-hide_banner", "-filters"]
    return subprocess.run(command, capture_output=True, text=True).stdout


def measure_clip(restored: Sequence[U8], truth: Sequence[U8]) -> dict[str, float]:
    """Measure what can be measured of ``vmaf``, ``vmaf_neg`` and ``flicker``.

    Parameters
    ----------
    restored, truth
        Frames of luma (H, W).

    Returns
    -------
    dict
        Figures by name. VMAF is left out where `find_ffmpeg` finds none or a side is below 32,
        flicker where `flicker` returns None.
    """
    figures: dict[str, float] = {}
    if find_ffmpeg() is not None and min(truth[0].shape) >= _SMALLEST:
        figures |= vmaf(restored, truth)
    changes = flicker(restored, truth)
    return figures if changes is None else {**figures, "flicker": changes}


def vmaf(restored: Sequence[U8], truth: Sequence[U8]) -> dict[str, float]:
    """Measure VMAF and VMAF-NEG of frames of luma (H, W), of at least 32x32.

    The last row or column of an odd side does not count.

    Both are from 0 to 100, libvmaf's pooled means over the frames, by its models v0.6.1 and
    v0.6.1neg; after Li et al., "Toward a Practical Perceptual Video Quality Metric", 2016.

    Returns
    -------
    dict
        ``vmaf`` and ``vmaf_neg``.

    Raises
    ------
    InputError
        There is no ffmpeg with libvmaf.
    RestoreError
        It failed.
    """
    program = find_ffmpeg()
    if program is None:
        raise InputError(f"VMAF cannot be measured: {NO_FFMPEG}")
    height, width = (side // 2 * 2 for side in truth[0].shape)
    models = "|".join(f"version={version}\\:name={name}" for name, version in _MODELS.items())
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "-v", "error", "-nostdin"]
        for name, frames in (("restored", restored), ("truth", truth)):
            # VMAF reads luma alone: chroma is left grey.
            chroma = np.full(height * width // 2, 128, np.uint8).tobytes()
            planes = (frame[:height, :width].tobytes() + chroma for frame in frames)
            Path(folder, name).write_bytes(b"".join(planes))
            command += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{width}x{height}"]
            command += ["-i", name]
        graph = f"libvmaf=model='{models}':n_threads=1:log_fmt=json:log_path=log.json"
        command += ["-lavfi", graph, "-f", "null", "-"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise RestoreError(f"{program} cannot measure VMAF: {done.stderr.strip()}")
        pooled = json.loads(Path(folder, "log.json").read_text("utf-8"))["pooled_metrics"]
    return {name: float(pooled[name]["mean"]) for name in _MODELS}


def flicker(restored: Sequence[U8], truth: Sequence[U8]) -> float | None:
    """Measure how much a restored clip changes where the original stands still.

    The mean absolute change between neighbouring frames over the pixels whose original changes by
    no more than two levels, divided by the mean absolute gradient of the restored frames,
    because changes are harder to see in a sharper picture.

    Parameters
    ----------
    restored, truth
        Frames of luma (H, W).

    Returns
    -------
    float or None
        None if less than a hundredth of the original stands still, or there is one frame.
    """
    changes = still = 0
    gradients: list[float] = []
    for index in range(1, len(truth)):
        before, after = (truth[i].astype(np.int16) for i in (index - 1, index))
        unchanged = np.abs(after - before) <= _STILL
        first, second = (restored[i].astype(np.int16) for i in (index - 1, index))
        changes += int(np.abs(second - first)[unchanged].sum())
        still += int(unchanged.sum())
        gradients += [float(np.abs(np.diff(second, axis=axis)).mean()) for axis in (0, 1)]
    if len(truth) < 2 or still < _LEAST_STILL * truth[0].size * (len(truth) - 1):
        return None
    return changes / still / max(float(np.mean(gradients)), 1e-6)
