"""The verb ``eval``, in this process."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore_rt.training.evaluation import FRAMES
from tests.cli.command import command_of, names_in, only_line
from tests.cli.conftest import Cli
from tests.images.pictures import noise
from tests.networks import nearest, save_model
from tests.training.test_clips import numbered, write_clip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of pictures that the model restores bit for bit from every second pixel."""
    data = tmp_path / "data"
    data.mkdir()
    for number, (channels, size) in enumerate(((3, (13, 22)), (1, (14, 17)), (3, (50, 60)))):
        pixels = noise(channels, 8, size=size).repeat(2, axis=0).repeat(2, axis=1)
        Image.fromarray(pixels).save(data / f"{number}.png")
    return data


def test_a_table(folder: Path, nearest_model: Path, cli: Cli) -> None:
    line = ["eval", nearest_model, "video-x2", "--data", folder, "--threads", "1"]
    said = cli(*line, "--degrade", "reduce:nearest")
    assert said.err == ""
    summary, *rows = (row.split() for row in said.out.splitlines() if row.strip())
    assert " ".join(summary) == "3 pictures, x2, reduce:nearest"
    by_name = {row[0]: row[1:] for row in rows}
    assert {"bicubic", "lanczos", "nearest-x2", "video-x2", "original"} <= by_name.keys()
    assert by_name["nearest-x2"][:4] == ["100.00", "1.0000", "100.00", "1.0000"]
    assert by_name["nearest-x2"][-1] == "36"
    assert by_name["video-x2"][-1] == "23,940"


def test_json_and_html(folder: Path, nearest_model: Path, tmp_path: Path, cli: Cli) -> None:
    line = ["eval", nearest_model, "--data", folder, "--threads", "1"]
    files = ["--json", tmp_path / "all.json", "--html", tmp_path / "all.html"]
    cli(*line, *files, "--images", "2", "--degrade", "reduce:nearest,jpeg:30-60")
    stored = json.loads((tmp_path / "all.json").read_text())
    assert stored["schema"] == 1
    assert stored["data"] == str(folder)
    assert stored["degradation"] == "reduce:nearest,jpeg:30-60"
    assert stored["evaluated"] == 3
    assert [entry["grey"] for entry in stored["pictures"]] == [False, True, False]
    assert "psnr_rgb" not in stored["pictures"][1]["scores"]["bicubic"]
    mean = np.mean([p["scores"]["nearest-x2"]["psnr_y"] for p in stored["pictures"]])
    assert stored["totals"]["nearest-x2"]["psnr_y"] == pytest.approx(mean, abs=1e-5)
    page = (tmp_path / "all.html").read_text()
    assert page.count("<section>") == 2
    # Damage follows from the files' names: another run finds the same.
    cli(*line, *files, "--overwrite", "--degrade", "reduce:nearest,jpeg:30-60")
    again = json.loads((tmp_path / "all.json").read_text())
    assert again["totals"]["bicubic"]["psnr_y"] == stored["totals"]["bicubic"]["psnr_y"]
    assert (tmp_path / "all.html").read_text().count("<section>") == 3


def test_repair(folder: Path, tmp_path: Path, cli: Cli) -> None:
    same = save_model(tmp_path / "same.onnx", nearest(3, 1))
    said = cli("eval", same, "--data", folder, "--degrade", "jpeg:30")
    rows = [row.split() for row in said.out.splitlines() if row.strip()]
    figures = {row[0]: row[1:5] for row in rows[2:]}
    assert figures["input"] == figures["same"]
    assert not {"bicubic", "lanczos"} & figures.keys()
    said = cli("eval", same, "--data", folder, code=2)
    assert "give --degrade, for example" in only_line(said.err)


def test_a_report_never_replaces_an_input(folder: Path, nearest_model: Path, cli: Cli) -> None:
    source = sorted(folder.glob("*.png"))[0]
    before = source.read_bytes()
    line = ["eval", nearest_model, "--data", folder, "--json", source]
    assert "is one of the inputs" in only_line(cli(*line, "--overwrite", code=2).err)
    assert source.read_bytes() == before


def test_limit(folder: Path, nearest_model: Path, cli: Cli) -> None:
    said = cli("eval", nearest_model, "--data", folder, "--limit", "1")
    assert said.out.startswith("1 picture, x2, reduce")


def test_a_bad_picture_among_others(
    folder: Path, nearest_model: Path, tmp_path: Path, cli: Cli
) -> None:
    (folder / "1.png").write_text("not a picture")
    line = ["eval", nearest_model, "--data", folder, "--json", tmp_path / "a.json"]
    said = cli(*line, code=1)
    error = only_line(said.err)
    assert error.startswith(f"restore-rt: error: {folder / '1.png'} is not a picture")
    assert said.out.startswith("2 pictures, x2, reduce; 1 of 3 failed")
    stored = json.loads((tmp_path / "a.json").read_text())
    assert [entry["name"] for entry in stored["failed"]] == ["1.png"]
    assert stored["evaluated"] == 2


def test_bad_pictures_alone(folder: Path, nearest_model: Path, tmp_path: Path, cli: Cli) -> None:
    for path in folder.iterdir():
        path.write_text("not a picture")
    page = tmp_path / "page.html"
    line = ["eval", nearest_model, "--data", folder, "--html", page]
    said = cli(*line, code=1)
    assert len(said.err.splitlines()) == 3
    assert said.out == ""
    assert "0.png is not a picture" in only_line(cli(*line, "--limit", "1", code=1).err)
    assert not page.exists()


def test_what_is_no_file_is_passed_over(folder: Path, nearest_model: Path, cli: Cli) -> None:
    os.mkfifo(folder / "pipe.png")
    (folder / "empty.png").mkdir()
    (folder / "null.png").symlink_to("/dev/null")
    (folder / "dead.png").symlink_to(folder / "nowhere.png")
    said = cli("eval", nearest_model, "--data", folder, code=1)
    assert "dead.png: there is no such file" in only_line(said.err)
    assert said.out.startswith("3 pictures, x2, reduce; 1 of 4 failed")


def test_names_need_not_be_text_nor_differ_between_folders(
    folder: Path, nearest_model: Path, tmp_path: Path, cli: Cli
) -> None:
    (folder / "sub").mkdir()
    (folder / "0.png").rename(folder / "sub" / "1.png")
    (folder / "2.png").rename(folder / os.fsdecode(b"\xff.png"))
    (folder / "sub" / "broken.png").write_text("not a picture")
    files = [tmp_path / "all.json", tmp_path / "all.html"]
    line = ["eval", nearest_model, "--data", folder]
    cli(*line, "--json", files[0], "--html", files[1], code=1)
    stored = json.loads(files[0].read_text("utf-8"))
    names = [entry["name"] for entry in stored["pictures"]]
    assert names == ["1.png", "sub/1.png", os.fsdecode(b"\xff.png")]
    assert [entry["name"] for entry in stored["failed"]] == ["sub/broken.png"]
    page = files[1].read_text("utf-8")
    assert page.count("<section>") == 3
    assert "<h2>\\udcff.png</h2>" in page
    assert "nearest-x2 ran on " in page


def test_a_model_without_a_manifest(folder: Path, tmp_path: Path, cli: Cli) -> None:
    bare = save_model(tmp_path / "bare.onnx", nearest(3, 2), scale=2, manifest=False)
    line = ["eval", bare, "--data", folder, "--degrade", "reduce:nearest"]
    for given in ([], ["--scale", "2", "--colour", "rgb"]):
        rows = [row.split() for row in cli(*line, *given).out.splitlines() if row.strip()]
        found = {row[0]: row[1:5] for row in rows}["bare"]
        assert found == ["100.00", "1.0000", "100.00", "1.0000"]


def test_the_help_tells_the_defaults() -> None:
    parameters = {parameter.name: parameter for parameter in command_of("eval").params}
    assert getattr(parameters["limit_frames"], "show_default", None) == str(FRAMES)


def test_wrong_use_is_one_line(folder: Path, nearest_model: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "there.json").touch()
    same = save_model(tmp_path / "same.onnx", nearest(3, 1))
    bare = save_model(tmp_path / "bare.onnx", nearest(3, 2), scale=2, manifest=False)
    model, data = str(nearest_model), ["--data", str(folder)]

    def both(first: str, second: str) -> list[str]:
        return ["--json", str(tmp_path / first), "--html", str(tmp_path / second)]

    for line, code, message in (
        (
            [model, "--data", str(tmp_path / "none")],
            2,
            "none: No such file or directory; name a folder of",
        ),
        ([model, "--data", str(tmp_path / "empty")], 2, "no pictures or videos in"),
        (
            [model, *data, *both("a.json", "a.json")],
            2,
            "a.json is named twice; give each report a file of its own",
        ),
        ([model, *data, *both("a.json", "empty/../a.json")], 2, "is named twice"),
        ([str(bare), *data, "--scale", "3"], 1, "of scale 3: it enlarges 2 times"),
        ([str(bare), *data, "--colour", "luma"], 1, "takes 3 channels, but is said to be luma"),
        ([model, *data, "--scale", "2"], 2, "leave --scale and --colour out"),
        ([model, *data, "--degrade", "reduce,jpeg:70:80"], 2, "gives 'quality' twice"),
        (["photo-x9", *data], 1, "'photo-x9' is neither a shipped model"),
        ([str(tmp_path / "no.onnx"), *data], 1, "there is no model file"),
        ([model, str(same), *data], 2, "give those of one scale"),
        ([model, *data, "--degrade", "reduce,rain"], 2, "degradation 'rain' is unknown"),
        ([model, *data, "--degrade", "jpeg:40"], 2, "need one step 'reduce'"),
        ([model, *data, "--limit", "0"], 2, "--limit"),
        ([model, *data, "--json", str(tmp_path / "there.json")], 2, "--overwrite to replace it"),
        ([model, *data, "--html", str(tmp_path / "none" / "a.html")], 1, "its folder does not"),
        ([model], 2, "--data"),
        (data, 2, "MODEL"),
    ):
        said = cli("eval", *line, code=code)
        assert said.out == ""
        assert message in only_line(said.err)
    assert names_in(tmp_path) == ["bare.onnx", "data", "empty", "same.onnx", "there.json"]


def test_what_is_missing_is_named(
    folder: Path, nearest_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cli: Cli
) -> None:
    line = ["eval", nearest_model, "--data", folder]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt install tesseract-ocr" in only_line(cli(*line, "--ocr", code=2).err)
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    assert "pip install 'restore-rt[eval]'" in only_line(cli(*line, code=2).err)


def test_rates_are_compared_by_videos_alone(cli: Cli, nearest_model: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((48, 48, 3), np.uint8)).save(tmp_path / "a.png")
    line = ["eval", nearest_model, "--data", tmp_path]
    for more, message in (
        (["--plot", "a.png"], "--plot draws what --bitrate measures; give both"),
        (["--bitrate", "h264", "--ocr"], "--ocr has no effect with --bitrate"),
        (["--bitrate", "h264", "--html", "a.html"], "--html has no effect with --bitrate"),
        (["--bitrate", "h264", "--plot", "a.gif"], "--plot is a.gif; its name must end in .png"),
        (["--bitrate", "h264"], "has none; give a folder of clips"),
    ):
        assert message in cli(*line, *more, code=2).err
    write_clip(tmp_path / "a.mkv", numbered(2, 64, 64))
    same = save_model(tmp_path / "same.onnx", nearest(3, 1))
    said = cli("eval", same, "--data", tmp_path, "--bitrate", "h264", code=2)
    assert "enlarges 1 times; --bitrate needs models that enlarge twice" in said.err


def test_rates_are_written_and_drawn(cli: Cli, nearest_model: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    write_clip(clips / "a.mkv", numbered(2, 64, 64))
    stored, drawn = tmp_path / "a.json", tmp_path / "a.svg"
    line = ["eval", nearest_model, "--data", clips, "--bitrate", "h264"]
    said = cli(*line, "--json", stored, "--plot", drawn)
    assert "BD-rate against full size, h264, mean of 1 clip" in said.out
    record = json.loads(stored.read_text())
    assert [row["model"] for row in record["mean_bd_rate"]] == ["bicubic", "nearest-x2"]
    assert set(record["clips"][0]["points"]) == {"full size", "bicubic", "nearest-x2"}
    assert "</svg>" in drawn.read_text()


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Return a folder with a clip, and a picture."""
    folder = tmp_path / "clips"
    folder.mkdir()
    write_clip(folder / "a.mkv", numbered(4, 64, 64))
    Image.fromarray(noise(3, 8, size=(64, 64))).save(folder / "b.png")
    return folder


@pytest.mark.usefixtures("libvmaf")
def test_clips_have_figures_of_their_own(
    cli: Cli, clips: Path, nearest_model: Path, tmp_path: Path
) -> None:
    stored, page = tmp_path / "a.json", tmp_path / "a.html"
    said = cli("eval", nearest_model, "--data", clips, "--json", stored, "--html", page)
    for title in ("VMAF", "VMAF-NEG", "flicker"):
        assert title in said.out.splitlines()[2]
        assert f"<th>{title}</th>" in page.read_text()
    clip, picture = json.loads(stored.read_text())["pictures"]
    figures = clip["scores"]["nearest-x2"]
    assert 0 <= figures["vmaf_neg"] <= figures["vmaf"] <= 100
    assert clip["scores"]["original"].keys() == {"flicker"}
    assert not {"vmaf", "vmaf_neg", "flicker"} & picture["scores"]["nearest-x2"].keys()


def test_without_ffmpeg_clips_have_no_vmaf(
    cli: Cli, clips: Path, nearest_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("restore_rt.training.metrics.clips.find_ffmpeg", lambda: None)
    line = ["eval", nearest_model, "--data", clips]
    said = cli(*line)
    assert only_line(said.err) == (
        "restore-rt: VMAF is left out: no ffmpeg with libvmaf is on PATH; "
        "pip install imageio-ffmpeg"
    )
    assert "flicker" in said.out
    assert "VMAF" not in said.out
    (clips / "a.mkv").unlink()
    # Pictures alone need none, and say nothing.
    assert cli(*line).err == ""
    assert "VMAF is left out" in cli(*line, "--degrade", "reduce,h264:30").err


def test_a_contact_sheet(cli: Cli, clips: Path, nearest_model: Path, tmp_path: Path) -> None:
    line = ["eval", nearest_model, "--data", clips, "--sheet"]
    cli(*line, tmp_path / "a.png")
    cli(*line, tmp_path / "one.png", "--images", "1")
    cli(*line, tmp_path / "a.webp")
    with Image.open(tmp_path / "a.png") as all_, Image.open(tmp_path / "one.png") as one:
        assert all_.format == "PNG"
        assert all_.width == one.width
        assert all_.height > one.height
    with Image.open(tmp_path / "a.webp") as image:
        assert getattr(image, "n_frames") == 4  # noqa: B009
    for more, message in (
        ([tmp_path / "a.gif"], "a.gif; its name must end in .png or .webp"),
        ([tmp_path / "a.png"], "--overwrite to replace it"),
        ([tmp_path / "b.png", "--bitrate", "h264"], "--sheet has no effect with --bitrate"),
    ):
        assert message in only_line(cli(*line, *more, code=2).err)
