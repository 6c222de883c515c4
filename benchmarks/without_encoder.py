"""`restore-rt` with an encoder that throws its frames away: what is left is the product's own time.

Reader, restorer and writer are the command's own, and sound and the rest are written. It is not an
option of the command, which has no use for a file without its video.
"""

from __future__ import annotations

from unittest.mock import patch

import av

from restore_rt.cli import main
from restore_rt.video import pipeline
from restore_rt.video.writer import VideoWriter


class WithoutEncoder(VideoWriter):
    """Opens the encoder, and never gives it a frame."""

    def encode(self, frame: av.VideoFrame, *, pts: int, duration: int) -> None:
        """Throw the frame away."""


if __name__ == "__main__":
    with patch.object(pipeline, "VideoWriter", WithoutEncoder):
        main()
