"""Which pixels ``restore-rt inpaint`` replaces: masks in files, and rectangles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.cli.console import note
from restore_rt.errors import InputError
from restore_rt.files import check_target
from restore_rt.folders import make_folder
from restore_rt.images import READABLE
from restore_rt.images.masks import check_mask_target, is_turned, read_mask, write_mask
from restore_rt.inpaint import grown, rectangles

if TYPE_CHECKING:
    from restore_rt.cli.paths import Job

__all__ = ["Masks", "parse_rectangle"]


def parse_rectangle(text: str) -> tuple[int, int, int, int]:
    """Return the rectangle that ``--rect`` names: x, y, width and height.

    Raises
    ------
    InputError
        It is not ``X,Y,W,H``.
    """
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() for part in parts):
        raise InputError(
            f"--rect is {text!r}; give x, y, width and height in pixels, like 120,40,64,64"
        )
    x, y, width, height = map(int, parts)
    return x, y, width, height


@dataclass
class Masks:
    """The masks of a run.

    Parameters
    ----------
    jobs
        The pictures.
    output
        What ``--output`` names.
    source
        The file or the folder that ``--mask`` names.
    rects
        As ``parse_rectangle`` gives them, for every picture.
    growth
        Pixels by which masks grow on all sides.
    save
        What ``--save-mask`` names: a file for one picture, else a folder.
    max_pixels, overwrite
        As for ``read_mask`` and ``write_mask``.

    Attributes
    ----------
    shares
        Of each picture's pixels, how many are replaced, from 0 to 1.

    Raises
    ------
    InputError
        Nothing says what is to be replaced, or a mask has no name to be saved by.
    """

    jobs: Sequence[Job]
    output: Path
    source: Path | None = None
    rects: Sequence[tuple[int, int, int, int]] = ()
    growth: int = 0
    save: Path | None = None
    max_pixels: int = 1
    overwrite: bool = False
    shares: dict[Path, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check, before any work, what can be checked."""
        if self.source is None and not self.rects:
            raise InputError(
                "nothing says what is to be replaced: give --mask, a file or folder with white "
                "where pixels are replaced, or --rect X,Y,W,H"
            )
        if self.source is not None and not self.source.exists():
            raise InputError(f"--mask is {self.source}, and there is no such file or folder")
        if self.save is None:
            return
        targets = [self._saved_as(job) for job in self.jobs]
        taken = {path.resolve() for job in self.jobs for path in (job.source, job.target)}
        if self.source is not None:
            taken |= {self._file_for(job).resolve() for job in self.jobs if self._has_file(job)}
        for target in targets:
            check_mask_target(target)
            if target.resolve() in taken:
                raise InputError(f"--save-mask would write to {target}, which is in use already")
            if target.parent.exists():
                check_target(target, overwrite=self.overwrite)
        if len(set(targets)) < len(targets):
            raise InputError(
                f"--save-mask is {self.save}, where several masks would have one name; give a "
                "folder, and pictures with different names"
            )

    def of(self, job: Job, pixels: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the mask of a picture, after saving it where that is wanted.

        Raises
        ------
        InputError
            There is no mask for it, or it does not fit.
        MediaError, OutputError
            The mask cannot be read or saved.
        """
        mask = rectangles(pixels.shape, self.rects)
        if self.source is not None:
            path = self._file_for(job)
            mask |= self._fitting(read_mask(path, max_pixels=self.max_pixels), path, job, pixels)
        mask = grown(mask, self.growth)
        self.shares[job.source] = float(np.count_nonzero(mask) / mask.size)
        if not mask.any():
            note(f"{job.source}: the mask marks nothing, so that nothing is replaced")
        if self.save is not None:
            target = self._saved_as(job)
            make_folder(target.parent)
            write_mask(target, mask, overwrite=self.overwrite)
        return mask

    def _fitting(
        self, mask: NDArray[np.uint8], path: Path, job: Job, pixels: NDArray[Any]
    ) -> NDArray[np.uint8]:
        height, width = pixels.shape[:2]
        turned = is_turned(job.source)
        if mask.shape != (height, width):
            swapped = mask.shape == (width, height)
            why = ""
            if turned and swapped:
                why = " upright, as its camera says that it is turned (EXIF)"
            raise InputError(
                f"the mask {path} is {mask.shape[1]}x{mask.shape[0]}, and {job.source} is "
                f"{width}x{height}{why}: draw the mask on the picture as it is shown, in its size"
            )
        if turned and not is_turned(path):
            note(
                f"{job.source} is turned upright, as its camera says (EXIF); {path} is taken to be "
                "drawn on it upright"
            )
        return mask

    def _relative(self, job: Job) -> Path:
        """Return a picture's place in the output folder."""
        if job.target == self.output:
            return Path(job.source.name)
        return job.target.relative_to(self.output).with_name(job.source.name)

    def _has_file(self, job: Job) -> bool:
        try:
            self._file_for(job)
        except InputError:
            return False
        return True

    def _file_for(self, job: Job) -> Path:
        """Return the mask of a picture: of its name, with any suffix, or the one for all."""
        assert self.source is not None
        if not self.source.is_dir():
            return self.source
        wanted = self.source / self._relative(job)
        if wanted.is_file():
            return wanted
        found = [
            path
            for path in sorted(wanted.parent.glob("*"))
            if path.stem == wanted.stem and path.suffix.lower() in READABLE
        ]
        if len(found) == 1:
            return found[0]
        if not found:
            raise InputError(
                f"there is no mask for {job.source}: looked for {wanted.with_suffix('')} with the "
                f"suffix of a picture; give it that name, or one --mask FILE for all"
            )
        raise InputError(
            f"there are several masks for {job.source}: {', '.join(map(str, found))}; leave one"
        )

    def _saved_as(self, job: Job) -> Path:
        assert self.save is not None
        if len(self.jobs) == 1 and self.save.suffix and not self.save.is_dir():
            return self.save
        return self.save / self._relative(job).with_suffix(".png")
