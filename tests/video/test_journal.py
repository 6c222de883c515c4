"""Whether a run can go on with what another left, and what happens where it cannot."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from restore_rt.errors import InputError, OutputError, RestoreError
from restore_rt.files import journal_folder, whole_file
from restore_rt.video import journal, restore_video
from restore_rt.video.journal import Journal, Segment, open_journal
from tests.cli.command import names_in
from tests.video.clips import Enlarger, make_clip
from tests.video.small_disk import LIMITED, lines_of, lines_on_small_disk

SEGMENT = 6


@pytest.fixture(autouse=True)
def _short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SEGMENT", SEGMENT)


def _stop(frames: int) -> Any:
    written = 0

    def stop() -> None:
        nonlocal written
        written += 1
        if written == frames:
            raise KeyboardInterrupt

    return stop


@pytest.fixture
def left(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return a source, a target, and the folder of a run that was stopped in its third segment."""
    source, target = make_clip(tmp_path / "in.mp4", frames=30), tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        restore_video(source, target, Enlarger(), resume=True, on_frame=_stop(2 * SEGMENT + 2))
    return source, target, journal_folder(target)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quality": 30}, "the quality was 18 and is 30;"),
        ({"preset": "ultrafast"}, "the preset was veryfast and is ultrafast;"),
        ({"codec": "ffv1"}, "the codec was h264 and is ffv1"),
        ({"pixel_format": "yuv444p"}, "the pixel format was yuv420p and is yuv444p;"),
        ({"bit_depth": 10}, "the pixel format was yuv420p and is yuv420p10le;"),
        ({"deinterlace": "off"}, "the deinterlacing was auto and is off;"),
        ({"threads": 7}, "the number of threads was .* and is 7;"),
    ],
)
def test_other_options(
    left: tuple[Path, Path, Path], options: dict[str, Any], message: str
) -> None:
    source, target, folder = left
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    restorer = Enlarger()
    with pytest.raises(InputError, match=message) as caught:
        restore_video(source, target, restorer, resume=True, **options)
    said = str(caught.value)
    assert said.startswith(f"{folder} is left of another run: the ")
    assert said.endswith("same source, model and options, or remove that folder to begin anew")
    assert not restorer.seen
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert restore_video(source, target, Enlarger(), resume=True).taken_over == 2 * SEGMENT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "abc"}, "the model's checksum was .* and is abc;"),
        ({"version": "2"}, "the model was enlarger 1 and is enlarger 2;"),
    ],
)
def test_another_model(left: tuple[Path, Path, Path], change: dict[str, Any], message: str) -> None:
    source, target, _ = left
    restorer = Enlarger()
    restorer.manifest = dataclasses.replace(restorer.manifest, **change)
    with pytest.raises(InputError, match=message):
        restore_video(source, target, restorer, resume=True)


def test_another_way_to_run_the_network(
    left: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target, _ = left
    monkeypatch.setattr(Enlarger, "description", "a GPU")
    with pytest.raises(InputError, match="the network was enlarger and is a GPU;"):
        restore_video(source, target, Enlarger(), resume=True)


def test_another_scale(left: tuple[Path, Path, Path]) -> None:
    source, target, _ = left
    with pytest.raises(InputError, match="the size was 128x96 and is 192x144;"):
        restore_video(source, target, Enlarger(3), resume=True)


def test_another_source(left: tuple[Path, Path, Path]) -> None:
    source, target, _ = left
    times = source.stat()
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns + 1))
    with pytest.raises(InputError, match="the source's time of change was"):
        restore_video(source, target, Enlarger(), resume=True)
    data = bytearray(source.read_bytes())
    position = data.index(b"mdat") + 100
    data[position] ^= 1
    source.write_bytes(data)
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(InputError, match="the source's checksum was"):
        restore_video(source, target, Enlarger(), resume=True)


@pytest.mark.parametrize("text", [b"no journal\n", b'{"journal": 2}\n', b"[]\n", b"\xff\n"])
def test_a_journal_that_is_none(left: tuple[Path, Path, Path], text: bytes) -> None:
    source, target, folder = left
    (folder / "journal.jsonl").write_bytes(text)
    with pytest.raises(InputError, match=r"is left of another run: its journal .* begin anew"):
        restore_video(source, target, Enlarger(), resume=True)


LINES = [
    b"nothing\n",
    b'{"number": 0}\n',
    b"7\n",
    b'{"number": "0", "first": 0, "last": 5, "size": 4, "sha256": ""}\n',
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_that_is_no_segment(left: tuple[Path, Path, Path], line: bytes) -> None:
    source, target, folder = left
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(line)
    with pytest.raises(InputError, match=r"its journal is damaged; .* begin anew"):
        restore_video(source, target, Enlarger(), resume=True)


@pytest.mark.parametrize("text", [b"", b'{"journal": 1, "vers'])
def test_a_journal_that_was_only_begun(left: tuple[Path, Path, Path], text: bytes) -> None:
    source, target, folder = left
    (folder / "journal.jsonl").write_bytes(text)
    assert restore_video(source, target, Enlarger(), resume=True).taken_over == 0
    assert not folder.exists()


def test_another_run_at_work(left: tuple[Path, Path, Path]) -> None:
    source, target, folder = left

    def second(total: int | None) -> None:
        restore_video(source, target, Enlarger(), resume=True)

    with pytest.raises(OutputError, match=f"another run is at work in {folder}; wait for it"):
        restore_video(source, target, Enlarger(), resume=True, on_start=second)
    assert restore_video(source, target, Enlarger(), resume=True).taken_over == 2 * SEGMENT


def test_a_file_in_the_way(tmp_path: Path) -> None:
    source, target = make_clip(tmp_path / "in.mp4", frames=8), tmp_path / "out.mp4"
    folder = journal_folder(target)
    folder.write_bytes(b"mine")
    with pytest.raises(OutputError, match=f"{folder} is a file; remove it"):
        restore_video(source, target, Enlarger(), resume=True)
    assert folder.read_bytes() == b"mine"


def test_files_of_others_stay(left: tuple[Path, Path, Path]) -> None:
    source, target, folder = left
    (folder / "notes.txt").write_bytes(b"mine")
    restore_video(source, target, Enlarger(), resume=True)
    assert names_in(folder) == ["notes.txt"]


def test_a_name_that_leaves_no_room(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=8)
    target = tmp_path / f"{'x' * 240}.mp4"
    with pytest.raises(OutputError, match="the name is too long; give a shorter one"):
        restore_video(source, target, Enlarger(), resume=True)
    assert names_in(tmp_path) == ["in.mp4"]


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=8)
    with pytest.raises(OutputError, match=r"cannot write /proc/"):
        restore_video(source, "/proc/out.mp4", Enlarger(), resume=True)


def test_a_link_is_followed(tmp_path: Path) -> None:
    """The folder lies on the disk of the file that is written."""
    (tmp_path / "there").mkdir()
    (tmp_path / "out.mp4").symlink_to(tmp_path / "there/real.mp4")
    assert journal_folder(tmp_path / "out.mp4") == tmp_path / "there/.real.mp4.restore-rt"


def test_it_is_not_cleared_with_temporary_files(left: tuple[Path, Path, Path]) -> None:
    """Not even where its name looks like that of a temporary file."""
    _, _, folder = left
    other = folder.with_name(".restore-rt-0123456789ab.restore-rt")
    folder.rename(other)
    names = names_in(other)
    with whole_file(folder.parent / "other.png") as temporary:
        temporary.write_bytes(b"data")
    assert names_in(other) == names


def test_an_error_leaves_what_is_finished(tmp_path: Path) -> None:
    segment = Segment(0, 0, 5, 4, "")
    notes: list[str] = []

    def fail(*, finish: bool) -> None:
        with open_journal(tmp_path / "out.mp4", {}, notes.append) as opened:
            if finish:
                opened.path(0).write_bytes(b"data")
                opened.add(segment)
            raise RestoreError

    with pytest.raises(RestoreError):
        fail(finish=False)
    assert names_in(tmp_path) == []
    assert notes == []
    with pytest.raises(RestoreError):
        fail(finish=True)
    assert names_in(tmp_path / ".out.mp4.restore-rt") == ["journal.jsonl", "segment-000000"]
    assert len(notes) == 1
    again = Journal(tmp_path / ".out.mp4.restore-rt", {}, SEGMENT)
    assert again.segments == {0: segment}
    assert (again.frames, again.end) == (SEGMENT, SEGMENT)
    assert not again.holds(0, 0)  # the checksum is not that of the file
    assert not again.segments
    again.close(remove=True)
    assert names_in(tmp_path) == []


FULL = """
import sys
from pathlib import Path
from restore_rt.errors import OutputError
from restore_rt.video import journal, restore_video
from tests.video.clips import Enlarger
{limit}
journal.SEGMENT = int(sys.argv[3])
folder = Path(sys.argv[2])
options = {{"quality": 0, "resume": True, "on_note": print}}
try:
    restore_video(sys.argv[1], folder / "out.mp4", Enlarger(), **options)
except OutputError as error:
    print(error)
print(*sorted(str(path.relative_to(folder)) for path in folder.rglob("*")))
"""
FIX = "the disk is full; free some space or write elsewhere"


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=30, size=(320, 240))
    folder = tmp_path / "folder"
    folder.mkdir()
    said = lines_of(FULL.format(limit=LIMITED), source, folder, 200)
    fix = "it grew beyond the largest file allowed here; raise the limit or write elsewhere"
    assert said == [f"cannot write {folder / '.out.mp4.restore-rt/segment-000000'}: {fix}", ""]


def test_a_full_disk(tmp_path: Path) -> None:
    """What is finished is kept for when there is room; nothing else is left."""
    folder = tmp_path / "disk"
    folder.mkdir()
    source = make_clip(tmp_path / "in.mp4", frames=60, size=(320, 240))
    kept, error, names = lines_on_small_disk(
        FULL.format(limit=""), folder, "1300k", source, folder, SEGMENT
    )
    assert kept.startswith("6 restored frames are kept in ")
    assert error.startswith(f"cannot write {folder}")
    assert error.endswith(FIX)
    hidden = ".out.mp4.restore-rt"
    assert names == f"{hidden} {hidden}/journal.jsonl {hidden}/segment-000000"
