"""The window, without a screen."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from restore_rt.errors import OutputError
from restore_rt.live import restore_live
from restore_rt.live.clock import RunClock
from restore_rt.live.report import LiveReport
from restore_rt.live.running import LiveRun
from restore_rt.live.window import WindowSink
from restore_rt.video.clock import Frame
from restore_rt.video.reader import VideoReader
from tests.live.test_live import Model
from tests.video.clips import make_clip

pygame = pytest.importorskip("pygame")


@pytest.fixture(autouse=True)
def _no_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


def press(key: int) -> None:
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))


def shown() -> Any:
    return pygame.surfarray.array3d(pygame.display.get_surface()).swapaxes(0, 1)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[WindowSink, VideoReader, RunClock]]:
    source = make_clip(tmp_path / "in.mkv", frames=2, size=(64, 48))
    clock = RunClock()
    with VideoReader(source) as reader:
        sink = WindowSink(reader, clock, scale=2)
        yield sink, reader, clock
        sink.close()


def grey(value: int, size: tuple[int, int] = (128, 96)) -> Any:
    """Return a picture of one luma value."""
    width, height = size
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = value
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def test_before_and_after_are_divided_where_the_user_says(
    opened: tuple[WindowSink, VideoReader, RunClock],
) -> None:
    sink, _, _ = opened
    press(pygame.K_i)
    sink.deliver(Frame(grey(16, (64, 48)), 0, 1), grey(235), age=0.01, model="m")
    assert pygame.display.get_surface().get_size() == (128, 96)
    assert shown().min() >= 254
    press(pygame.K_s)
    sink.idle()
    middle = shown()[10]
    assert middle[:62].max() <= 1
    assert middle[66:].min() >= 254
    pygame.event.post(
        pygame.event.Event(pygame.MOUSEMOTION, pos=(32, 5), rel=(0, 0), buttons=(1, 0, 0))
    )
    sink.idle()
    assert shown()[10, :30].max() <= 1
    assert shown()[10, 34:].min() >= 254
    press(pygame.K_s)
    sink.idle()
    assert shown().min() >= 254


def test_figures_and_full_screen(opened: tuple[WindowSink, VideoReader, RunClock]) -> None:
    sink, _, _ = opened
    dark = Frame(grey(16, (64, 48)), 0, 1)
    sink.deliver(dark, grey(16), age=0.01, model="m")
    assert shown()[:40].max() > 200  # letters
    press(pygame.K_i)
    sink.idle()
    assert shown().max() <= 1
    press(pygame.K_f)
    sink.deliver(dark, grey(235), age=0.01, model="m")
    width, height = pygame.display.get_surface().get_size()
    assert (width, height) == pygame.display.get_desktop_sizes()[0]
    assert shown()[height // 2, width // 2].min() >= 252
    press(pygame.K_f)
    sink.idle()
    assert pygame.display.get_surface().get_size() == (128, 96)


def test_keys_pause_and_quit(opened: tuple[WindowSink, VideoReader, RunClock]) -> None:
    sink, _, clock = opened
    press(pygame.K_SPACE)
    sink.idle()
    assert clock.paused
    press(pygame.K_SPACE)
    sink.idle()
    assert not clock.paused
    assert not sink.ended
    press(pygame.K_q)
    sink.idle()
    assert sink.ended


def live(source: Path, model: Model, **options: Any) -> LiveReport:
    ladder: Any = {"model": model}
    return restore_live(str(source), "window", ladder, **options)


def test_a_file_plays_at_its_pace_until_its_end(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=10, sound="flac")
    notes: list[str] = []
    report = live(source, Model(), latency=10, on_note=notes.append)
    assert (report.delivered, report.dropped) == (10, 0)
    assert report.seconds >= 9 / 25
    assert "the window plays no sound" in notes
    assert any(note.startswith("keys: s: before and after") for note in notes)


def test_a_pause_makes_no_frame_late_and_quitting_ends_the_run(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=200)
    runs: list[LiveRun] = []

    def act(index: int) -> None:
        if not runs:
            return
        if index == 8:
            press(pygame.K_SPACE)
            while not runs[0]._clock.paused:
                runs[0]._stopped.wait(0.01)
            runs[0]._stopped.wait(0.5)
            press(pygame.K_SPACE)
        if index == 12:
            press(pygame.K_q)

    report = live(source, Model(hook=act), latency=0.4, on_start=runs.append)
    assert 8 <= report.delivered < 30
    assert (report.late, report.dropped) == (0, 0)
    assert report.seconds > 0.5
    assert report.table.age is not None
    assert report.table.age.longest < 0.4


@pytest.mark.parametrize("driver", ["dummy", "offscreen"])
def test_what_nobody_would_see_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str
) -> None:
    """SDL draws without a screen where there is none, which is right for those who ask for it."""
    source = make_clip(tmp_path / "in.mkv", frames=2)
    with VideoReader(source) as reader:
        pygame.display.init()
        monkeypatch.delenv("SDL_VIDEODRIVER")
        monkeypatch.setattr(pygame.display, "get_driver", lambda: driver)
        with pytest.raises(OutputError, match="needs a screen: set DISPLAY, or give another"):
            WindowSink(reader, RunClock(), scale=2)


def test_a_clock_that_is_paused_stands_still() -> None:
    times = iter([1.0, 5.0, 7.0, 8.0])
    clock = RunClock(lambda: next(times))
    assert clock.now() == 1
    clock.pause()  # at 5
    clock.pause()
    assert clock.now() == clock.now() == 5
    clock.go_on()  # at 7
    clock.go_on()
    assert clock.now() == 6


def test_without_a_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=2)
    monkeypatch.setenv("SDL_VIDEODRIVER", "x11")
    monkeypatch.setenv("DISPLAY", ":77")
    with pytest.raises(OutputError, match=r"a window cannot be opened .*set DISPLAY"):
        live(source, Model())


def test_without_pygame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=2)
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(OutputError, match=r"pip install 'restore-rt\[live\]'"):
        live(source, Model())
