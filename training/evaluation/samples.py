"""Samples of an evaluation: degraded pictures and clips with their originals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError
from restore_rt.images import READABLE, read_picture
from restore_rt.training.data.clips import read_clip
from restore_rt.training.data.pictures import crc_of_name, read_rgb
from restore_rt.training.dataset.folders import find_tree
from restore_rt.training.degradations import STEPS, Clip, Step, degrade, parse_spec
from restore_rt.training.degradations.codecs import Jpeg
from restore_rt.training.degradations.motion import REACH, drifting, whole
from restore_rt.training.degradations.resizing import Reduce, Rescale
from restore_rt.training.degradations.video import VIDEO_STEPS, check_pyav

__all__ = [
    "CLIP_FRAMES",
    "VIDEOS",
    "Sample",
    "find_files",
    "generator_for",
    "load_sample",
    "read_steps",
]

U8 = NDArray[np.uint8]

VIDEOS = (".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".ts", ".webm", ".y4m")
# As long a clip as a still becomes for a video codec.
CLIP_FRAMES = 16
# Steps that take a grey frame (H, W) and give one.
_GREY_STEPS = (Jpeg, Reduce, Rescale)


@dataclass(frozen=True)
class Sample:
    """A picture or a clip: its frames as they were and damaged, of one size each.

    Originals are (s*h, s*w, 3) or grey (s*h, s*w), inputs (h, w, 3) or (h, w); uint8.
    """

    name: str
    originals: list[U8]
    inputs: list[U8]

    @property
    def middle(self) -> int:
        """The frame that stands for the clip where one picture is looked at."""
        return len(self.originals) // 2


def read_steps(text: str | None, scale: int) -> tuple[Step, ...]:
    """Read what happens to the pictures, written as `parse_spec` takes it, for models of a scale.

    None is reduction by `scale` alone. Raises `InputError` if it is not so written, its results do
    not have the size that the models need, or a library that it needs is missing.
    """
    if text is None:
        if scale == 1:
            raise InputError(
                "models that keep the size need damage to repair; give --degrade, for example "
                f"--degrade jpeg:30 (there are {', '.join(sorted(STEPS))})"
            )
        return (Reduce(),)
    steps = parse_spec(text)
    if not steps:
        raise InputError(f"--degrade is {text!r}, which does nothing; name a degradation")
    reductions = sum(isinstance(step, Reduce) for step in steps)
    if reductions != (scale > 1):
        allowed = "one step 'reduce'" if scale > 1 else "no step 'reduce'"
        raise InputError(
            f"--degrade is {text!r}, with {reductions} steps 'reduce'; models that enlarge {scale} "
            f"times need {allowed}"
        )
    for step in steps:
        if isinstance(step, VIDEO_STEPS):
            check_pyav(step.kind)
    if any(isinstance(step, VIDEO_STEPS) and step.luma for step in steps):
        raise InputError(
            f"--degrade is {text!r}, but frames of luma alone are for training; leave luma=yes out"
        )
    return steps


def find_files(folder: Path) -> list[Path]:
    """Return the pictures and videos in a folder and below, ordered by name.

    Raises `InputError` if the folder is missing, it or one below cannot be listed, or there are
    none.
    """
    tree = find_tree(folder, suffixes={*READABLE, *VIDEOS}, what="pictures or videos")
    return [folder / file for file in tree.files]


def generator_for(path: Path) -> np.random.Generator:
    """Return where the damage of a file comes from: its name alone decides."""
    return np.random.default_rng(crc_of_name(path.name))


def load_sample(
    path: Path, steps: Sequence[Step], *, scale: int, frames: int, root: Path | None = None
) -> Sample:
    """Read a picture or a video and damage it; the same on every machine for one file name.

    A still that goes through a video codec becomes a clip first, over which a camera drifts: frames
    that others refer to are coded better, and most of a frame is predicted, as in real video. A
    grey picture stays grey where every step allows that, else it is treated as RGB. Samples of more
    than 8 bits are rounded, and alpha is left out.

    The sides are cut to multiples of `scale`; at most `frames` are taken of a video, or made of a
    still. The sample is called after the path below `root`, by default after the file's name.

    Raises `MediaError` if it cannot be read, `InputError` if it is too small.
    """
    rng = generator_for(path)
    if path.suffix.lower() in VIDEOS:
        originals = [*read_clip(path, frames)]
    else:
        picture = _read_still(path, keep_grey=all(isinstance(step, _GREY_STEPS) for step in steps))
        originals = [picture]
        if any(isinstance(step, VIDEO_STEPS) for step in steps):
            # A small picture keeps most of what it shows.
            reach = min(REACH, min(picture.shape[:2]) // 4)
            originals = drifting(picture, min(frames, CLIP_FRAMES), rng, reach=reach)
    if min(originals[0].shape[:2]) < scale:
        raise InputError(f"{path} is too small to be reduced {scale} times")
    clip: Clip = [whole(frame, scale) for frame in originals]
    name = path.name if root is None else path.relative_to(root).as_posix()
    return Sample(name, clip, degrade(steps, clip, rng, scale=scale))


def _read_still(path: Path, *, keep_grey: bool) -> U8:
    rgb = read_rgb(path)
    # Grey is what has no more than a channel besides its alpha.
    if keep_grey and np.atleast_3d(read_picture(path).pixels).shape[2] < 3:
        return np.ascontiguousarray(rgb[..., 0])
    return rgb
