"""What is exported is what the runtime serves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import restore_rt
from restore_rt.cli import run
from restore_rt.errors import ModelError
from restore_rt.export import export_onnx

SIZE = (61, 83)


def picture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """Draw something smooth with edges in it."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = 128 + 60 * np.sin((x + seed) / 5) * np.cos(y / 7) + 40 * ((x // 9 + y // 6) % 2)
    colours = np.stack([waves, waves[::-1], 255 - waves], axis=2)
    return np.asarray(np.clip(colours, 0, 255), np.uint8)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(4):
        Image.fromarray(picture(seed, 72, 90)).save(folder / f"{seed}.png")
    return folder


@pytest.mark.parametrize(("precision", "most"), [("fp16", 1), ("int8", 12)])
def test_a_lower_precision_is_served(
    tmp_path: Path, pictures: Path, capsys: pytest.CaptureFixture[str], precision: str, most: int
) -> None:
    out = tmp_path / "model.onnx"
    options = ["--precision", precision, "--images", str(pictures), "--json"]
    # Of the four choices for int8, the fastest differs from machine to machine: all must do.
    assert run(["export", "video-x2-fast", "-o", str(out), *options]) == 0
    said = capsys.readouterr()
    described = json.loads(said.out)
    assert (described["precision"], described["name"]) == (precision, "video-x2-fast")
    assert f"{precision} against fp32: PSNR" in said.err
    frame = picture(9, *SIZE)
    with restore_rt.load("video-x2-fast") as whole, restore_rt.load(out, tile=56) as reduced:
        assert reduced.manifest.precision == precision
        difference = whole(frame).astype(int) - reduced(frame)
    assert np.abs(difference).max() <= most
    assert np.sqrt(np.mean(difference**2)) < 1


def test_a_file_of_one_size_is_served(tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    export_onnx("video-x2", out, static=(56, 64), say=lambda line: None)
    frame = picture(9, *SIZE)
    with restore_rt.load("video-x2") as free, restore_rt.load(out) as static:
        assert np.abs(free(frame).astype(int) - static(frame)).max() <= 1


def test_what_the_runtime_cannot_serve_is_one_error(tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    export_onnx("video-x2", out, io="u8", say=lambda line: None)
    with pytest.raises(
        ModelError, match=r"'x' of .*model\.onnx is uint8; .* export the model with --io float32"
    ):
        restore_rt.load(out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--static", "48"], "--static is '48'; give width and height like 480x270"),
        (["--precision", "int8"], "name a folder of images"),
        (["--images", "nowhere"], "cannot list the folder"),
        (["--opset", "9"], "opset is 9; allowed are 18 to 25"),
    ],
)
def test_wrong_use_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    out = tmp_path / "model.onnx"
    assert run(["export", "video-x2", "-o", str(out), *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()
