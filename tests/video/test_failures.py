"""What stops a run leaves no thread, and nothing at the target's path."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from restore_rt.errors import InputError, NonFiniteError, OutputError
from restore_rt.video import restore_video, writer
from tests.video.clips import Enlarger, make_clip
from tests.video.small_disk import LIMITED, lines_of, lines_on_small_disk


def _nothing_left(folder: Path, target: str = "out.mp4") -> None:
    assert not (folder / target).exists()
    assert not list(folder.glob(".restore-rt*"))
    names = [thread.name for thread in threading.enumerate()]
    assert not any(name.startswith("restore_rt") for name in names)


@pytest.mark.parametrize("error", [NonFiniteError("no number"), KeyboardInterrupt()])
def test_an_error_in_the_restorer(tmp_path: Path, error: BaseException) -> None:
    def fail(index: int) -> None:
        if index == 7:
            raise error

    source = make_clip(tmp_path / "in.mp4", frames=100, sound="aac")
    with pytest.raises(type(error)):
        restore_video(source, tmp_path / "out.mp4", Enlarger(hook=fail))
    _nothing_left(tmp_path)


def test_an_error_while_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The restorer and the reader are ahead, and stop."""
    source = make_clip(tmp_path / "in.mp4", frames=100)
    restorer = Enlarger()

    def refuse(self: writer.VideoWriter, packet: object) -> None:
        raise OutputError("no more")

    monkeypatch.setattr(writer.VideoWriter, "_mux", refuse)
    with pytest.raises(OutputError, match="no more"):
        restore_video(source, tmp_path / "out.mp4", restorer)
    assert len(restorer.seen) < 100
    _nothing_left(tmp_path)


def test_memory_is_bounded(tmp_path: Path) -> None:
    """However slow the encoder, only a few frames are on their way to it."""
    source = make_clip(tmp_path / "in.mp4", frames=40)
    restorer = Enlarger()
    ahead = []
    done = 0

    def written() -> None:
        nonlocal done
        done += 1
        if done <= 5:
            time.sleep(0.1)
        ahead.append(len(restorer.seen) - done)

    restore_video(source, tmp_path / "out.mp4", restorer, on_frame=written)
    assert 1 <= max(ahead) <= 4


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("missing/out.mp4", "its folder does not exist"),
        ("in.mp4/out.mp4", "a file, not a folder"),
        ("/proc/out.mp4", "cannot write /proc/out.mp4"),
    ],
)
def test_where_nothing_can_be_written(tmp_path: Path, target: str, message: str) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2)
    with pytest.raises(OutputError, match=message):
        restore_video(source, tmp_path / target, Enlarger())


def test_an_existing_target(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2)
    target = tmp_path / "out.mp4"
    target.write_bytes(b"precious")
    with pytest.raises(InputError, match="exists"):
        restore_video(source, target, Enlarger())
    assert target.read_bytes() == b"precious"
    restore_video(source, target, Enlarger(), overwrite=True)
    assert target.read_bytes() != b"precious"
    with pytest.raises(InputError, match="is the source itself"):
        restore_video(source, source, Enlarger(), overwrite=True)


@pytest.mark.parametrize(
    ("options", "target", "message"),
    [
        ({"codec": "mpeg2"}, "out.mp4", "codec is 'mpeg2'; allowed are h264, h265, av1, ffv1"),
        ({"quality": 52}, "out.mp4", r"quality is 52; for h264 0 \(best\) to 51"),
        ({"preset": "fastest"}, "out.mp4", "preset is 'fastest'; for h264 ultrafast"),
        ({"codec": "ffv1", "quality": 3}, "out.mkv", "ffv1 is lossless; leave it out"),
        ({"codec": "ffv1", "preset": "fast"}, "out.mkv", "ffv1 has none; leave it out"),
        ({"codec": "h264"}, "out.webm", ".webm cannot hold h264; use .mp4 or .mov or .mkv"),
        ({"codec": "ffv1"}, "out.webm", ".webm cannot hold ffv1"),
        ({"codec": "av1"}, "out.mov", ".mov cannot hold av1; use .mp4 or .mkv or .webm"),
        ({"threads": 0}, "out.mp4", "threads is 0; it must be at least 1"),
        ({}, "out.avi", "ends in '.avi'; allowed are .mp4, .mov, .mkv, .webm"),
        ({}, "out", "ends in 'no suffix'"),
    ],
)
def test_options_that_are_not_allowed(
    tmp_path: Path, options: dict[str, object], target: str, message: str
) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2)
    restorer = Enlarger()
    with pytest.raises(InputError, match=message):
        restore_video(source, tmp_path / target, restorer, **options)  # type: ignore[arg-type]
    assert not restorer.seen
    _nothing_left(tmp_path, target)


@pytest.mark.parametrize(
    ("pixel_format", "codec", "message"),
    [
        ("yuv444p", "av1", "av1 cannot hold yuv444p.* use --codec h264 or h265 or ffv1"),
        ("yuv420p12le", "h264", "h264 cannot hold yuv420p12le.* use --codec h265 or ffv1"),
    ],
)
def test_pixel_formats_that_a_codec_cannot_hold(
    tmp_path: Path, pixel_format: str, codec: str, message: str
) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=2, codec="ffv1", pixel_format=pixel_format)
    with pytest.raises(InputError, match=message):
        restore_video(source, tmp_path / "out.mkv", Enlarger(), codec=codec, pixel_format="keep")
    _nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("codec", "size", "able"),
    [
        ("h264", (8193, 8), "h265 or ffv1"),
        ("av1", (8, 4353), "h264 or h265 or ffv1"),
        ("h265", (8192, 4353), "h264 or ffv1"),
    ],
)
def test_frames_that_are_too_large_for_an_encoder(
    tmp_path: Path, codec: str, size: tuple[int, int], able: str
) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=1, codec="ffv1", size=size)
    restorer = Enlarger()
    width, height = size[0] * 2, size[1] * 2
    message = f"{codec} cannot hold frames as large as {width}x{height}; use --codec {able}$"
    with pytest.raises(InputError, match=message):
        restore_video(source, tmp_path / "out.mkv", restorer, codec=codec)
    assert not restorer.seen
    _nothing_left(tmp_path)


def test_a_second_video_is_left_out_with_a_note(tmp_path: Path) -> None:
    def second(file: av.container.OutputContainer, stream: object) -> None:
        file.add_mux_stream("ffv1", width=16, height=16)

    source = make_clip(tmp_path / "in.mkv", frames=2, prepare=second)
    report = restore_video(source, tmp_path / "out.mkv", Enlarger())
    assert report.notes == [
        "video stream 1 (ffv1) is left out: one video stream is restored, the first"
    ]


FULL = """
import sys
from pathlib import Path
from restore_rt.errors import OutputError
from restore_rt.video import restore_video
from tests.video.clips import Enlarger
{limit}
folder = Path(sys.argv[2])
try:
    restore_video(sys.argv[1], folder / "out.mp4", Enlarger(), codec="h264", quality=0)
except OutputError as error:
    print(error)
print(*(path.name for path in folder.iterdir()))
"""


def _big_clip(folder: Path) -> Path:
    return make_clip(folder / "in.mp4", frames=30, size=(320, 240))


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    source, folder = _big_clip(tmp_path), tmp_path / "folder"
    folder.mkdir()
    said = lines_of(FULL.format(limit=LIMITED), source, folder)
    fix = "it grew beyond the largest file allowed here; raise the limit or write elsewhere"
    assert said == [f"cannot write {folder / 'out.mp4'}: {fix}", ""]


def test_a_full_disk(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    source = _big_clip(tmp_path)
    assert lines_on_small_disk(FULL.format(limit=""), folder, "200k", source, folder) == [
        f"cannot write {folder / 'out.mp4'}: the disk is full; free some space or write elsewhere",
        "",
    ]


def test_a_disk_that_is_full_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the muxer keeps back until the file is closed finds no room."""
    source = make_clip(tmp_path / "in.mp4", frames=3)

    class Full:
        def __init__(self, file: av.container.OutputContainer) -> None:
            self._file = file

        def __getattr__(self, name: str) -> object:
            return getattr(self._file, name)

        def close(self) -> None:
            self._file.close()
            raise av.error.OSError(28, "No space left on device", "x")

    opened: Callable[..., av.container.OutputContainer] = av.open

    def open_full(*args: object, **options: object) -> object:
        file = opened(*args, **options)
        return Full(file) if "container_options" in options and "w" in args else file

    monkeypatch.setattr(av, "open", open_full)
    with pytest.raises(OutputError, match="the disk is full"):
        restore_video(source, tmp_path / "out.mp4", Enlarger())
    _nothing_left(tmp_path)


def test_a_muxer_that_fails_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said names the target, not the temporary file."""
    source = make_clip(tmp_path / "in.mp4", frames=3)

    def refuse(self: writer.VideoWriter, packet: object) -> None:
        name = str(tmp_path / ".restore-rt-0123.mp4")
        log = (16, "mp4", "no such track")
        error = av.error.ArgumentError(22, "Invalid argument", name, log)  # type: ignore[arg-type]
        raise self._failure(error)

    monkeypatch.setattr(writer.VideoWriter, "_mux", refuse)
    with pytest.raises(OutputError) as caught:
        restore_video(source, tmp_path / "out.mp4", Enlarger())
    said = str(caught.value)
    assert said.startswith(f"cannot write {tmp_path / 'out.mp4'}: no such track; .mkv")
    assert "--codec" not in said
