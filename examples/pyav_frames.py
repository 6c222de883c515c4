"""Restore a video's frames and keep their times: ``python examples/pyav_frames.py in.mp4 out.mp4``.

PyAV decodes and encodes. Each result gets the timestamp and the time base of the frame that it was
made from, so that a variable frame rate stays as it was.
"""

import sys
from fractions import Fraction

import av

import restore_rt


def main(source: str, target: str) -> None:
    """Decode, restore and encode the frames of a video."""
    with restore_rt.load("video-x2") as restorer, av.open(source) as video:
        stream = video.streams.video[0]
        with av.open(target, "w") as output:
            encoder = output.add_stream("libx264", rate=stream.average_rate)
            encoder.width, encoder.height = (
                side * restorer.scale for side in (stream.width, stream.height)
            )
            encoder.pix_fmt = "yuv420p"
            encoder.codec_context.time_base = stream.time_base or Fraction(1, 90_000)
            for frame in video.decode(stream):
                larger = restorer(frame.to_ndarray(format="rgb24"))
                result = av.VideoFrame.from_ndarray(larger, format="rgb24")
                result.pts, result.time_base = frame.pts, frame.time_base
                output.mux(encoder.encode(result))
            output.mux(encoder.encode(None))


if __name__ == "__main__":
    main(*sys.argv[1:])
