"""Chroma on the CPU: enlarged beside the luma that a network restores."""

from __future__ import annotations

from restore_rt import _ext
from restore_rt.frames import Planes

__all__ = ["enlarge_chroma"]


def enlarge_chroma(out: Planes, planes: Planes, *, scale: int, threads: int) -> None:
    """Write the chroma of a frame enlarged ``scale`` times, bicubic, with its siting kept.

    Parameters
    ----------
    out
        As ``planes.empty_like(scale)`` makes it.
    planes
        The frame; a grey one has none.
    scale
        1 to 8.
    threads
        CPU threads.
    """
    for source, target in ((planes.cb, out.cb), (planes.cr, out.cr)):
        if source is not None and target is not None:
            _ext.upsample_plane_into(
                target,
                source,
                scale=scale,
                phase=planes.chroma_phase,
                peak=planes.peak,
                threads=threads,
            )
