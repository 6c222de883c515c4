"""What restoring a clip cannot keep, whatever it is written to."""

from __future__ import annotations

from collections.abc import Mapping

import av
from av.video.stream import VideoStream

from restore_rt.video.colour import ColourTags
from restore_rt.video.pixels import PixelLayout

__all__ = ["losses"]

_KEPT_NOWHERE = (
    ("DYNAMIC_HDR_PLUS", "HDR10+ metadata"),
    ("DYNAMIC_HDR_VIVID", "HDR Vivid metadata"),
    ("DOVI_METADATA", "Dolby Vision metadata"),
    ("A53_CC", "captions inside the video stream"),
    ("SPHERICAL", "the mapping of a 360 degree picture"),
    ("STEREO3D", "the arrangement of two eyes' views"),
)


def losses(
    stream: VideoStream,
    picture: av.VideoFrame,
    layout: PixelLayout,
    tags: ColourTags,
    extras: Mapping[str, bytes],
    *,
    as_rgb: bool,
) -> list[str]:
    """Tell what restoring a clip cannot keep, by its first picture."""
    notes = []
    hidden = stream.metadata.get("alpha_mode") == "1"  # the decoder passes over it
    if (layout.has_alpha and not as_rgb) or hidden:
        notes.append("alpha is dropped: video is restored without transparency")
    if picture.interlaced_frame:
        notes.append("the clip is interlaced, and its fields are left woven")
    if layout.reading == "convert" and not as_rgb and not picture.format.is_rgb:
        notes.append(f"{picture.format.name} becomes {layout.name}")
    if tags.location not in ("", "left", "center", "topleft"):
        notes.append(f"chroma at {tags.location!r} is enlarged as if it were left")
    for kind, name in _KEPT_NOWHERE:
        if kind in extras:
            notes.append(f"{name} cannot be kept")
    return notes
