"""Clips to train on: how they are read, and what a recipe makes of a folder of them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from restore_rt.errors import InputError, MediaError
from restore_rt.training.data import clips
from restore_rt.training.data.batches import load_data
from restore_rt.training.data.clips import is_clip, read_clip
from restore_rt.training.data.pictures import Library, survey
from restore_rt.training.data.regions import Regions
from tests.training.conftest import RecipeOf, picture, quiet

av = pytest.importorskip("av")


def write_clip(path: Path, frames: list[np.ndarray]) -> None:
    """Write frames without loss."""
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def numbered(count: int, height: int = 90, width: int = 98) -> list[np.ndarray]:
    """Return frames that all show one picture, each with its number as the red of all pixels."""
    frames = [picture(1, height, width) for _ in range(count)]
    for number, frame in enumerate(frames):
        frame[..., 0] = 10 * number
    return frames


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder whose folder ``patterns`` holds clips of 7 frames."""
    (tmp_path / "patterns").mkdir()
    for name in ("a_1", "a_2", "b_1", "c_1", "d_1", "e_1"):
        write_clip(tmp_path / "patterns" / f"{name}.mkv", numbered(7))
    return tmp_path


def test_a_clip_is_read_frame_by_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = numbered(5, 34, 41)
    write_clip(tmp_path / "x.mkv", frames)
    assert np.array_equal(read_clip(tmp_path / "x.mkv"), frames)
    monkeypatch.setattr(clips, "LONGEST", 2)
    assert np.array_equal(read_clip(tmp_path / "x.mkv"), frames[:2])
    assert is_clip(Path("X.MKV"))
    assert not is_clip(Path("x.png"))


def test_what_is_no_clip_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"not a video")
    with pytest.raises(MediaError, match=r"broken\.mp4 is not a video that can be read"):
        read_clip(tmp_path / "broken.mp4")
    with pytest.raises(MediaError, match=r"there is no file .*gone\.mp4"):
        read_clip(tmp_path / "gone.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match="needs PyAV"):
        read_clip(tmp_path / "broken.mp4")


def test_clips_are_surveyed_beside_pictures(folder: Path) -> None:
    (folder / "patterns" / "broken.webm").write_bytes(b"not a video")
    lines: list[str] = []
    found = survey(folder, ["patterns"], smallest=88, say=lines.append)
    assert [(file.name, file.frames) for file in found][:2] == [
        ("patterns/a_1.mkv", 7),
        ("patterns/a_2.mkv", 7),
    ]
    assert {(file.height, file.width) for file in found} == {(90, 98)}
    assert any("broken.webm" in line for line in lines)


def test_a_variant_gets_consecutive_frames_of_a_clip(
    recipe_of: RecipeOf, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(("share = 2", "share = 1e-9"), ('"jpeg"\nshare = 1', '"jpeg"\nshare = 1e-9'))
    files = survey(folder, ["patterns"], smallest=88, say=quiet)
    regions = Regions(recipe, files, Library())
    seen: list[list[int]] = []

    def spy(steps: object, clip: list[np.ndarray], *_: object, scale: int) -> list[np.ndarray]:
        seen.append([int(frame[0, 0, 0]) // 10 for frame in clip])
        return [frame[::scale, ::scale] for frame in clip]

    monkeypatch.setattr("restore_rt.training.data.regions.degrade", spy)
    for number in range(12):
        regions.training(number)
    assert all(frames == [*range(frames[0], frames[0] + 4)] for frames in seen)
    assert len({frames[0] for frames in seen}) > 2
    seen.clear()
    regions.validation(files[0])
    # Of the clip's middle: one frame for those of stills, four for h264.
    assert sorted(seen, key=len) == [[3], [3], [1, 2, 3, 4]]


def test_regions_of_clips_lie_where_their_targets_lie(recipe_of: RecipeOf, folder: Path) -> None:
    files = survey(folder, ["patterns"], smallest=88, say=quiet)
    regions = Regions(recipe_of(("full_range = 0.5", "reduced = [0.9, 1.0]")), files, Library())
    for number in range(12):
        pair = regions.training(number)
        height, width = pair.input.shape[1:]
        coarse = pair.target[0].reshape(height, 2, width, 2).mean((1, 3))
        aligned = np.abs(coarse - pair.input[0]).mean()
        shifted = np.abs(coarse[:, 1:] - pair.input[0][:, :-1]).mean()
        assert aligned < 0.5 * shifted


def test_clips_of_one_film_are_held_out_together(recipe_of: RecipeOf, folder: Path) -> None:
    recipe = recipe_of(("holdout = 3", "holdout = 2\ngroups = 'patterns/[a-z]+'"))
    patches, pairs, _ = load_data(recipe, folder, say=quiet)
    regions = patches.regions.make.__self__  # type: ignore[attr-defined]
    patches.batch(0)
    patches.regions.close()
    trained = {file.name for files in regions._by_folder.values() for file in files}
    assert len(trained) + len(pairs["clean"]) == 6
    assert len({name for name in trained if "/a_" in name}) in (0, 2)
