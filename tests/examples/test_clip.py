"""The demonstration clip is what `make demo` and the documentation expect."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_committed_clip_is_as_promised() -> None:
    path = EXAMPLES / "panels.mp4"
    assert path.stat().st_size < 1_000_000
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        context = video.codec_context
        assert (video.width, video.height) == (640, 360)
        assert video.average_rate == 24
        assert context.pix_fmt == "yuv420p"
        tags = (context.color_primaries, context.color_trc, context.colorspace)
        assert [int(tag) for tag in tags] == [1, 1, 1]
        assert int(context.color_range) == 1
        assert audio.codec_context.name == "aac"
        assert audio.codec_context.channels == 2
        assert audio.duration is not None
        assert audio.time_base is not None
        assert float(audio.duration * audio.time_base) == pytest.approx(10, abs=0.03)
        times = [packet.pts for packet in container.demux(video) if packet.pts is not None]
    assert len(times) == 240
    # The index comes first, so that a browser can start before the end has arrived.
    data = path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
