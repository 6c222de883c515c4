"""Files whose clock begins anew: joined end to end, as recordings are."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from restore_rt.video import restore_video
from restore_rt.video.clock import PacketClock
from tests.video.clips import Clip, Enlarger, make_clip, read_clip

FRAME = Fraction(1, 25)


def _joined(folder: Path, sound: str | None, starts: tuple[int, ...] = (0, 0)) -> Path:
    """Join transport streams of 50 frames that begin at these frames of their clocks."""
    joined = folder / "in.ts"
    with joined.open("wb") as file:
        for number, start in enumerate(starts):
            pts = range(start, start + 50)
            part = make_clip(folder / f"{number}.ts", frames=50, sound=sound, pts=pts)
            file.write(part.read_bytes())
    return joined


def _gaps(clip: Clip) -> list[float]:
    return [float(b - a) for a, b in pairwise(clip.pts)]


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv"])
@pytest.mark.parametrize("sound", [None, "aac"])
def test_the_second_part_follows_the_first(tmp_path: Path, sound: str | None, target: str) -> None:
    report = restore_video(_joined(tmp_path, sound), tmp_path / target, Enlarger())
    after = read_clip(tmp_path / target)
    assert report.frames == len(after.pts) == 100
    gaps = _gaps(after)
    join = gaps.pop(49)
    assert gaps == pytest.approx([float(FRAME)] * 98, abs=0.0011)
    assert 0.03 < join < 0.2
    assert [note for note in report.notes if "clock begins anew at" in note] == report.notes
    assert len(report.notes) == 1


def test_sound_stays_with_the_picture(tmp_path: Path) -> None:
    """What lies between a picture and its sound is the same in the second part as in the first."""
    restore_video(_joined(tmp_path, "aac"), tmp_path / "out.mkv", Enlarger())
    after = read_clip(tmp_path / "out.mkv")
    heard = [float(time) for time, _ in after.others[0]]
    half = len(heard) // 2
    assert len(heard) == 2 * half
    apart = [heard[index] - float(after.pts[frame]) for index, frame in ((10, 0), (half + 10, 50))]
    assert apart[1] == pytest.approx(apart[0], abs=0.002)


def test_a_clock_that_goes_back_below_its_start(tmp_path: Path) -> None:
    """FFmpeg takes it for one that overflowed, a day later; three parts, for good measure."""
    source = _joined(tmp_path, None, starts=(2500, 0, 2500))
    report = restore_video(source, tmp_path / "out.mp4", Enlarger())
    gaps = _gaps(read_clip(tmp_path / "out.mp4"))
    assert report.frames == 150
    assert max(gaps) < 0.2
    assert "at 2.00 s, 4." in report.notes[0]


class _Stream:
    def __init__(self, index: int, kind: str) -> None:
        self.index = index
        self.type = kind


class _Packet:
    """The attributes of a packet that a clock reads; times in hundredths of a second."""

    def __init__(self, stream: _Stream, time: int | None, duration: int = 4) -> None:
        self.stream = stream
        self.time_base = Fraction(1, 100)
        self.pts = self.dts = time
        self.duration = duration


PICTURE, SOUND, TEXT = _Stream(0, "video"), _Stream(1, "audio"), _Stream(2, "subtitle")


def _moved(*packets: tuple[_Stream, int | None], free: bool = False) -> list[int | None]:
    clock = PacketClock(free=free)
    made = [_Packet(stream, time) for stream, time in packets]
    for packet in made:
        clock.move(packet)  # type: ignore[arg-type]
    return [packet.pts for packet in made]


def test_streams_get_to_the_new_part_in_their_own_time() -> None:
    assert _moved(
        (SOUND, 500), (PICTURE, 500), (PICTURE, 504),
        (PICTURE, 0), (SOUND, 504), (PICTURE, 4), (SOUND, 0), (TEXT, 2), (SOUND, 4),
    ) == [500, 500, 504, 508, 504, 512, 508, 510, 512]  # fmt: skip


def test_sound_that_ends_early_still_moves_with_the_picture() -> None:
    """Its times never go back: the first part's sound ended before the second part's begins."""
    assert _moved(
        (SOUND, 0), (PICTURE, 0), (PICTURE, 500), (PICTURE, 0), (PICTURE, 20), (SOUND, 20)
    ) == [0, 0, 500, 504, 524, 524]


def test_times_that_are_in_order_stay() -> None:
    times = [(PICTURE, 0), (SOUND, 900_000), (PICTURE, None), (PICTURE, 900_000), (TEXT, 5)]
    assert _moved(*times) == [0, 900_000, None, 900_000, 5]
    untidy = [(PICTURE, 100), (PICTURE, 40), (SOUND, 3), (PICTURE, 200)]
    assert _moved(*untidy) == [100, 40, 3, 200]


def test_only_free_clocks_jump_forward() -> None:
    times = [(PICTURE, 0), (PICTURE, 4), (PICTURE, 9_000_000)]
    assert _moved(*times, free=True) == [0, 4, 8]
    assert _moved(*times, free=False) == [0, 4, 9_000_000]


def test_the_source_has_the_jump(tmp_path: Path) -> None:
    """Else the tests above would show nothing."""
    with av.open(str(_joined(tmp_path, None))) as file:
        times = [packet.dts for packet in file.demux(video=0) if packet.dts is not None]
    assert any(b < a for a, b in pairwise(times))


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv"])
def test_short_parts_are_joined(tmp_path: Path, target: str) -> None:
    """The clock goes back by less than a second."""
    joined = tmp_path / "in.ts"
    part = make_clip(tmp_path / "part.ts", frames=15)
    joined.write_bytes(part.read_bytes() * 3)
    report = restore_video(joined, tmp_path / target, Enlarger())
    after = read_clip(tmp_path / target)
    assert len(after.pts) == 45
    assert max(_gaps(after)) < 0.2
    assert min(_gaps(after)) > 0.03
    assert len(report.notes) == 1


@pytest.mark.usefixtures("ffmpeg")
def test_sound_that_is_bunched_where_parts_meet_fits_into_mp4(tmp_path: Path) -> None:
    """Its ticks in MP4, of 1/44100 s, are longer than those of the source."""
    joined = tmp_path / "in.ts"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2",
         "-f", "lavfi", "-i", "sine=r=44100:d=2", "-c:v", "libx264", "-c:a", "aac",
         str(tmp_path / "part.ts")],
        check=True,
    )  # fmt: skip
    joined.write_bytes((tmp_path / "part.ts").read_bytes() * 2)
    restore_video(joined, tmp_path / "out.mp4", Enlarger())
    after = read_clip(tmp_path / "out.mp4")
    assert len(after.pts) == 100
    assert after.others[0]
