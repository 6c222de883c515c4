"""Writes frames and sound as H.264 and AAC in MP4, tagged BT.709, limited range."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Encoder"]

_BT709 = 1


class Encoder:
    """One output file; it appears at ``path`` when the ``with`` block ends without an error.

    Parameters
    ----------
    path
        File to write, ``.mp4``.
    size
        (width, height) of the frames, both even.
    rate
        Frames a second.
    options
        libx264's own options, such as ``{"crf": "26", "preset": "slow"}``.
    sound
        Stereo sound to lay under the frames, shape (2, n), float32, at ``sample_rate``.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        *,
        rate: int,
        options: dict[str, str],
        sound: NDArray[np.float32] | None = None,
        sample_rate: int = 48_000,
    ) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        # Without "bitexact" the file would carry the library's version.
        flags = {"movflags": "+faststart", "fflags": "+bitexact"}
        self._file = av.open(str(self._part), "w", format="mp4", options=flags)
        # One thread: the encoder's decisions depend on how many there are.
        video: Any = self._file.add_stream(
            "libx264", rate=rate, options={"threads": "1", "flags": "+bitexact", **options}
        )
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        context = video.codec_context
        context.time_base = Fraction(1, rate)
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = ColorRange.MPEG
        self._video = video
        self._index = 0
        self._sound: NDArray[np.float32] | None = sound
        self._sample_rate = sample_rate
        self._audio: Any = None
        if sound is not None:
            self._audio = self._file.add_stream("aac", rate=sample_rate)
            self._audio.layout = "stereo"
            self._audio.bit_rate = 96_000
            self._audio.codec_context.options = {"flags": "+bitexact"}

    def __enter__(self) -> Encoder:
        """Return the encoder itself."""
        return self

    def write(self, image: Image.Image) -> None:
        """Encode the next frame."""
        frame = av.VideoFrame.from_ndarray(np.asarray(image), format="rgb24").reformat(
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation="BICUBIC",
        )
        frame.pts, frame.time_base = self._index, self._video.codec_context.time_base
        self._index += 1
        self._file.mux(self._video.encode(frame))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish the file and give it its name, or remove it after an error."""
        try:
            if kind is None:
                self._finish()
        finally:
            self._file.close()
            if kind is not None:
                self._part.unlink(missing_ok=True)
        if kind is None:
            self._part.replace(self._path)

    def _finish(self) -> None:
        self._file.mux(self._video.encode(None))
        if self._sound is None:
            return
        block = 1024
        for start in range(0, self._sound.shape[1], block):
            part = np.ascontiguousarray(self._sound[:, start : start + block])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate = self._sample_rate
            frame.pts, frame.time_base = start, Fraction(1, self._sample_rate)
            self._file.mux(self._audio.encode(frame))
        self._file.mux(self._audio.encode(None))
