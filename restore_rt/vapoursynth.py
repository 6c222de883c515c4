"""Clips of VapourSynth: a filter for scripts, with as many frames in work as a stream has."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from restore_rt.chroma import BICUBIC
from restore_rt.errors import InputError, MissingBackendError
from restore_rt.frames import ChromaSiting, Planes
from restore_rt.loading import load
from restore_rt.options import Backend, Precision
from restore_rt.restorer import Restorer
from restore_rt.threads import thread_count

if TYPE_CHECKING:
    import vapoursynth as vs

__all__ = ["restore"]

# As in a Restorer's stream: more than these share the memory's bandwidth.
_MOST_WORKERS = 4

_UNSPECIFIED = 2
_BT709 = 1
_BT601 = 6

# VapourSynth's numbers of chroma locations that lie between luma columns, and those between rows.
_CENTRED_ACROSS = (1, 3, 5)
_CENTRED_DOWN = (0, 1)
_LOCATIONS = ("left", "center", "top_left", "top", "bottom_left", "bottom")


def restore(
    clip: vs.VideoNode,
    model: str | os.PathLike[str] = "video-x2",
    *,
    device: str = "auto",
    backend: Backend = "auto",
    precision: Precision = "auto",
    threads: int | None = None,
    workers: int | None = None,
    chroma: str | os.PathLike[str] = BICUBIC,
    matrix: int | None = None,
) -> vs.VideoNode:
    """Restore a clip of VapourSynth.

    Parameters
    ----------
    clip
        Of one format and size: RGB24, RGB48 or RGBS, and for a luma model also GRAY or YUV in 8 to
        16 bits.
    model, device, backend, precision, chroma
        As for ``restore_rt.load``.
    threads
        CPU threads, shared out among the frames in work; by default all that the process may use.
    workers
        Frames in work at once; by default one for each thread, and at most 4. VapourSynth runs no
        more of them than ``core.num_threads``.
    matrix
        The number of the matrix that frames have whose ``_Matrix`` is missing or 2, unspecified. By
        default it is what players assume for their size: BT.709 (1) from a width of 1280 or a
        height of 577 on, and BT.601 (6) below.

    Returns
    -------
    VideoNode
        A clip of the same format, length and rate, ``scale`` times as large. All frame properties
        are kept; ``_Matrix`` is set where it was unspecified and ``matrix`` is given, or players
        would assume another one for the new size than for the old.

    Raises
    ------
    InputError
        The clip's format or an option is not allowed. Frames that are interlaced by their
        ``_FieldBased``, or whose ``_ChromaLocation`` is not allowed, raise when they are requested.
    ModelError, BackendError
        As for ``restore_rt.load``.
    """
    vapoursynth = _vapoursynth()
    total = thread_count(threads)
    if workers is None:
        workers = min(total, _MOST_WORKERS)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise InputError(f"workers is {workers!r}; it must be a whole number from 1 on")
    if matrix is not None and (not isinstance(matrix, int) or matrix in (0, 2, 3)):
        raise InputError(
            f"matrix is {matrix!r}; it must be a matrix of Y'CbCr, such as vs.MATRIX_BT709"
        )
    _check_constant(clip)
    restorer = load(
        model,
        device=device,
        backend=backend,
        precision=precision,
        threads=max(1, total // workers),
        chroma=chroma,
    )
    _check_format(vapoursynth, clip, restorer)
    supported = _supported(vapoursynth, clip)
    restored = _in_parallel(
        vapoursynth, supported, _Filter(vapoursynth, restorer, matrix), workers, restorer.scale
    )
    if supported is clip:
        return restored
    return vapoursynth.core.resize.Bicubic(restored, format=clip.format.id)


def _vapoursynth() -> Any:
    try:
        import vapoursynth
    except ImportError as error:
        raise MissingBackendError(
            f"VapourSynth cannot be loaded ({error}): install it with `pip install "
            "'restore-rt[vapoursynth]'`, for which Python must be 3.12 or newer"
        ) from error
    return vapoursynth


def _check_constant(clip: vs.VideoNode) -> None:
    # Where it varies, older versions give None, newer ones the format NONE, whose number is 0.
    if clip.format is None or not (clip.format.id and clip.width and clip.height):
        raise InputError(
            "the clip's format or size changes from frame to frame; it must be constant: cut the "
            "clip where it changes, or convert all of it with "
            "core.resize.Bicubic(clip, width, height, format=vs.YUV420P8)"
        )


def _check_format(vapoursynth: Any, clip: vs.VideoNode, restorer: Restorer) -> None:
    """Raise ``InputError`` unless the model takes clips of this format."""
    has, name = clip.format, restorer.manifest.name
    integer = has.sample_type == vapoursynth.INTEGER
    if has.color_family == vapoursynth.RGB:
        if has.bits_per_sample in ((8, 16) if integer else (32,)):
            return
        takes = "takes RGB24, RGB48 and RGBS"
        convert = "core.resize.Bicubic(clip, format=vs.RGB48)"
    elif restorer.manifest.colour != "luma":
        takes = "is an RGB model, which takes RGB24, RGB48 and RGBS"
        convert = (
            "core.resize.Bicubic(clip, format=vs.RGB24, matrix_in=vs.MATRIX_BT709), or the "
            "matrix that the clip has"
        )
    elif not integer or has.bits_per_sample > 16:
        takes = "takes GRAY and YUV of whole numbers in 8 to 16 bits"
        grey = has.color_family == vapoursynth.GRAY
        convert = f"core.resize.Bicubic(clip, format=vs.{'GRAY16' if grey else 'YUV420P8'})"
    else:
        return
    raise InputError(f"the clip is {has.name}, and {name} {takes}: convert it with {convert}")


def _supported(vapoursynth: Any, clip: vs.VideoNode) -> Any:
    """Return the clip, its chroma in the next format that ``Planes`` has.

    4:1:1 becomes 4:2:2, 4:1:0 becomes 4:2:0, and 4:4:0 becomes 4:4:4.
    """
    has = clip.format
    across, down = min(has.subsampling_w, 1), min(has.subsampling_h, 1)
    if not across:
        down = 0
    if (across, down) == (has.subsampling_w, has.subsampling_h):
        return clip
    wanted = vapoursynth.core.query_video_format(
        has.color_family, has.sample_type, has.bits_per_sample, across, down
    )
    return vapoursynth.core.resize.Bicubic(clip, format=wanted.id)


def _in_parallel(
    vapoursynth: Any,
    clip: vs.VideoNode,
    work: Callable[[int, vs.VideoFrame], vs.VideoFrame],
    workers: int,
    scale: int,
) -> Any:
    """Return a clip whose frames ``work`` makes, up to ``workers`` at once.

    ModifyFrame calls its function for one frame at a time, so that each worker is one of its own,
    for every so-manyth frame.
    """
    std = vapoursynth.core.std
    workers = min(workers, clip.num_frames)

    def worker(number: int) -> Any:
        part = clip
        if workers > 1:
            part = std.SelectEvery(clip, cycle=workers, offsets=number, modify_duration=False)
        size = {"width": clip.width * scale, "height": clip.height * scale}
        # ModifyFrame takes format, size and length from it, and asks it for no frame.
        like = std.BlankClip(part, **size, keep=True)
        return std.ModifyFrame(like, clips=part, selector=work)

    parts = [worker(number) for number in range(workers)]
    return std.Interleave(parts, modify_duration=False) if workers > 1 else parts[0]


class _Filter:
    """Makes a restored frame of a frame; called from several threads.

    Parameters
    ----------
    vapoursynth
        Its module, whose core allocates the frames.
    restorer
        Restores them.
    matrix
        What an unspecified matrix means; None means what players assume.
    """

    def __init__(self, vapoursynth: Any, restorer: Restorer, matrix: int | None) -> None:
        self._core, self._rgb = vapoursynth.core, vapoursynth.RGB
        self._restorer = restorer
        self._matrix = matrix

    def __call__(self, n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        """Restore a frame; VapourSynth passes the arguments by these names."""
        if f.props.get("_FieldBased", 0):
            raise InputError(
                f"a frame is interlaced (_FieldBased is {int(f.props['_FieldBased'])}), which no "
                "model restores: deinterlace the clip, or, if it is progressive, call "
                "core.std.SetFieldBased(clip, 0)"
            )
        scale = self._restorer.scale
        out = self._core.create_video_frame(f.format, f.width * scale, f.height * scale)
        rgb = f.format.color_family == self._rgb
        if not rgb:
            siting = _siting(f)
            self._restorer(_planes(f, siting), out=_planes(out, siting))
        else:
            self._restore_rgb(f, out)
        out.props.update(f.props)
        if not rgb and f.props.get("_Matrix", _UNSPECIFIED) == _UNSPECIFIED:
            meant = _assumed_matrix(f) if self._matrix is None else self._matrix
            if self._matrix is not None or meant != _assumed_matrix(out):
                out.props["_Matrix"] = meant
        return out

    def _restore_rgb(self, f: vs.VideoFrame, out: vs.VideoFrame) -> None:
        # A frame's three planes lie apart, which no array can say: they are put one after another.
        frame = np.stack([np.asarray(plane) for plane in f])
        made = self._restorer(np.moveaxis(frame, 0, 2))
        for number in range(3):
            np.asarray(out[number])[...] = made[..., number]


def _planes(frame: vs.VideoFrame, siting: ChromaSiting) -> Planes:
    """Return a frame's planes, in its own memory."""
    y, *chroma = (np.asarray(plane) for plane in frame)
    cb, cr = chroma if chroma else (None, None)
    return Planes(y, cb, cr, bit_depth=frame.format.bits_per_sample, siting=siting)


def _siting(frame: vs.VideoFrame) -> ChromaSiting:
    """Return where chroma lies, which is on the left where nothing says so."""
    location = int(frame.props.get("_ChromaLocation", 0))
    across: ChromaSiting = "center" if location in _CENTRED_ACROSS else "left"
    if not frame.format.subsampling_h:
        return across
    if location in _CENTRED_DOWN:
        return across
    if location == 2:
        return "topleft"
    name = _LOCATIONS[location] if location < len(_LOCATIONS) else "unknown"
    raise InputError(
        f"a frame's _ChromaLocation is {location} ({name}); allowed are 0 (left), 1 (center) and "
        "2 (top_left): convert the clip with core.resize.Bicubic(clip, chromaloc=0)"
    )


def _assumed_matrix(frame: vs.VideoFrame) -> int:
    """Return the matrix that players assume for a frame's size."""
    return _BT709 if frame.width >= 1280 or frame.height > 576 else _BT601
