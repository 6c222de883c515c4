"""The demonstration clip: what draws it is deterministic, and the committed file is as promised."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from PIL import Image

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def examples_importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the scripts import their package ``clip``, for the length of a test."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield
    for name in [name for name in sys.modules if name == "clip" or name.startswith("clip.")]:
        del sys.modules[name]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("index", [100, 140])
def test_a_frame_is_drawn_the_same_twice(index: int) -> None:
    story = load("make_clip").Story
    first, second = (np.asarray(story(0.4).frame(index, (160, 90))) for _ in range(2))
    assert first.shape == (90, 160, 3)
    assert first.std() > 30
    np.testing.assert_array_equal(first, second)


def test_frames_outside_the_clip_are_refused() -> None:
    with pytest.raises(ValueError, match="frame 240: the clip has frames 0 to 239"):
        load("make_clip").Story(0.4).frame(240, (160, 90))


def test_the_flight_moves_and_is_deterministic() -> None:
    load("make_clip")
    flight = importlib.import_module("clip.film").Flight
    pictures = [
        np.asarray(flight(128).frame(time, (96, 54), oversample=1), float) for time in (0, 0, 1)
    ]
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert np.abs(pictures[0] - pictures[2]).mean() > 2


def test_the_camera_keeps_an_even_tone_and_hits_its_stops() -> None:
    load("make_clip")
    camera = importlib.import_module("clip.camera")
    canvas = importlib.import_module("clip.canvas").Canvas((0, 0, 64, 36), 4, (10, 200, 90))
    image = camera.shoot(canvas, camera.View(30, 17, 40), (33, 19))
    assert set(image.get_flattened_data()) == {(10, 200, 90)}
    stops = ((0.0, camera.View(0, 0, 100)), (1.0, camera.View(50, 20, 400)))
    assert camera.travel(stops, 0.0) == camera.View(0, 0, 100)
    assert camera.travel(stops, 2.0) == camera.View(50, 20, 400)
    assert camera.travel(stops, 0.5).width == pytest.approx(200)


def test_an_encoded_grey_and_red_are_bt709_limited(tmp_path: Path) -> None:
    load("make_clip")
    encoder = importlib.import_module("clip.encode").Encoder
    path = tmp_path / "flat.mp4"
    with encoder(path, (64, 32), rate=24, options={"qp": "0"}) as out:
        out.write(Image.new("RGB", (64, 32), (255, 255, 255)))
        out.write(Image.new("RGB", (64, 32), (255, 0, 0)))
    with av.open(str(path)) as container:
        white, red = (frame.to_ndarray() for frame in container.decode(video=0))
    assert [path.name for path in tmp_path.iterdir()] == ["flat.mp4"]
    assert abs(int(white[10, 10]) - 235) <= 1
    # BT.709: 16 + 219 * 0.2126 = 63; BT.601 would give 81.
    assert abs(int(red[10, 10]) - 63) <= 1


def test_a_failed_encode_leaves_nothing(tmp_path: Path) -> None:
    load("make_clip")
    encoder = importlib.import_module("clip.encode").Encoder

    def draw_and_fail() -> None:
        with encoder(tmp_path / "a.mp4", (64, 32), rate=24, options={}) as out:
            out.write(Image.new("RGB", (64, 32)))
            raise RuntimeError("pen broke")

    with pytest.raises(RuntimeError, match="pen broke"):
        draw_and_fail()
    assert list(tmp_path.iterdir()) == []


def test_the_tune_lasts_ten_seconds_and_does_not_clip() -> None:
    load("make_clip")
    sound = importlib.import_module("clip.music").soundtrack()
    assert sound.shape == (2, 480_000)
    assert sound.dtype == np.float32
    assert 0.3 < np.abs(sound).max() < 1
    assert not np.array_equal(sound[0], sound[1])


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--crf", "77"], "--crf is 77; allowed are 0 to 51"),
        (["-o", "clip.avi"], "clip.avi is not named .mp4"),
        (["-o", "no/such/folder/clip.mp4"], "does not exist; create it first"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        load("make_clip").main(arguments)
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
