"""The verbs ``dataset ...``, in this process."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from restore_rt.training.dataset.crops import FLAT_BELOW
from restore_rt.training.dataset.duplicates import DISTANCE
from tests.cli.command import command_of, only_line, restore_rt
from tests.cli.conftest import Cli
from tests.training.dataset.scenes import below, load, save, scene


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with six pictures in two folders, two of them near-duplicates."""
    for seed in range(5):
        save(tmp_path / "in" / f"{seed % 2}" / f"{seed}.png", scene(seed, 60, 81))
    save(tmp_path / "in" / "1" / "copy.jpg", scene(2, 60, 81)[:, ::-1], quality=70)
    return tmp_path / "in"


def break_one(folder: Path) -> None:
    (folder / "0" / "broken.png").write_bytes(b"no picture")


def test_crop(folder: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "out"
    said = cli("dataset", "crop", folder, "-o", out, "--size", "24", "--per-image", "2")
    assert only_line(said.out) == f"{out}: 12 squares of 24x24 from 6 pictures"
    assert said.err == ""
    assert len(below(out)) == 12
    assert {load(out / name).shape for name in below(out)} == {(24, 24, 3)}
    said = cli("dataset", "crop", folder, "-o", out, "--size", "24", code=2)
    assert "exists and 11 more" in only_line(said.err)
    said = cli("dataset", "crop", folder, "-o", out, "--size", "24", "--overwrite", "--json")
    report = json.loads(said.out)
    assert (report["pictures"], report["written"]) == (6, 6)
    assert "squares of an earlier run remain" in only_line(said.err)


def test_crop_of_a_grid(folder: Path, tmp_path: Path, cli: Cli) -> None:
    save(folder / "white.png", scene(0, 60, 81) // 255)
    save(folder / "small.png", scene(0, 9, 81))
    line = ["crop", folder, "-o", tmp_path / "out", "--size", "20", "--per-image", "grid"]
    text = only_line(cli("dataset", *line, "--format", "webp", "--flat-below", "0.1").out)
    assert "squares left out for showing too little; 1 picture left out for being smaller" in text
    assert all(name.endswith(".webp") for name in below(tmp_path / "out"))
    assert not any("white" in name for name in below(tmp_path / "out"))


def test_reduce(folder: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "out"
    said = cli("dataset", "reduce", folder, "-o", out, "--scale", "1/3", "--filter", "area")
    assert only_line(said.out) == f"{out}: 6 pictures"
    assert load(out / "1" / "copy.png").shape == (20, 27, 3)
    save(folder / "thin.png", scene(0, 1, 81))
    save(folder / "tiny.png", scene(0, 9, 9))
    said = cli(
        "dataset", "reduce", folder, "-o", tmp_path / "b", "--size", "40", "--format", "webp"
    )
    assert only_line(said.out) == (
        f"{tmp_path / 'b'}: 7 pictures; 1 of them kept at a size no larger than asked for; 1 "
        "picture left out for being too small"
    )
    assert load(tmp_path / "b" / "0" / "0.webp").shape == (29, 40, 3)
    line = ["reduce", folder, "-o", tmp_path / "c", "--size", "40", "--json"]
    report = json.loads(cli("dataset", *line).out)
    assert (report["pictures"], report["written"], len(report["small"])) == (8, 7, 1)


def test_split(folder: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "out"
    line = ["split", folder, "-o", out, "--train", "0.5", "--test", "0.5", "--verify", "0"]
    said = cli("dataset", *line, "--seed", "3", "--json")
    report = json.loads(said.out)
    assert sum(report["sides"].values()) == 6
    assert report["sides"]["verify"] == 0
    assert report["groups"] == 5
    assert report["joined"] == [["0/2.png", "1/copy.jpg"]]
    assert len(said.err.splitlines()) == len(report["warnings"])
    copies = [Path(name) for name in below(out) if name != "manifest.tsv"]
    assert len(copies) == 6
    assert len({path.parts[0] for path in copies if path.stem in ("2", "copy")}) == 1
    assert "manifest.tsv exists" in only_line(cli("dataset", *line, code=2).err)


def test_split_tells_what_is_odd(folder: Path, tmp_path: Path, cli: Cli) -> None:
    save(folder / "6.png", scene(6, 60, 81))
    line = ["split", folder, "-o", tmp_path / "out", "--group", "^[01]/", "--link"]
    said = cli("dataset", *line)
    assert "; 1 pair of near-duplicates kept together" in only_line(said.out)
    assert "is empty: the 7 pictures are 2 groups, the largest of 6" in said.err
    assert "--group matches in all but 1 of 7 names" in said.err
    sides = {Path(name).parts[0] for name in below(tmp_path / "out") if "/" in name}
    assert len(sides) <= 2
    assert (next((tmp_path / "out").rglob("6.png"))).is_symlink()


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_a_folder_in_the_manifests_place_is_refused_at_once(
    folder: Path, tmp_path: Path, options: list[str], cli: Cli
) -> None:
    (tmp_path / "out" / "manifest.tsv").mkdir(parents=True)
    break_one(folder)
    said = cli("dataset", "split", folder, "-o", tmp_path / "out", *options, code=2)
    # Nothing is said of the broken picture: none was looked at.
    assert "manifest.tsv is not a file" in only_line(said.err)
    assert below(tmp_path / "out") == []


def test_the_help_tells_the_defaults() -> None:
    shown = {
        (verb, parameter.name): getattr(parameter, "show_default", None)
        for verb in ("crop", "split", "duplicates")
        for parameter in command_of("dataset", verb).params
    }
    assert shown["crop", "flat_below"] == str(FLAT_BELOW)
    assert shown["split", "distance"] == shown["duplicates", "distance"] == str(DISTANCE)


def test_duplicates(folder: Path, tmp_path: Path, cli: Cli) -> None:
    train, test = folder / "0", folder / "1"
    said = cli("dataset", "duplicates", train, test, code=1)
    first, second, agreement = only_line(said.out).split("\t")
    assert (first, second) == (str(train / "2.png"), str(test / "copy.jpg"))
    assert agreement.endswith(" mirrored")
    assert "1 pair with the same content" in only_line(said.err)
    said = cli("dataset", "duplicates", test, train, "--json", code=1)
    (pair,) = json.loads(said.out)["duplicates"]
    assert pair["train"] == str(test / "copy.jpg")
    assert pair["mirrored"] is True
    (test / "copy.jpg").unlink()
    said = cli("dataset", "duplicates", train, test, "--distance", "20")
    assert only_line(said.out) == f"none of 2 pictures in {test} is among 3 in {train}"
    assert said.err == ""


def test_blank_pictures_are_told(folder: Path, tmp_path: Path, cli: Cli) -> None:
    save(tmp_path / "test" / "blank.png", scene(0, 20, 30) // 255)
    said = cli("dataset", "duplicates", folder, tmp_path / "test")
    assert "1 picture without any feature" in only_line(said.err)


@pytest.mark.parametrize(
    "line",
    [["crop", "--size", "20"], ["reduce", "--size", "20"], ["split"]],
    ids=["crop", "reduce", "split"],
)
def test_a_broken_picture_is_skipped_and_named(
    folder: Path, tmp_path: Path, line: list[str], cli: Cli
) -> None:
    break_one(folder)
    said = cli("dataset", *line, folder, "-o", tmp_path / "out", code=1)
    errors = [text for text in said.err.splitlines() if "error" in text]
    assert "skipped: " in only_line("\n".join(errors))
    assert str(folder / "0" / "broken.png") in errors[0]
    assert only_line(said.out).endswith("; 1 picture skipped as unreadable")
    said = cli("dataset", *line, folder, "-o", tmp_path / "again", "--json", code=1)
    assert len(json.loads(said.out)["skipped"]) == 1


def test_pictures_that_cannot_be_compared_are_no_pass(
    folder: Path, tmp_path: Path, cli: Cli
) -> None:
    save(tmp_path / "test" / "a.png", scene(9))
    said = cli("dataset", "duplicates", folder, tmp_path / "test")
    break_one(folder)
    said = cli("dataset", "duplicates", folder, tmp_path / "test", code=1)
    assert "broken.png" in only_line(said.err)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["crop", "IN", "-o", "OUT", "--size", "20", "--per-image", "few"], "--per-image is 'few'"),
        (["crop", "IN", "-o", "OUT", "--size", "0"], "size is 0"),
        (["crop", "IN", "-o", "IN", "--size", "20"], "both input and output"),
        (["crop", "NONE", "-o", "OUT", "--size", "20"], "cannot list the folder"),
        (["crop", "IN", "-o", "OUT", "--size", "20", "--threads", "0"], "threads is 0"),
        (["reduce", "IN", "-o", "OUT", "--size", "20", "--threads", "257"], "from 1 to 256"),
        (["split", "IN", "-o", "OUT", "--threads", "257"], "from 1 to 256"),
        (["duplicates", "IN", "IN", "--threads", "257"], "from 1 to 256"),
        (["reduce", "IN", "-o", "OUT"], "either --scale or --size"),
        (["reduce", "IN", "-o", "OUT", "--scale", "half"], "--scale is 'half'"),
        (["reduce", "IN", "-o", "OUT", "--scale", "1/0"], "--scale is '1/0'"),
        (["reduce", "IN", "-o", "OUT", "--scale", "2"], "scale is 2"),
        (["split", "IN", "-o", "OUT", "--train", "0.9"], "together 1.1"),
        (["split", "IN", "-o", "OUT", "--group", "["], "no regular expression"),
        (["split", "IN", "-o", "OUT", "--group", "x+"], "matches in no name"),
        (["duplicates", "IN", "IN", "--distance", "99"], "distance is 99"),
        (["duplicates", "IN", "NONE"], "cannot list the folder"),
    ],
)
def test_wrong_use_is_one_line(
    folder: Path, tmp_path: Path, line: list[str], message: str, cli: Cli
) -> None:
    places = {"IN": folder, "OUT": tmp_path / "out", "NONE": tmp_path / "none"}
    said = cli("dataset", *(places.get(word, word) for word in line), code=2)
    assert message in only_line(said.err)
    assert said.out == ""
    assert not (tmp_path / "out").exists()


def test_without_imagehash(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.setitem(sys.modules, "imagehash", None)
    assert "ImageHash" in only_line(cli("dataset", "duplicates", folder, folder, code=2).err)
    cli("dataset", "crop", folder, "-o", tmp_path / "out", "--size", "20")


def test_torch_is_not_needed(folder: Path, tmp_path: Path) -> None:
    before = "import sys; sys.modules.update(torch=None, av=None)"
    out = tmp_path / "out"
    done = restore_rt("dataset", "split", folder, "-o", out, before=before)
    assert done.returncode == 0, done.stderr
    done = restore_rt("dataset", "reduce", folder, "-o", out / "b", "--size", "9", before=before)
    assert done.returncode == 0, done.stderr
