"""Folders in which pictures that move lie beside stills, and numbered pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from restore_rt.images.moving import moves
from tests.cli.conftest import Cli
from tests.video.clips import make_clip, read_clip

KINDS = ("gif", "png", "webp")


def _save(path: Path, count: int) -> Path:
    first, *others = (Image.new("RGB", (16, 12), (number * 40, 9, 200)) for number in range(count))
    first.save(path, save_all=count > 1, append_images=others)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    for kind in KINDS:
        _save(made / f"moving_{kind}.{kind}", 3)
        _save(made / f"still_{kind}.{kind}", 1)
    make_clip(made / "clip.mp4", frames=2)
    return made


def test_each_verb_leaves_the_other_its_own(
    folder: Path, tmp_path: Path, luma_model: Path, cli: Cli
) -> None:
    said = cli("image", folder, "-o", tmp_path / "a", "--model", luma_model, "--json")
    assert "not read (animations, which restore-rt video reads)" in said.err
    moving = [str(folder / f"moving_{kind}.{kind}") for kind in KINDS]
    assert json.loads(said.out)["not_read"]["animations, which restore-rt video reads"] == moving
    stills = {"still_gif.png", "still_png.png", "still_webp.webp"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == stills

    said = cli("video", folder, "-o", tmp_path / "b", "--model", luma_model)
    named = "not read (pictures that do not move, which restore-rt image reads): "
    assert f"{named}{folder / 'still_png.png'}, {folder / 'still_webp.webp'}" in said.err
    assert {path.name for path in (tmp_path / "b").iterdir()} == {
        "clip.mp4", "still_gif.gif", *(f"moving_{kind}.{kind}" for kind in KINDS),
    }  # fmt: skip
    for kind in KINDS:
        with Image.open(tmp_path / "b" / f"moving_{kind}.{kind}") as file:
            assert getattr(file, "n_frames") == 3  # noqa: B009  # Pillow's type has none
            assert file.size == (32, 24)


def test_a_pattern_takes_what_moves(
    folder: Path, tmp_path: Path, luma_model: Path, cli: Cli
) -> None:
    cli("video", folder / "*.png", "-o", tmp_path / "b", "--format", "gif", "--model", luma_model)
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["moving_png.gif"]


def test_numbered_pictures(tmp_path: Path, luma_model: Path, cli: Cli) -> None:
    clip = make_clip(tmp_path / "in.mp4", frames=3)
    pattern = tmp_path / "frames" / "%05d.png"
    said = cli("video", clip, "-o", pattern, "--model", luma_model)
    assert "3 frames, 128x96, png" in said.out
    names = ["00001.png", "00002.png", "00003.png"]
    assert sorted(path.name for path in pattern.parent.iterdir()) == names
    said = cli("video", clip, "-o", pattern, "--model", luma_model, code=2)
    assert "00001.png exists and 2 more, which fits the pattern %05d.png" in said.err
    said = cli("video", clip, "-o", pattern, "--model", luma_model, "--skip-existing", code=2)
    assert "--skip-existing cannot tell whether the pictures of" in said.err
    said = cli("video", pattern, "-o", pattern, "--overwrite", "--model", luma_model, code=2)
    assert "is an input; give another output" in said.err
    again = pattern.with_name("%d.png")
    cli("video", pattern, "-o", tmp_path / "more" / again.name, "--model", luma_model)
    assert sorted(path.name for path in (tmp_path / "more").iterdir()) == [
        "1.png", "2.png", "3.png",
    ]  # fmt: skip
    out = tmp_path / "back.mp4"
    cli("video", pattern, "-o", out, "--fps", "24", "--model", luma_model)
    assert [round(float(time), 3) for time in read_clip(out).pts] == [0, 0.042, 0.083]
    said = cli("video", pattern, "-o", tmp_path / "x.mp4", "--fps", "x", "--model", luma_model,
               code=2)  # fmt: skip
    assert "fps is 'x'" in said.err
    cli("video", pattern, "-o", tmp_path / "to", "--format", "mkv", "--model", luma_model)
    assert [path.name for path in (tmp_path / "to").iterdir()] == ["frames.mkv"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_moves(tmp_path: Path, kind: str) -> None:
    for count in (1, 2, 5):
        path = _save(tmp_path / f"{count}.{kind}", count)
        assert moves(path) == (count > 1)
        data = path.read_bytes()
        for length in range(0, len(data), 3):
            path.write_bytes(data[:length])
            assert moves(path) in (False, count > 1)
    assert not moves(tmp_path / "none.gif")
