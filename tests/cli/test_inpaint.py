"""The verb ``inpaint``, in this process."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from restore_rt.images import Picture, format_of, read_picture, write_picture
from tests.cli.command import names_in
from tests.cli.conftest import Cli
from tests.images.pictures import noise
from tests.inpaint.networks import residual, save_inpainter

SIZE = (40, 56)


@pytest.fixture
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a network that leaves the fill as it is."""
    folder = tmp_path_factory.mktemp("models")
    return save_inpainter(folder / "fills.onnx", residual(np.zeros((3, 4, 1, 1))))


def save(path: Path, pixels: NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_picture(path, Picture(pixels), format_of(path))
    return path


def marked(*rects: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    mask = np.zeros(SIZE, np.uint8)
    for x, y, width, height in rects:
        mask[y : y + height, x : x + width] = 255
    return mask


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Return a picture in one colour with a white patch at 10,8 of 6x5."""
    pixels = np.full((*SIZE, 3), (40, 90, 160), np.uint8)
    pixels[8:13, 10:16] = 255
    return save(tmp_path / "scan.png", pixels)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [None, 3, 4])
def test_what_is_not_marked_stays(
    tmp_path: Path, model: Path, cli: Cli, bits: int, channels: int | None
) -> None:
    pixels = noise(channels or 1, bits, size=SIZE).reshape((*SIZE, channels) if channels else SIZE)
    source = save(tmp_path / "in.png", pixels)
    mask = marked((3, 4, 20, 9), (50, 39, 6, 1))
    line = ["--mask", save(tmp_path / "mask.png", mask), "--model", model]
    cli("inpaint", source, "-o", tmp_path / "out.png", *line)
    out = read_picture(tmp_path / "out.png").pixels
    np.testing.assert_array_equal(out[mask == 0], pixels[mask == 0])
    assert (out != pixels)[mask > 0].any()


def test_a_rectangle_is_filled(tmp_path: Path, scan: Path, model: Path, cli: Cli) -> None:
    line = ["inpaint", scan, "-o", tmp_path / "out.png", "--model", model]
    said = cli(*line, "--rect", "10,8,3,5", "--rect", "13,8,3,5", "--json")
    assert (read_picture(tmp_path / "out.png").pixels == (40, 90, 160)).all()
    report = json.loads(said.out)
    (entry,) = report["pictures"]
    assert entry["replaced"] == pytest.approx(30 / (40 * 56), abs=1e-6)
    assert (report["backend"], report["device"], report["failed"]) == ("onnxruntime", "cpu", 0)


def test_a_mask_grows_and_is_saved(tmp_path: Path, scan: Path, model: Path, cli: Cli) -> None:
    """The mask is too small by two pixels on all sides."""
    line = ["inpaint", scan, "--rect", "12,10,2,1", "--grow", "2", "--model", model]
    cli(*line, "-o", tmp_path / "out.png", "--save-mask", tmp_path / "used.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "used.png").pixels, marked((10, 8, 6, 5)))
    assert (read_picture(tmp_path / "out.png").pixels == (40, 90, 160)).all()
    said = cli(*line, "-o", tmp_path / "2.png", "--save-mask", tmp_path / "used.png", code=2)
    assert f"{tmp_path / 'used.png'} exists" in said.err
    said = cli(*line, "-o", tmp_path / "2.png", "--save-mask", tmp_path / "used.jpg", code=2)
    assert "allowed are png and tiff" in said.err
    said = cli(*line, "-o", tmp_path / "2.png", "--save-mask", tmp_path / "2.png", code=2)
    assert "in use already" in said.err
    assert names_in(tmp_path) == ["out.png", "scan.png", "used.png"]


def test_a_soft_edge(tmp_path: Path, scan: Path, model: Path, cli: Cli) -> None:
    """One pixel beside the mask is white; it becomes half of what is around."""
    line = ["inpaint", scan, "--rect", "10,8,5,5", "--model", model, "--feather", "1"]
    cli(*line, "-o", tmp_path / "out.png")
    out = read_picture(tmp_path / "out.png").pixels
    assert out[10, 15].tolist() == [148, 172, 208]
    assert (out[:, :15] == (40, 90, 160)).all()


def test_masks_by_name(tmp_path: Path, model: Path, cli: Cli) -> None:
    pixels = noise(3, 8, size=SIZE)
    for name in ("in/a.png", "in/b.jpg", "in/c.png", "in/d.jpg", "in/x/a.png"):
        save(tmp_path / name, pixels)
    # The same name goes before another suffix; several other suffixes are too many.
    for name in ("m/a.png", "m/a.tif", "m/b.tif", "m/d.png", "m/d.tif", "m/x/a.webp"):
        save(tmp_path / name, marked((5, 5, 9, 9)) if name != "m/a.tif" else marked())
    line = ["inpaint", tmp_path / "in", "-r", "--mask", tmp_path / "m", "--model", model]
    said = cli(*line, "-o", tmp_path / "out", "--json", "--save-mask", tmp_path / "used", code=3)
    pictures = json.loads(said.out)["pictures"]
    assert [Path(entry["input"]).name for entry in pictures if "error" in entry] == [
        *("c.png", "d.jpg")
    ]
    assert f"there is no mask for {tmp_path / 'in' / 'c.png'}" in pictures[2]["error"]
    assert f"there are several masks for {tmp_path / 'in' / 'd.jpg'}" in pictures[3]["error"]
    assert pictures[0]["replaced"] == pytest.approx(81 / (40 * 56), abs=1e-6)
    for folder, suffix in (("out", ".jpg"), ("used", ".png")):
        assert names_in(tmp_path / folder) == ["a.png", f"b{suffix}", "x"]
        assert names_in(tmp_path / folder / "x") == ["a.png"]


def test_one_mask_for_all_and_going_on(tmp_path: Path, model: Path, cli: Cli) -> None:
    for name in ("in/a.png", "in/b.png"):
        save(tmp_path / name, noise(3, 8, size=SIZE))
    save(tmp_path / "mask.png", marked((5, 5, 9, 9)))
    line = ["inpaint", tmp_path / "in", "--mask", tmp_path / "mask.png", "--model", model]
    cli(*line, "-o", tmp_path / "out")
    (tmp_path / "out" / "a.png").unlink()
    assert "b.png exists" in cli(*line, "-o", tmp_path / "out", code=2).err
    said = cli(*line, "-o", tmp_path / "out", "--skip-existing")
    assert "1 of 1 pictures restored, 1 restored before" in said.out
    said = cli(*line, "-o", tmp_path / "out", "--skip-existing")
    assert said.out == "nothing to do: 2 pictures restored before\n"


def colour(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a mask as drawing programs save it: RGB and opaque alpha."""
    return np.dstack([mask, mask, mask, np.full_like(mask, 255)])


@pytest.mark.parametrize(
    "pixels",
    [
        marked((10, 8, 6, 5)),
        colour(marked((10, 8, 6, 5))),
        np.where(marked((10, 8, 6, 5)) > 0, np.uint8(128), np.uint8(127)),
        np.where(marked((10, 8, 6, 5)) > 0, np.uint16(128 << 8), np.uint16((128 << 8) - 1)),
    ],
    ids=["grey", "rgba", "threshold", "16 bits"],
)
def test_masks_as_programs_save_them(
    tmp_path: Path, scan: Path, model: Path, cli: Cli, pixels: NDArray[Any]
) -> None:
    mask = save(tmp_path / "mask.png", pixels)
    cli("inpaint", scan, "-o", tmp_path / "out.png", "--mask", mask, "--model", model)
    assert (read_picture(tmp_path / "out.png").pixels == (40, 90, 160)).all()


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((56, 40), np.uint8), "is 40x56, and"),
        (np.full(SIZE, 255, np.uint8), "marks every pixel"),
        (noise(3, 8, size=SIZE), "is coloured; save it in grey"),
        (colour(marked()) // 2, "has transparent parts"),
    ],
    ids=["size", "white", "coloured", "transparent"],
)
def test_wrong_masks_are_one_error(
    tmp_path: Path, scan: Path, model: Path, cli: Cli, pixels: NDArray[Any], message: str
) -> None:
    mask = save(tmp_path / "mask.png", pixels)
    line = ["inpaint", scan, "-o", tmp_path / "out.png", "--mask", mask, "--model", model]
    said = cli(*line, code=2)
    (error,) = said.err.splitlines()
    assert message in error
    assert str(scan) in error or str(mask) in error
    assert not (tmp_path / "out.png").exists()


def test_a_mask_of_nothing_is_a_note(tmp_path: Path, scan: Path, model: Path, cli: Cli) -> None:
    mask = save(tmp_path / "mask.png", marked())
    said = cli("inpaint", scan, "-o", tmp_path / "out.png", "--mask", mask, "--model", model)
    assert said.err == (
        f"restore-rt: {scan}: the mask marks nothing, so that nothing is replaced\n"
    )
    np.testing.assert_array_equal(
        read_picture(tmp_path / "out.png").pixels, read_picture(scan).pixels
    )


def test_a_picture_that_its_camera_turned(tmp_path: Path, model: Path, cli: Cli) -> None:
    """Its pixels lie on their side; a mask belongs to what is shown."""
    exif = Image.Exif()
    exif[0x0112] = 6
    source = tmp_path / "turned.png"
    Image.fromarray(noise(3, 8, size=SIZE)).save(source, exif=exif)
    line = ["inpaint", source, "--model", model, "-o", tmp_path / "out.png", "--mask"]
    lying = save(tmp_path / "lying.png", marked((1, 1, 5, 5)))
    said = cli(*line, lying, code=2)
    assert "is 40x56 upright, as its camera says that it is turned (EXIF)" in said.err
    upright = save(tmp_path / "upright.png", np.rot90(marked((1, 1, 5, 5)), -1))
    said = cli(*line, upright)
    assert f"{upright} is taken to be drawn on it upright" in said.err
    assert read_picture(tmp_path / "out.png").pixels.shape == (56, 40, 3)


def test_enlarging_after(tmp_path: Path, scan: Path, model: Path, cli: Cli) -> None:
    line = ["inpaint", scan, "-o", tmp_path / "out.png", "--model", model, "--scale", "2"]
    said = cli(*line, "--rect", "10,8,6,5", "--json")
    out = read_picture(tmp_path / "out.png").pixels
    assert out.shape == (80, 112, 3)
    assert abs(out.astype(int) - (40, 90, 160)).max() < 20
    assert "then photo-x2 on" in json.loads(said.out)["model"]


@pytest.mark.parametrize("method", ["telea", "ns"])
@pytest.mark.parametrize("bits", [8, 16])
def test_opencv(tmp_path: Path, cli: Cli, method: str, bits: int) -> None:
    pixels = noise(3, bits, size=SIZE)
    source, mask = save(tmp_path / "in.png", pixels), marked((10, 8, 6, 5))
    line = ["--mask", save(tmp_path / "mask.png", mask), "--method", method, "--json"]
    said = cli("inpaint", source, "-o", tmp_path / "out.png", *line)
    assert json.loads(said.out)["model"] == f"{method} of OpenCV {cv2.__version__}"
    out = read_picture(tmp_path / "out.png").pixels
    np.testing.assert_array_equal(out[mask == 0], pixels[mask == 0])
    assert (out != pixels)[mask > 0].any()


def test_fsr_is_asked_with_what_is_known(
    tmp_path: Path, scan: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Xphoto:
        INPAINT_FSR_FAST = 2

        @staticmethod
        def inpaint(
            source: NDArray[Any], known: NDArray[Any], filled: NDArray[Any], kind: int
        ) -> None:
            assert kind == 2
            filled[known == 0] = (1, 2, 3)

    monkeypatch.setattr(cv2, "xphoto", Xphoto, raising=False)
    line = ["inpaint", scan, "-o", tmp_path / "out.png", "--method", "fsr"]
    cli(*line, "--rect", "10,8,6,5")
    out = read_picture(tmp_path / "out.png").pixels
    assert (out[8:13, 10:16] == (1, 2, 3)).all()
    assert (out == (1, 2, 3)).all(axis=2).sum() == 30


@pytest.mark.parametrize("method", ["telea", "fsr"])
def test_opencv_that_is_missing(
    tmp_path: Path, scan: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    if method == "fsr":
        monkeypatch.delattr(cv2, "xphoto", raising=False)
    else:
        monkeypatch.setitem(sys.modules, "cv2", None)
    line = ["inpaint", scan, "-o", tmp_path / "out.png", "--method", method]
    (error,) = cli(*line, "--rect", "10,8,6,5", code=1).err.splitlines()
    assert "pip install 'restore-rt[inpaint]'" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing says what is to be replaced"),
        (["--rect", "1,2,3"], "--rect is '1,2,3'"),
        (["--rect", "50,0,7,5"], "does not lie in the frame, which is 56x40"),
        (["--mask", "no.png"], "there is no such file or folder"),
        (["--rect", "1,1,5,5", "--method", "ns", "--model", "x.onnx"], "leave one out"),
        (["--rect", "1,1,5,5", "--content", "comic"], "give --scale"),
        (["--rect", "1,1,5,5", "--quality", "5"], "--quality is 5"),
        (["--rect", "1,1,5,5", "--model", "photo-x2"], "a model for upscale"),
        (["--rect", "1,1,5,5", "--tile", "1x2x3", "--method", "model"], "--tile is '1x2x3'"),
    ],
)
def test_wrong_use(tmp_path: Path, scan: Path, cli: Cli, options: list[str], message: str) -> None:
    chosen = [] if "--model" in options or "--method" in options else ["--method", "ns"]
    said = cli("inpaint", scan, "-o", tmp_path / "out.png", *options, *chosen, code=2)
    assert message in said.err
    assert names_in(tmp_path) == ["scan.png"]
