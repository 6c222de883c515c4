"""A damaged model ends in a clear error or the right picture: no crash, no hang, little memory."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest

from restore_rt.errors import ModelError
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import read_manifest, weights_sha256
from restore_rt.model.reading import read_model
from tests.model.corruption import damaged_copies

# A hundred copies are opened, three times over.
pytestmark = pytest.mark.long

SOURCE = zoo.path_of("video-x2")
MOST_MEGABYTES, MOST_SECONDS = 2048, 5

# Graphs that are valid, and another's: their checksums were made right again, as no accident does.
CHANGED_UNSEEN = {
    "strides 1000",
    f"strides {2**40}",
    "Relu becomes Sigmoid",
    "reads others' weights",
}


def tried(folder: Path, verbs: str) -> dict[str, Any]:
    """Return what came of each copy, and of the file itself as ``whole``."""
    copies = damaged_copies(SOURCE.read_bytes())
    assert len(copies) == 100
    files = {"whole": SOURCE}
    for number, (name, data) in enumerate(copies.items()):
        files[name] = folder / f"{number}.onnx"
        files[name].write_bytes(data)
    script = Path(__file__).with_name("trials.py")
    line = [sys.executable, str(script), verbs, *map(str, files.values())]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    results = list(map(json.loads, done.stdout.splitlines()))
    return dict(zip(files, results, strict=True))


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what came of loading each copy, and of asking for its description."""
    return tried(tmp_path_factory.mktemp("damaged"), "load,info")


def check_limits(result: dict[str, Any], name: str) -> None:
    """Check how a trial ended, and what it took."""
    assert result["status"] == 0, (name, result)
    assert result["megabytes"] < MOST_MEGABYTES, (name, result)
    assert result["seconds"] < MOST_SECONDS, (name, result)


def test_none_crashes_or_hangs_or_takes_much_memory(trials: dict[str, Any]) -> None:
    for name, trial in trials.items():
        for verb in ("load", "info"):
            check_limits(trial[verb], name)


@pytest.mark.usefixtures("rtx")
def test_building_an_engine_of_one_ends_in_an_engine_or_one_clear_error(tmp_path: Path) -> None:
    ended = {0: 0, 1: 0}
    for name, trial in tried(tmp_path, "build").items():
        result = trial["build"]
        check_limits(result, name)
        assert result.get("code") in (0, 1), (name, result)
        ended[result["code"]] += 1
        if result["code"] == 0:
            assert result["left"] == ["model.engine", "model.engine.json"], (name, result)
        else:
            (line,) = result["said"]
            assert line.startswith("restore-rt: error: "), (name, result)
            assert "unexpected" not in line, (name, result)
            assert result["left"] == [], (name, result)
    assert min(ended.values()) > 0


def test_each_ends_in_a_picture_or_one_clear_error(trials: dict[str, Any]) -> None:
    for name, trial in trials.items():
        load, info = trial["load"], trial["info"]
        assert ("picture" in load) != ("error" in load), (name, load)
        if "error" in load:
            assert len(load["error"]) > 20, (name, load)
        else:
            assert load["shape"] == [48, 64, 3]
        assert info.get("code") in (0, 1), (name, info)
        if info["code"] == 1:
            assert info["said"].startswith("restore-rt: error: "), (name, info)
            assert "unexpected" not in info["said"], (name, info)
            assert info["said"].count("\n") == 1, (name, info)
        else:
            assert info["said"] == "", (name, info)


def test_no_picture_is_wrong_in_silence(trials: dict[str, Any]) -> None:
    right = trials["whole"]["load"]["picture"]
    whole = weights_sha256(onnx.load(SOURCE))
    wrong = set()
    for name, trial in trials.items():
        if "picture" not in trial["load"]:
            continue
        model = onnx.load(trial["path"])
        manifest = read_manifest(model)
        assert weights_sha256(model) == (manifest.sha256 if manifest else whole), name
        assert trial["info"]["intact"] is (True if manifest else None), name
        if trial["load"]["picture"] != right:
            wrong.add(name)
    assert wrong == CHANGED_UNSEEN


def test_damaged_weights_are_told_apart(trials: dict[str, Any]) -> None:
    told = [trial["info"] for name, trial in trials.items() if name.startswith("flipped in all")]
    assert [info["intact"] for info in told if info["code"] == 0].count(False) >= 5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cut to 0", "cannot be read as an ONNX model"),
        ("cut to 100", "cannot be read as an ONNX model"),
        ("no licence", "the manifest lacks licence"),
        ("a name is no text", r"its input b'layers\.3\.we\\xffght' is no text"),
        ("a key is no text", r"its key b'restore_rt\.\\xffalo' is no text"),
        ("an entry twice", r"two entries of its description are called 'restore_rt\."),
        ("sha256 is 00000000", "the weights in .* are not those"),
        ("tile is [[[[[[[[", r"manifest tile is '\[\[\[.*; export the model again"),
        ('metrics is {"psnr":', "manifest metrics is .*NaN"),
        ("weights: huge side", r"said to have the shape \[1099511627776, 16, 3, 3\]"),
        ("weights: negative side", r"allowed are up to 32 sides of 0"),
        ("weights: half of the data", r"has 4608 bytes of data, and its shape .* needs 9216"),
        (
            "weights: data in /etc/passwd",
            r"data in another file, '/etc/passwd'; allowed are files in",
        ),
        ("input of 2^15 x 2^15", "takes frames of 32768x32768 alone"),
        ("reads itself", "topologically sorted"),
        ("pads 10000", "computes .* GiB of values for a frame of 32x32; allowed are 1.0"),
        ("ConstantOfShape of 10^10", "computes 37.3 GiB of values"),
        ("deep branches", "more than 16 deep"),
        ("endless loop", "the operator Loop, whose end cannot be foreseen"),
        ("function that calls itself", "'F0' calls itself"),
        ("functions that double", "unfolds to more than 100000 nodes"),
        ("sparse weights", "sparse weights"),
        ("no nodes", "it holds no network"),
    ],
)
def test_the_error_says_what_is_wrong(trials: dict[str, Any], name: str, message: str) -> None:
    assert re.search(message, trials[name]["load"]["error"]), trials[name]["load"]["error"]


def test_a_file_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("it was read"))
    with pytest.raises(ModelError, match=f"it has {2**31} bytes; allowed are {2**31 - 1}"):
        read_model(path)


@pytest.mark.parametrize("manifest", zoo.models(), ids=lambda manifest: str(manifest.name))
def test_shipped_models_pass(manifest: Any) -> None:
    assert read_model(zoo.path_of(manifest.name)).graph.node
