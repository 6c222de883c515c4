"""The verb ``image``, in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from restore_rt import images
from restore_rt.cli.image import restore_pictures
from restore_rt.cli.paths import Job, plan
from restore_rt.errors import NonFiniteError
from restore_rt.folders import FOLDER, SUFFIX
from restore_rt.images import (
    FORMATS,
    Picture,
    read_pages,
    read_picture,
    write_pages,
    write_picture,
)
from tests.cli.command import names_in
from tests.cli.conftest import Cli
from tests.images.pictures import CHANNELS, camera_exif, noise, srgb

LIMIT = 1 << 24


def twice(pixels: Any) -> Any:
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", CHANNELS)
@pytest.mark.parametrize("name", ["png", "tiff"])
def test_every_kind_comes_through(
    tmp_path: Path, nearest_model: Path, kind: str, bits: int, name: str, cli: Cli
) -> None:
    pixels = noise(CHANNELS[kind], bits)
    if "alpha" in kind:
        pixels[..., -1] |= 1  # hidden colours are replaced, which is another test's matter
    picture = Picture(pixels, exif=camera_exif(), dpi=(72, 72))
    if "rgb" in kind:
        picture = Picture(pixels, srgb(), camera_exif(), dpi=(72, 72))
    source, target = tmp_path / f"in.{name}", tmp_path / f"out.{name}"
    write_picture(source, picture, FORMATS[name])
    cli("image", source, "-o", target, "--model", nearest_model)
    result = read_picture(target)
    np.testing.assert_array_equal(result.pixels, twice(pixels))
    assert result.icc == picture.icc
    assert result.dpi == pytest.approx((72, 72), abs=0.02)
    assert b"Tester" in result.exif


def make(folder: Path, names: list[str]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(3, 8)).save(path)


def test_one_bad_file_among_many(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    make(tmp_path, ["in/a.png", "in/c.png", "in/d.jpg"])
    (tmp_path / "in" / "b.png").write_text("not a picture")
    line = ["image", tmp_path / "in", "-o", tmp_path / "out", "--json"]
    said = cli(*line, "--model", nearest_model, code=3)
    (error,) = said.err.splitlines()
    assert error.startswith("restore-rt: error: ")
    assert str(tmp_path / "in" / "b.png") in error
    report = json.loads(said.out)
    assert report["failed"] == 1
    assert [Path(entry["input"]).name for entry in report["pictures"]] == [
        "a.png",
        "b.png",
        "c.png",
        "d.jpg",
    ]
    assert "not a picture" in report["pictures"][1]["error"]
    assert (report["pictures"][0]["width"], report["pictures"][0]["height"]) == (44, 26)
    assert names_in(tmp_path / "out") == ["a.png", "c.png", "d.jpg"]


def test_a_missing_file_among_many(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    make(tmp_path, ["a.png"])
    line = ["image", tmp_path / "no.png", tmp_path / "a.png", "-o", tmp_path / "o"]
    said = cli(*line, "--model", nearest_model, code=3)
    assert "no such file" in said.err
    assert "1 of 2 pictures" in said.out
    assert names_in(tmp_path / "o") == ["a.png"]


def test_formats_are_checked_before_work(tmp_path: Path) -> None:
    write_picture(tmp_path / "deep.png", Picture(noise(3, 16)), FORMATS["png"])
    write_picture(tmp_path / "clear.png", Picture(noise(4, 8)), FORMATS["png"])
    calls = []

    def restore(job: Job, pixels: Any) -> Any:
        calls.append(pixels.shape)
        return twice(pixels)

    jobs = plan([str(tmp_path / "*.png")], str(tmp_path / "out"), format_name="jpeg").jobs
    outcomes = restore_pictures(jobs, restore, scale=2, max_pixels=LIMIT)
    assert [type(outcome.error).__name__ for outcome in outcomes] == ["InputError", "InputError"]
    assert "clear.png: jpeg cannot hold transparency" in str(outcomes[0].error)
    assert "deep.png: jpeg cannot hold 16-bit samples" in str(outcomes[1].error)
    assert calls == []
    assert not (tmp_path / "out").exists()


def test_an_error_of_the_network_concerns_one_picture(tmp_path: Path) -> None:
    make(tmp_path, ["a.png", "b.png", "c.png"])

    def restore(job: Job, pixels: Any) -> Any:
        calls.append(None)
        if len(calls) == 2:
            raise NonFiniteError("NaN")
        return twice(pixels)

    calls: list[None] = []
    jobs = plan([str(tmp_path / "*.png")], str(tmp_path / "out")).jobs
    outcomes = restore_pictures(jobs, restore, scale=2, max_pixels=LIMIT)
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert names_in(tmp_path / "out") == ["a.png", "c.png"]


@pytest.mark.parametrize("broken", ["read_pages", "restore", "write_pages"])
def test_an_unexpected_error_concerns_one_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    make(tmp_path, ["a.png", "b.png", "c.png"])
    calls: list[None] = []

    def breaks(work: Any) -> Any:
        def second_time(*arguments: Any, **options: Any) -> Any:
            calls.append(None)
            if len(calls) == 2:
                raise KeyError("oops")
            return work(*arguments, **options)

        return second_time

    def restore(job: Job, pixels: Any) -> Any:
        return twice(pixels)

    if broken == "restore":
        restore = breaks(restore)
    if broken != "restore":
        monkeypatch.setattr(images, broken, breaks(getattr(images, broken)))
    monkeypatch.setenv("RESTORE_RT_TRACEBACK", "1")
    jobs = plan([str(tmp_path / "*.png")], str(tmp_path / "out")).jobs
    outcomes = restore_pictures(jobs, restore, scale=2, max_pixels=LIMIT)
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert names_in(tmp_path / "out") == ["a.png", "c.png"]
    said = capsys.readouterr().err
    assert f"error: {tmp_path / 'b.png'}: unexpected KeyError: 'oops'; please report it" in said
    assert "in second_time" in said
    assert "please report it" in outcomes[1].as_dict()["error"]


def test_running_out_of_memory_says_what_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, ["a.png", "b.png"])

    def restore(job: Job, pixels: Any) -> Any:
        raise MemoryError

    jobs = plan([str(tmp_path / "*.png")], str(tmp_path / "out")).jobs
    restore_pictures(jobs, restore, scale=2, max_pixels=LIMIT)
    said = capsys.readouterr().err
    assert said.count("out of memory: close other programs, give smaller pictures, or") == 2


def test_wrong_use_makes_no_folder(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    make(tmp_path, ["a.png"])
    write_picture(tmp_path / "deep.png", Picture(noise(3, 16)), FORMATS["png"])
    for name, options in (
        ("a.png", ["--quality", "50"]),
        ("a.png", ["--tile", "1x2x3"]),
        ("a.png", ["--tile", "0"]),
        ("deep.png", ["--format", "jpeg"]),
    ):
        line = ["image", tmp_path / name, "-o", tmp_path / "new" / "sub", *options]
        cli(*line, "--model", nearest_model, code=2)
        assert names_in(tmp_path) == ["a.png", "deep.png"]


def test_structure_is_kept(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    make(tmp_path, ["in/a.png", "in/x/a.png", "in/x/y/b.jpg"])
    line = ["image", tmp_path / "in", "-o", tmp_path / "out", "-r", "--format", "webp"]
    cli(*line, "--model", nearest_model)
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in tmp_path.glob("out/**/*.*"))
    assert found == ["a.webp", "x/a.webp", "x/y/b.webp"]
    with Image.open(tmp_path / "out" / "a.webp") as image:
        np.testing.assert_array_equal(np.asarray(image), twice(noise(3, 8)))


def test_quality(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    make(tmp_path, ["a.png"])
    line = ["image", tmp_path / "a.png", "--model", nearest_model, "-o"]
    assert "--quality is 50" in cli(*line, tmp_path / "x.png", "--quality", "50", code=2).err
    cli(*line, tmp_path / "high.jpg")
    cli(*line, tmp_path / "low.jpg", "--quality", "30")
    assert (tmp_path / "low.jpg").stat().st_size < (tmp_path / "high.jpg").stat().st_size / 2


def test_notes_name_the_picture(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    Image.new("CMYK", (8, 8)).save(tmp_path / "a.jpg")
    line = ["image", tmp_path / "a.jpg", "-o", tmp_path / "b.jpg"]
    assert f"restore-rt: {tmp_path / 'a.jpg'}: CMYK" in cli(*line, "--model", nearest_model).err


def test_model_goes_before_zoom(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    make(tmp_path, ["a.png"])
    line = ["image", tmp_path / "a.png", "-o", tmp_path / "b.png", "--scale", "4"]
    said = cli(*line, "--model", nearest_model)
    assert "--scale 4 is ignored: nearest-x2 enlarges 2 times" in said.err


def test_tile(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    make(tmp_path, ["a.png"])
    for index, tile in enumerate(("26", "26x32")):
        line = ["image", tmp_path / "a.png", "-o", tmp_path / f"{index}.png"]
        cli(*line, "--model", nearest_model, "--tile", tile)
        with Image.open(tmp_path / f"{index}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), twice(noise(3, 8)))


def test_a_folder_as_people_have_it(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    folder = tmp_path / "in"
    make(folder, ["a.png", "b.jfif", "c.avif", "d.tga", "e.jp2", "f.jpe", "h.JPG", "sub/i.png"])
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / "._a.png").write_bytes(b"x")
    line = ["image", folder, "-o", tmp_path / "out", "--model", nearest_model]
    said = cli(*line, "--json")
    report = json.loads(said.out)
    assert [Path(entry["input"]).name for entry in report["pictures"]] == [
        *("a.png", "b.jfif", "c.avif", "d.tga", "e.jp2", "f.jpe", "h.JPG"),
    ]
    assert report["failed"] == 0
    assert report["not_read"] == {
        "hidden": [str(folder / "._a.png")],
        FOLDER: [str(folder / "sub")],
        SUFFIX: [str(folder / "Thumbs.db")],
    }
    assert f"restore-rt: not read (hidden): {folder / '._a.png'}" in said.err
    assert f"restore-rt: not read ({SUFFIX}): {folder / 'Thumbs.db'}" in said.err
    assert names_in(tmp_path / "out") == [
        *("a.png", "b.jfif", "c.avif", "d.png", "e.png", "f.jpe", "h.JPG"),
    ]
    for name, kind in (("b.jfif", "JPEG"), ("c.avif", "AVIF"), ("d.png", "PNG")):
        with Image.open(tmp_path / "out" / name) as image:
            assert (image.format, image.size) == (kind, (44, 26))


def test_a_long_list_is_cut(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    make(tmp_path, ["in/a.png"])
    for index in range(103):
        (tmp_path / "in" / f"{index:03}.txt").touch()
    line = ["image", tmp_path / "in", "-o", tmp_path / "out", "--model", nearest_model, "--json"]
    said = cli(*line)
    assert said.err.endswith("099.txt and 3 more, which --json lists\n")
    assert len(json.loads(said.out)["not_read"][SUFFIX]) == 103


def test_going_on_with_a_folder(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    make(tmp_path, ["in/a.png", "in/b.png", "in/c.png"])
    line = ["image", tmp_path / "in", "-o", tmp_path / "out", "--model", nearest_model]
    cli("image", tmp_path / "in" / "b.png", *line[2:])
    first = (tmp_path / "out" / "b.png").stat().st_mtime_ns
    assert "--skip-existing to go on with the others" in cli(*line, code=2).err
    assert "2 of 2 pictures restored, 1 restored before" in cli(*line, "--skip-existing").out
    assert (tmp_path / "out" / "b.png").stat().st_mtime_ns == first
    assert names_in(tmp_path / "out") == ["a.png", "b.png", "c.png"]
    assert cli(*line, "--skip-existing").out == "nothing to do: 3 pictures restored before\n"
    report = json.loads(cli(*line, "--skip-existing", "--json").out)
    assert (report["pictures"], len(report["existing"])) == ([], 3)
    assert "exclude each other" in cli(*line, "--skip-existing", "--overwrite", code=2).err


def cut_jpeg(path: Path) -> None:
    Image.fromarray(noise(3, 8, size=(48, 64))).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_part_that_is_done_exits_with_3(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    cut_jpeg(tmp_path / "cut.jpg")
    line = ["--model", nearest_model, "-o"]
    said = cli("image", tmp_path / "cut.jpg", *line, tmp_path / "out.jpg", "--json", code=3)
    (entry,) = json.loads(said.out)["pictures"]
    assert "of its 48 rows are missing" in entry["damage"]
    assert f"restore-rt: error: {tmp_path / 'cut.jpg'}: the file ends early: " in said.err
    assert read_picture(tmp_path / "out.jpg").pixels.shape == (96, 128, 3)
    make(tmp_path, ["a.png"])
    cli("image", tmp_path / "*.*g", *line, tmp_path / "both", code=3)
    assert names_in(tmp_path / "both") == ["a.png", "cut.jpg", "out.jpg"]
    (tmp_path / "x.png").write_text("not a picture")
    (tmp_path / "y.png").write_text("not a picture")
    inputs = [tmp_path / "x.png", tmp_path / "y.png"]
    assert "0 of 2" in cli("image", *inputs, *line, tmp_path / "none", code=1).out


def test_a_jpeg_without_its_end_is_whole(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    make(tmp_path, ["a.jpg"])
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-2])
    line = ["image", tmp_path / "a.jpg", "-o", tmp_path / "b.png", "--model", nearest_model]
    assert "its end is missing, though no pixels are" in cli(*line).err


def test_pages(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    arrays = [noise(3, 8), noise(1, 16), noise(3, 8, size=(5, 40))]
    write_pages(tmp_path / "in.tif", [Picture(pixels) for pixels in arrays], FORMATS["tiff"])
    make(tmp_path, ["a.png"])
    line = ["image", tmp_path / "in.tif", tmp_path / "a.png", "--model", nearest_model, "-o"]
    report = json.loads(cli(*line, tmp_path / "out", "--json").out)
    assert [entry["pages"] for entry in report["pictures"]] == [3, 1]
    for page, pixels in zip(read_pages(tmp_path / "out" / "in.tif"), arrays, strict=True):
        np.testing.assert_array_equal(page.pixels, twice(pixels))
    said = cli(*line, tmp_path / "png", "--format", "png", code=3)
    assert "in.tif: png cannot hold 3 pages; use tiff" in said.err
    alone = ["image", tmp_path / "in.tif", "--model", nearest_model, "-o", tmp_path / "x.tif"]
    assert cli(*alone).out.startswith(f"{tmp_path / 'x.tif'}: 44x26 and 2 more pages, ")


def test_pages_before_a_damaged_one_are_kept(tmp_path: Path, nearest_model: Path, cli: Cli) -> None:
    pages = [Picture(noise(3, 8)) for _ in range(3)]
    write_pages(tmp_path / "in.tif", pages, FORMATS["tiff"])
    data = bytearray((tmp_path / "in.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "in.tif") as file:
        start = file.pages[2].dataoffsets[0]
    data[start : start + 40] = bytes(40)
    (tmp_path / "in.tif").write_bytes(data)
    line = ["image", tmp_path / "in.tif", "-o", tmp_path / "out.tif", "--model", nearest_model]
    assert "only 2 pages could be read" in cli(*line, code=3).err
    assert len(list(read_pages(tmp_path / "out.tif"))) == 2
