"""The verb ``video``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from restore_rt.video.choices import CODECS
from tests.cli.command import names_in, only_line, restore_rt
from tests.cli.conftest import Cli
from tests.networks import save_model
from tests.video.clips import make_clip, moving_picture, read_clip, samples

ROOT = Path(__file__).parents[2]


def command(source: Path, target: Path, model: Path, *more: str) -> list[str]:
    return ["video", str(source), "-o", str(target), "--model", str(model), *more]


def test_a_video_with_sound(tmp_path: Path, luma_model: Path, cli: Cli) -> None:
    source, target = make_clip(tmp_path / "in.mkv", sound="flac"), tmp_path / "out.mkv"
    said = cli(*command(source, target, luma_model, "--codec", "ffv1"))
    before, after = read_clip(source), read_clip(target)
    assert after.pts == before.pts
    assert after.others == before.others
    for old, new in zip(before.pictures, after.pictures, strict=True):
        luma = samples(old)[0].repeat(2, axis=0).repeat(2, axis=1)
        np.testing.assert_array_equal(samples(new)[0], luma)
    assert "10 frames, 128x96, ffv1" in said.out
    assert " on native backend, fp32" in said.out
    for stage in ("decode", "network", "encode", "bottleneck: "):
        assert stage in said.out


def test_an_rgb_model(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    source, target = make_clip(tmp_path / "in.mp4", draw=_grey), tmp_path / "out.mp4"
    cli(*command(source, target, nearest_model))
    before, after = read_clip(source), read_clip(target)
    assert after.video["format"] == "yuv420p"
    old, new = samples(before.pictures[3])[0], samples(after.pictures[3])[0]
    assert abs(new[::2, ::2].astype(float) - old).mean() < 4


def test_held_drawings_are_told(tmp_path: Path, luma_model: Path, cli: Cli) -> None:
    source, target = make_clip(tmp_path / "in.mkv", codec="ffv1", draw=_on_twos), tmp_path / "o.mkv"
    said = cli(*command(source, target, luma_model, "--codec", "ffv1"))
    assert "computed: 50% of the picture; the rest is as in the frame before" in said.out
    moving = make_clip(tmp_path / "moving.mkv", codec="ffv1")
    said = cli(*command(moving, tmp_path / "moved.mkv", luma_model, "--codec", "ffv1"))
    assert "computed" not in said.out


def _on_twos(index: int) -> av.VideoFrame:
    return moving_picture(64, 48, "yuv420p", index // 2)


def _grey(index: int) -> av.VideoFrame:
    picture = moving_picture(64, 48, "yuv420p", index)
    for plane in picture.planes[1:]:
        plane.update(bytes([128]) * plane.buffer_size)
    return picture


def test_json(tmp_path: Path, luma_model: Path, cli: Cli) -> None:
    source, target = make_clip(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    data = json.loads(cli(*command(source, target, luma_model, "--json")).out)
    assert data["frames"] == 10
    assert (data["width"], data["height"], data["codec"]) == (128, 96, "h264")
    assert data["target"] == str(target)
    assert " on native backend, fp32" in data["model"]
    assert data["stages"]["encode"]["ms_per_frame"] > 0
    assert data["bottleneck"] in data["stages"]


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "yuv422p"])
def test_chroma_by_a_network(tmp_path: Path, luma_model: Path, cli: Cli, pixel_format: str) -> None:
    # Every channel of the result takes the Cb or Cr of its sample.
    kernel = np.zeros((8, 16, 1, 1))
    kernel[:4, 4] = kernel[4:, 5] = 1
    chroma = save_model(tmp_path / "repeat.onnx", [kernel], scale=2, colour="chroma", halo=0)
    source = make_clip(tmp_path / "in.mkv", pixel_format=pixel_format, codec="ffv1")
    target = tmp_path / "out.mkv"
    more = ["--codec", "ffv1", "--chroma", str(chroma), "--json"]
    said = cli(*command(source, target, luma_model, *more))
    data = json.loads(said.out)
    assert "and repeat on native backend" in data["model"]
    taken = pixel_format != "yuv422p"
    assert ("chroma" in data["stages"]) == taken
    note = "chroma is enlarged by bicubic: its pixel format is yuv422p, and the network is for"
    assert any(text.startswith(note) for text in data["notes"]) != taken
    for old, new in zip(read_clip(source).pictures, read_clip(target).pictures, strict=True):
        for plane in (1, 2):
            repeated = samples(old)[plane].repeat(2, axis=0).repeat(2, axis=1)
            assert np.array_equal(samples(new)[plane], repeated) == taken


def test_a_missing_chroma_network_is_named(tmp_path: Path, luma_model: Path, cli: Cli) -> None:
    source, target = make_clip(tmp_path / "in.mkv"), tmp_path / "out.mkv"
    said = cli(*command(source, target, luma_model, "--chroma", "no.onnx"), code=1)
    assert "there is no chroma network 'no.onnx'" in only_line(said.err)
    assert not target.exists()


def test_a_cut_file_is_written_as_far_as_it_goes(
    tmp_path: Path, luma_model: Path, cli: Cli
) -> None:
    whole = make_clip(tmp_path / "in.mkv", frames=50)
    source, target = tmp_path / "cut.mkv", tmp_path / "out.mkv"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    said = cli(*command(source, target, luma_model, "--json"), code=3)
    assert json.loads(said.out)["frames"] == len(read_clip(target).pts)
    assert f"{source} is damaged: it ends at" in only_line(said.err)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--codec", "vp8"], 2, "codec is 'vp8'; allowed are h264, h265, av1, ffv1"),
        (["--quality", "good"], 2, "Invalid value for '--quality'"),
        (["--tile", "0"], 2, "tile"),
        (["--threads", "0"], 2, "threads is 0; it must be a whole number from 1 to"),
    ],
)
def test_options_that_are_not_allowed(
    tmp_path: Path, luma_model: Path, options: list[str], code: int, message: str, cli: Cli
) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2)
    said = cli(*command(source, tmp_path / "out.mp4", luma_model, *options), code=code)
    assert message in only_line(said.err)
    assert not (tmp_path / "out.mp4").exists()


def test_help_gives_the_codecs_own_defaults(cli: Cli) -> None:
    said = " ".join(cli("video", "--help").out.replace("│", " ").split())
    assert "|".join(CODECS) in said
    for name, codec in CODECS.items():
        if codec.quality is not None:
            assert f"{name} {codec.quality[2]}" in said
            assert f"{name} {codec.preset}" in said


def test_a_zoom_that_no_model_has(tmp_path: Path, cli: Cli) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2)
    said = cli("video", source, "-o", tmp_path / "out.mp4", "--scale", "7", code=2)
    assert "--scale is 7: no shipped model enlarges 7 times" in said.err


@pytest.mark.parametrize(
    ("source", "target", "code", "message"),
    [
        ("missing.mp4", "out.mp4", 1, "there is no file"),
        ("text.mp4", "out.mp4", 1, "is not a video that can be read"),
        ("in.mp4", "in.mp4/out.mp4", 1, "a part of its path is a file, not a folder"),
        ("in.mp4", "no/out.mp4", 1, "its folder does not exist; create it first"),
        (
            "in.mp4",
            "there.mp4",
            2,
            "there.mp4 exists; --skip-existing to keep it, give another",
        ),
        ("in.mp4", "out.bmp", 2, "allowed are .mp4, .mov, .mkv, .webm"),
    ],
)
def test_paths_that_cannot_be(
    tmp_path: Path, luma_model: Path, source: str, target: str, code: int, message: str, cli: Cli
) -> None:
    make_clip(tmp_path / "in.mp4", frames=2)
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "there.mp4").write_text("precious")
    before = names_in(tmp_path)
    said = cli(*command(tmp_path / source, tmp_path / target, luma_model), code=code)
    assert message in only_line(said.err)
    assert names_in(tmp_path) == before
    assert (tmp_path / "there.mp4").read_text() == "precious"


def test_notes_are_told(tmp_path: Path, luma_model: Path, cli: Cli) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2, size=(640, 16))
    said = cli(*command(source, tmp_path / "out.mp4", luma_model))
    assert "restore-rt: no colour matrix is named" in said.err


def test_without_pyav(tmp_path: Path, luma_model: Path) -> None:
    line = command(tmp_path / "in.mp4", tmp_path / "out.mp4", luma_model)
    done = restore_rt(*line, before="import sys; sys.modules['av'] = None")
    assert done.returncode == 1
    assert "pip install 'restore-rt[video]'" in done.stderr


def test_interrupted(tmp_path: Path, luma_model: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=150, size=(320, 240))
    target = tmp_path / "out.mkv"
    process = subprocess.Popen(
        [sys.executable, "-c", "from restore_rt.cli import main; main()",
         *command(source, target, luma_model, "--codec", "h265", "--preset", "veryslow")],
        cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(tmp_path.glob(".restore-rt*")):
        time.sleep(0.02)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert said == "restore-rt: interrupted\n"
    assert names_in(tmp_path) == ["in.mkv"]


def _several(folder: Path) -> Path:
    source = folder / "in"
    (source / "deep").mkdir(parents=True)
    for name in ("a.mp4", "b.avi", "deep/c.mkv"):
        make_clip(source / name, frames=2)
    (source / "notes.txt").write_text("nothing")
    return source


def test_a_folder_of_videos(tmp_path: Path, luma_model: Path, cli: Cli) -> None:
    source = _several(tmp_path)
    said = cli("video", source, "-o", tmp_path / "out", "--model", luma_model, "-r", "--json")
    report = json.loads(said.out)
    assert report["failed"] == 0
    assert [Path(each["target"]).name for each in report["videos"]] == ["a.mp4", "b.mkv", "c.mkv"]
    assert [each["frames"] for each in report["videos"]] == [2, 2, 2]
    assert [Path(path).name for path in next(iter(report["not_read"].values()))] == ["notes.txt"]
    found = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.m*"))
    assert found == [Path("a.mp4"), Path("b.mkv"), Path("deep/c.mkv")]


def test_going_on_with_a_folder(tmp_path: Path, luma_model: Path, cli: Cli) -> None:
    source = _several(tmp_path)
    line = ["video", source, "-o", tmp_path / "out", "--model", luma_model, "--format", "mkv"]
    cli(*line)
    (tmp_path / "out/a.mkv").unlink()
    kept = (tmp_path / "out/b.mkv").stat().st_mtime_ns
    refused = cli(*line, code=2)
    assert "--skip-existing to go on with the others" in refused.err
    went_on = cli(*line, "--skip-existing")
    assert "1 of 1 video restored, 1 restored before" in went_on.out
    assert (tmp_path / "out/b.mkv").stat().st_mtime_ns == kept
    assert (tmp_path / "out/a.mkv").exists()
    assert "nothing to do: 2 videos restored before" in cli(*line, "--skip-existing").out


@pytest.mark.parametrize(("broken", "code"), [(["b.avi"], 3), (["a.mp4", "b.avi"], 1)])
def test_one_that_fails_does_not_stop_the_others(
    tmp_path: Path, luma_model: Path, cli: Cli, broken: list[str], code: int
) -> None:
    source = _several(tmp_path)
    for name in broken:
        (source / name).write_bytes(b"no video")
    said = cli("video", source / "a.mp4", source / "b.avi", "-o", tmp_path / "out",
               "--model", luma_model, code=code)  # fmt: skip
    assert "b.avi is not a video" in said.err
    assert f"{2 - len(broken)} of 2 videos restored" in said.out
    assert names_in(tmp_path / "out") == ([] if len(broken) == 2 else ["a.mp4"])


def test_a_file_for_several_videos(tmp_path: Path, luma_model: Path, cli: Cli) -> None:
    source = _several(tmp_path)
    said = cli("video", source, "-o", tmp_path / "out.mp4", "--model", luma_model, code=2)
    assert "is a file, and there are 2 videos or a folder to restore; give a folder" in said.err
