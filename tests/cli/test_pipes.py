"""Videos through standard input and output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import pytest

from restore_rt.errors import InputError
from restore_rt.video import Pipeline, restore_video
from tests.cli.command import START, names_in
from tests.cli.conftest import Cli
from tests.video.clips import Enlarger, make_clip, read_clip


def piped(source: Path | None, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Run ``restore-rt`` with a file as its standard input."""
    line = [sys.executable, "-c", START, *map(str, arguments)]
    given = b"" if source is None else source.read_bytes()
    return subprocess.run(line, input=given, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("audio", ["flac", "aac"])
def test_a_video_through_both(tmp_path: Path, luma_model: Path, audio: str) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=20, sound=audio)
    plain = restored(source, tmp_path, luma_model)
    done = piped(source, "video", "-", "-o", "-", "--model", luma_model)
    assert done.returncode == 0, done.stderr.decode()
    assert b"standard output: 20 frames, 128x96, h264" in done.stderr
    target = tmp_path / "out.mkv"
    target.write_bytes(done.stdout)
    with av.open(str(target)) as file:
        assert file.format.name.startswith("matroska")
    clip, expected = read_clip(target), read_clip(plain)
    assert clip.pts == expected.pts
    assert clip.others == expected.others
    assert len(clip.pts) == 20


def restored(source: Path, folder: Path, model: Path) -> Path:
    target = folder / "plain.mkv"
    done = piped(None, "video", source, "-o", target, "--model", model)
    assert done.returncode == 0, done.stderr.decode()
    return target


def test_only_one_of_them(tmp_path: Path, luma_model: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=5)
    done = piped(source, "video", "-", "-o", tmp_path / "in.mp4", "--model", luma_model)
    assert done.returncode == 0, done.stderr.decode()
    assert len(read_clip(tmp_path / "in.mp4").pts) == 5
    done = piped(None, "video", "-", "-o", tmp_path / "none.mp4", "--model", luma_model)
    assert done.returncode == 1
    assert b"standard input is not a video that can be read" in done.stderr
    assert names_in(tmp_path) == ["in.mkv", "in.mp4"]
    done = piped(None, "video", source, "-o", "-", "--model", luma_model, "--format", "mkv")
    assert done.returncode == 0, done.stderr.decode()
    (tmp_path / "out.mkv").write_bytes(done.stdout)
    assert len(read_clip(tmp_path / "out.mkv").pts) == 5


def test_what_does_not_go_through_a_pipe(tmp_path: Path, luma_model: Path, cli: Cli) -> None:
    with_model = ("--model", luma_model)
    source = make_clip(tmp_path / "in.mkv", frames=2)
    cases: list[tuple[tuple[object, ...], str]] = [
        (("-", source, "-o", "-"), "give one"),
        (("-", "-o", "-", "--json"), "--json writes to standard output"),
        (("-", "-o", "-", "--skip-existing"), "--skip-existing is for files"),
        (("-", "-o", "-", "--resume"), "resume is for files"),
        (("-", "-o", "-", "--format", "mp4"), "standard output gets mkv"),
        (("-", "-o", tmp_path / "out.mkv", "--format", "mkv"), "a file's suffix says"),
        (("-", "-o", tmp_path / "out.mkv", "--fps", "5"), "fps is 5, but standard input"),
        ((tmp_path, "-o", "-"), "is a folder"),
    ]
    for arguments, text in cases:
        code = 1 if text == "is a folder" else 2
        assert text in cli("video", *arguments, *with_model, code=code).err
    said = cli("live", source, "-o", "-", "--json", *with_model, code=2)
    assert "--json writes to standard output" in said.err
    assert names_in(tmp_path) == ["in.mkv"]


def test_a_terminal_gets_no_video(
    tmp_path: Path, luma_model: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=2)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for verb in ("video", "live"):
        said = cli(verb, source, "-o", "-", "--model", luma_model, code=2)
        assert "standard output is a terminal" in said.err


def test_a_reader_that_leaves_is_told_in_one_line(tmp_path: Path, luma_model: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=200)
    line = [sys.executable, "-c", START, "video", source, "-o", "-", "--model", luma_model]
    with subprocess.Popen(
        list(map(str, line)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read().decode()
        assert process.wait(60) == 1
    assert said.splitlines()[-1] == "restore-rt: error: cannot write standard output: Broken pipe"


def test_a_file_of_that_name_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "in.mkv", frames=2).rename("-")
    assert restore_video(Path("-"), "out.mkv", Enlarger()).frames == 2
    with Pipeline("./-", Enlarger()) as pipeline:
        assert len(list(pipeline)) == 2


def test_standard_input_cannot_be_searched(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=50)
    script = """
from restore_rt.errors import InputError
from restore_rt.video import Pipeline
from tests.video.clips import Enlarger
with Pipeline("-", Enlarger()) as pipeline:
    print(next(pipeline).number)
    try:
        pipeline.seek(1)
    except InputError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], input=source.read_bytes(), capture_output=True,
        timeout=60, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    number, error = done.stdout.decode().splitlines()
    assert number == "0"
    assert error == "standard input can only be read in order; give a file to seek in"
    with pytest.raises(InputError, match="fps is 5, but standard input"):
        Pipeline("-", Enlarger(), fps=5)
