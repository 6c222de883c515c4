"""Make the demonstration clip: a short comic, drawn and set to music by the code in ``clip/``.

``python examples/make_clip.py`` writes ``examples/panels.mp4``: 10 s, 640x360, 24 frames a second,
drawn at 1280x720 and scaled down. ``--truth FILE`` also writes the losslessly encoded original at
1280x720, to measure an enlarged clip against.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

from clip.encode import Encoder
from clip.music import SAMPLE_RATE, soundtrack
from clip.story import FRAMES, RATE, Story
from PIL import Image

TRUTH_SIZE = (1280, 720)
CLIP_SIZE = (640, 360)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line."""
        self.exit(2, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = _Parser(description="Draw the demonstration clip.")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path(__file__).with_name("panels.mp4"), metavar="FILE"
    )
    parser.add_argument(
        "--truth", type=Path, metavar="FILE", help="also write the lossless 1280x720 original"
    )
    parser.add_argument("--crf", type=int, default=27, help="x264 quality, 0 to 51 (default 27)")
    chosen = parser.parse_args(arguments)
    if not 0 <= chosen.crf <= 51:
        parser.error(f"--crf is {chosen.crf}; allowed are 0 to 51")
    for path in filter(None, (chosen.output, chosen.truth)):
        if path.suffix != ".mp4":
            parser.error(f"{path} is not named .mp4; that is the one format written")
        if not path.parent.is_dir():
            parser.error(f"the folder {path.parent} does not exist; create it first")

    sound = soundtrack()
    story = Story()
    with ExitStack() as stack:
        clip = stack.enter_context(
            Encoder(
                chosen.output,
                CLIP_SIZE,
                rate=RATE,
                options={"crf": str(chosen.crf), "preset": "slow"},
                sound=sound,
                sample_rate=SAMPLE_RATE,
            )
        )
        truth = None
        if chosen.truth:
            lossless = {"qp": "0", "preset": "fast"}
            truth = stack.enter_context(
                Encoder(chosen.truth, TRUTH_SIZE, rate=RATE, options=lossless)
            )
        for index in range(FRAMES):
            original = story.frame(index, TRUTH_SIZE)
            clip.write(original.resize(CLIP_SIZE, Image.Resampling.BICUBIC))
            if truth:
                truth.write(original)
            if (index + 1) % 24 == 0:
                print(f"{index + 1} of {FRAMES} frames", file=sys.stderr)
    print(f"{chosen.output}: {chosen.output.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
