"""Clocks that begin elsewhere, jump, or are not there: timed as FFmpeg times them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from restore_rt.video import restore_video
from restore_rt.video.clock import FrameClock, PacketClock
from tests.video.clips import Clip, Enlarger, make_clip, read_clip

FRAME = Fraction(1, 25)


def _restored(source: Path, suffix: str = ".mkv") -> tuple[Clip, list[str]]:
    target = source.with_name(f"out{suffix}")
    report = restore_video(source, target, Enlarger())
    return read_clip(target), report.notes


@pytest.mark.parametrize("time_base", [FRAME, Fraction(1, 600)])
@pytest.mark.parametrize("frames_between", [0, 2])
def test_avi_is_timed_by_decoding_times(
    tmp_path: Path, time_base: Fraction, frames_between: int
) -> None:
    """AVI stores no others; with B-frames FFmpeg's presentation times for it go to and fro."""
    step = int(FRAME / time_base)
    source = make_clip(
        tmp_path / "in.avi",
        frames=30,
        pts=range(0, 30 * step, step),
        time_base=time_base,
        options={"bf": str(frames_between), "preset": "fast"},
    )
    after, notes = _restored(source)
    assert [round(float(b - a), 3) for a, b in pairwise(after.pts)] == [0.04] * 29
    assert not notes


class _Picture:
    def __init__(self, pts: int | None, dts: int | None) -> None:
        self.pts, self.dts, self.duration = pts, dts, 0


def _times(pictures: Sequence[tuple[int | None, int | None]]) -> tuple[list[int], int]:
    clock = FrameClock(Fraction(25), FRAME)
    times = [clock.frame(_Picture(*each)).pts for each in pictures]  # type: ignore[arg-type]
    return times, clock.moved


def test_presentation_times_that_go_back_are_not_believed() -> None:
    times, _ = _times([(0, 0), (4, 1), (3, 2), (5, 3), (2, 4), (8, 5), (7, 6), (9, 7)])
    assert times[2:] == [5, 6, 7, 8, 9, 10]


def test_one_presentation_time_that_goes_back_is_moved() -> None:
    assert _times([(0, 0), (1, 1), (2, 2), (2, 2), (4, 4), (5, 5)]) == ([0, 1, 2, 3, 4, 5], 1)


def test_the_end_may_lack_times_and_the_middle_may_not_without_a_word() -> None:
    assert _times([(None, 2), (None, 3), (None, None), (None, None)]) == ([2, 3, 4, 5], 0)
    assert _times([(None, 2), (None, None), (None, 4)]) == ([2, 3, 4], 1)


@pytest.mark.parametrize("seconds", [11, 600, 90000])
@pytest.mark.parametrize("sound", [None, "aac"])
def test_a_clock_that_jumps_forward(tmp_path: Path, seconds: int, sound: str | None) -> None:
    source = tmp_path / "in.ts"
    with source.open("wb") as file:
        for start in (0, 25 + 25 * seconds):
            pts = range(start, start + 25)
            part = make_clip(tmp_path / f"{start}.ts", frames=25, sound=sound, pts=pts)
            file.write(part.read_bytes())
    after, notes = _restored(source)
    gaps = [float(b - a) for a, b in pairwise(after.pts)]
    assert len(after.pts) == 50
    assert max(gaps) < 0.2
    assert float(after.pts[-1]) < 2.2
    assert len(notes) == 1
    assert "clock begins anew at 1." in notes[0]


class _Stream:
    def __init__(self, index: int, kind: str) -> None:
        self.index, self.type = index, kind


class _Packet:
    def __init__(self, stream: _Stream, seconds: int) -> None:
        self.stream, self.time_base = stream, Fraction(1)
        self.pts: int | None = seconds
        self.dts: int | None = seconds
        self.duration = 1


def test_a_stream_that_rests_does_not_jump() -> None:
    clock = PacketClock(free=True)
    picture, sound = _Stream(0, "video"), _Stream(1, "audio")
    heard = [0, 1, 20, 21]
    for second in range(22):
        packets = [_Packet(picture, second)]
        packets += [_Packet(sound, second)] if second in heard else []
        for packet in packets:
            clock.move(packet)  # type: ignore[arg-type]
            assert packet.pts == second
    assert not clock.jumps


@pytest.mark.parametrize(("start", "moved"), [(2, False), (1_700_000_000, True)])
def test_a_recording_dated_by_the_wall_clock_begins_at_0(
    tmp_path: Path, start: int, *, moved: bool
) -> None:
    source = make_clip(
        tmp_path / "in.mkv", frames=25, sound="aac", pts=range(start * 25, start * 25 + 25)
    )
    before = read_clip(source)
    after, notes = _restored(source)
    assert float(after.pts[0]) == pytest.approx(0 if moved else start, abs=0.03)
    apart = [float(clip.pts[0] - clip.others[0][1][0]) for clip in (before, after)]
    assert apart[1] == pytest.approx(apart[0], abs=0.002)
    assert [note for note in notes if f"begins at {start} s" in note] == (notes if moved else [])
    assert bool(notes) == moved


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_what_an_edit_list_hides_stays_hidden(tmp_path: Path, suffix: str) -> None:
    """One that begins a second late, as editors write that cut without encoding anew."""
    whole = make_clip(tmp_path / "whole.mp4", frames=75, sound="aac", options={"g": "5"})
    source = tmp_path / "in.mp4"
    _begin_later(whole, source, Fraction(1))
    before = read_clip(source)
    after, _ = _restored(source, suffix)
    assert len(after.pts) == len(before.pts) == 50
    heard = _seconds_of_sound(tmp_path / f"out{suffix}")
    assert heard == pytest.approx(2.0, abs=0.06)


def _begin_later(source: Path, target: Path, seconds: Fraction) -> None:
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        streams = {each.index: new.add_stream_from_template(each) for each in old.streams}
        packets: list[Any] = [each for each in old.demux() if each.dts is not None]
        for packet in packets:
            packet.pts -= round(seconds / packet.time_base)
            packet.dts -= round(seconds / packet.time_base)
            packet.stream = streams[packet.stream.index]
            new.mux(packet)


def _seconds_of_sound(path: Path) -> float:
    with av.open(str(path)) as file:
        return sum(frame.samples / frame.sample_rate for frame in file.decode(audio=0))
