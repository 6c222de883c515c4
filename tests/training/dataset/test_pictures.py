from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from restore_rt.errors import InputError, MediaError
from restore_rt.training.data.pictures import read_rgb
from restore_rt.training.dataset import crop_pictures, find_tree, reduce_pictures
from restore_rt.training.dataset.pictures import write_lossless
from tests.training.dataset.scenes import load, save, scene


def test_the_orientation_in_exif_is_applied(tmp_path: Path) -> None:
    pixels = scene(0, 12, 17)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right
    save(tmp_path / "a.png", pixels, exif=exif)
    assert np.array_equal(read_rgb(tmp_path / "a.png"), np.rot90(pixels, -1))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_every_kind_becomes_rgb(tmp_path: Path, channels: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, channels), np.uint8)
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(pixels.squeeze()))
    read = read_rgb(path)
    expected = pixels[..., :1].repeat(3, axis=2) if channels < 3 else pixels[..., :3]
    assert np.array_equal(read, expected)
    assert read.flags.c_contiguous


@pytest.mark.parametrize("shape", [(1, 5), (1, 5, 3)])
def test_16_bits_are_rounded(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.array([0, 128, 129, 257 * 100, 65535], np.uint16)
    pixels = np.broadcast_to(values.reshape(1, 5, *[1] * (len(shape) - 2)), shape)
    path = tmp_path / "a.png"
    path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
    assert read_rgb(path)[0, :, 0].tolist() == [0, 0, 1, 100, 255]


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_what_is_written_is_whole_and_lossless(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    write_lossless(path, scene(2, 31, 17))
    assert np.array_equal(load(path), scene(2, 31, 17))
    with pytest.raises(InputError, match="exists"):
        write_lossless(path, scene(3, 31, 17))
    write_lossless(path, scene(3, 31, 17), overwrite=True)
    assert np.array_equal(load(path), scene(3, 31, 17))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_refused(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.png", scene(1))
    tree = find_tree(tmp_path / "in")
    for write in (crop_pictures, reduce_pictures):
        with pytest.raises(InputError, match=r"format is 'jpeg'; there are png, webp"):
            write(tree, tmp_path / "out", size=8, format_name="jpeg")  # type: ignore[arg-type]
    (tmp_path / "a.png").write_text("text")
    with pytest.raises(MediaError, match=r"a\.png"):
        read_rgb(tmp_path / "a.png")
