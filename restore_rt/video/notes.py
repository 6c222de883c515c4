"""Notes on what a result cannot keep, or has otherwise than its source."""

from __future__ import annotations

from restore_rt.chroma import BICUBIC
from restore_rt.video.codecs import EncoderSettings
from restore_rt.video.colour import ColourTags, matrix_name
from restore_rt.video.hdr import StaticHdr
from restore_rt.video.pixels import PixelLayout
from restore_rt.video.reader import VideoReader

__all__ = ["chroma_notes", "tag_notes"]


def chroma_notes(reader: VideoReader, chroma: str) -> list[str]:
    """Tell if the network that enlarges chroma cannot be used for this clip."""
    if chroma == BICUBIC:
        return []
    siting = reader.tags.siting(centred=reader.centred_chroma)
    if not reader.layout.name.startswith("yuv420"):
        why = f"its pixel format is {reader.layout.name}, and the network is for 4:2:0"
    elif siting != "left":
        why = f"its siting is {siting}, and the network is for left"
    else:
        return []
    return [f"chroma is enlarged by bicubic: {why}"]


def tag_notes(
    reader: VideoReader, tags: ColourTags, settings: EncoderSettings, layout: PixelLayout
) -> list[str]:
    """Tell what becomes of the pixel format, the matrix and HDR metadata."""
    notes = []
    if layout.name != reader.layout.name:
        notes.append(
            f"{reader.layout.name} is written as {layout.name}; --pixel-format keep keeps it"
        )
    if tags.matrix != reader.tags.matrix:
        notes.append(
            f"no colour matrix is named; the result names {matrix_name(tags.matrix)}, "
            "as players assume for the clip's size: for the new size they would assume another"
        )
    if StaticHdr.of(reader.extras) and not settings.keeps_hdr:
        notes.append(f"static HDR metadata cannot be kept in {settings.codec}")
    return notes
