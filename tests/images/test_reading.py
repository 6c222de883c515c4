"""Files of all kinds, whole and damaged."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from restore_rt.errors import MediaError
from restore_rt.images import FORMATS, read_picture, write_picture
from tests.images.pictures import camera_exif, chunk, encoded, noise


def read(tmp_path: Path, data: bytes, name: str = "x", **options: Any) -> Any:
    path = tmp_path / name
    path.write_bytes(data)
    return read_picture(path, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "tiff"])
def test_turned_as_viewers_show_it(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(noise(3, 8, size=(24, 40)), kind, exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    picture = read(tmp_path, data)
    np.testing.assert_array_equal(picture.pixels, expected)


def test_turned_with_16_bits(tmp_path: Path) -> None:
    pixels = noise(3, 16)
    data = bytes(imagecodecs.png_encode(pixels))
    exif = camera_exif(6)
    chunk = b"eXIf" + exif
    chunk = struct.pack(">I", len(exif)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    picture = read(tmp_path, data[:33] + chunk + data[33:])
    np.testing.assert_array_equal(picture.pixels, np.rot90(pixels, -1))


def tiff(pixels: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, metadata=None, **options)
    return file.getvalue()


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_tiff_of_others(
    tmp_path: Path, order: str, planar: str, compression: str | None
) -> None:
    pixels = noise(3, 16)
    stored = np.moveaxis(pixels, 2, 0) if planar == "separate" else pixels
    options = {"photometric": "rgb", "planarconfig": planar, "compression": compression}
    data = tiff(stored, byteorder=order, **options)
    np.testing.assert_array_equal(read(tmp_path, data).pixels, pixels)


@pytest.mark.parametrize("bits", [8, 16])
def test_big_tiff(tmp_path: Path, bits: int) -> None:
    pixels = noise(3, bits)
    data = tiff(pixels, byteorder="<", bigtiff=True, photometric="rgb", description="a hill")
    picture = read(tmp_path, data)
    np.testing.assert_array_equal(picture.pixels, pixels)
    assert b"a hill" in picture.exif


def test_16_bit_white_is_zero(tmp_path: Path) -> None:
    pixels = noise(1, 16)
    picture = read(tmp_path, tiff(pixels, photometric="miniswhite"))
    np.testing.assert_array_equal(picture.pixels, 65535 - pixels)


def test_16_bit_premultiplied_alpha_is_divided_out(tmp_path: Path) -> None:
    straight = np.array([[[60000, 30000, 0, 32768], [0, 0, 0, 0]]], np.uint16)
    stored = straight.copy()
    stored[..., :3] = np.rint(straight[..., :3] * (straight[..., 3:] / 65535))
    data = tiff(stored, photometric="rgb", planarconfig="contig", extrasamples=["assocalpha"])
    difference = read(tmp_path, data).pixels.astype(int) - straight
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_colour_becomes_alpha(tmp_path: Path, channels: int) -> None:
    for bits in (8, 16):
        pixels = noise(channels, bits)
        key = np.atleast_1d(pixels[0, 0]).astype(">u2").tobytes()
        chunk = b"tRNS" + key
        chunk = struct.pack(">I", len(key)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        data = bytes(imagecodecs.png_encode(pixels))
        result = read(tmp_path, data[:33] + chunk + data[33:]).pixels
        assert result.dtype == pixels.dtype
        assert result.shape == (*pixels.shape[:2], channels + 1)
        assert result[0, 0, -1] == 0
        assert result[1, 1, -1] == (1 << bits) - 1
        np.testing.assert_array_equal(result[..., :-1].reshape(pixels.shape), pixels)


def test_palette(tmp_path: Path) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2])
    colours = [[10, 20, 30], [40, 50, 60], [70, 80, 90]]
    assert read(tmp_path, encoded(image, "png")).pixels.tolist() == [colours]
    clear = encoded(image, "png", transparency=bytes([0, 255, 128]))
    expected = [[*c, a] for c, a in zip(colours, (0, 255, 128), strict=True)]
    assert read(tmp_path, clear).pixels.tolist() == [expected]


def test_one_bit(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[True, False, True]]))
    for kind in ("png", "tiff"):
        assert read(tmp_path, encoded(image, kind)).pixels.tolist() == [[255, 0, 255]]


@pytest.mark.parametrize("kind", ["bmp", "gif"])
def test_formats_that_are_only_read(tmp_path: Path, kind: str) -> None:
    pixels = noise(1, 8)
    result = read(tmp_path, encoded(pixels, kind)).pixels
    np.testing.assert_array_equal(result if result.ndim == 2 else result[..., 0], pixels)


def test_cmyk_is_converted_and_said(tmp_path: Path) -> None:
    picture = read(tmp_path, encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "jpeg"))
    assert picture.pixels.shape == (8, 8, 3)
    red, green, blue = picture.pixels[4, 4].tolist()
    assert (red > 250, green < 5, blue < 5) == (True, True, True)
    assert any("CMYK" in note for note in picture.notes)


def test_phone_jpegs_with_a_second_picture(tmp_path: Path) -> None:
    first, second = (Image.fromarray(noise(3, 8)) for _ in range(2))
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    picture = read(tmp_path, data, "x.jpg")
    assert picture.pixels.shape == (13, 22, 3)
    assert any("all but the first of 2 pictures" in note for note in picture.notes)


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_animations_point_to_video(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "green", "blue")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(MediaError, match=r"animation of 3 frames; restore it with `restore-rt vid"):
        read(tmp_path, data)


def test_pages(tmp_path: Path) -> None:
    pages = [Image.new("L", (9, 9)), Image.new("L", (4, 4))]
    data = encoded(pages[0], "tiff", save_all=True, append_images=pages[1:])
    with pytest.raises(MediaError, match="2 pages"):
        read(tmp_path, data)


@pytest.mark.parametrize(
    ("kind", "bits"), [("png", 8), ("png", 16), ("tiff", 8), ("tiff", 16), ("jpeg", 8), ("webp", 8)]
)
def test_files_that_end_early(tmp_path: Path, kind: str, bits: int) -> None:
    pixels = noise(3, bits, size=(60, 60))
    if bits == 8:
        data = encoded(pixels, kind)
    elif kind == "png":
        data = bytes(imagecodecs.png_encode(pixels))
    else:
        data = tiff(pixels, photometric="rgb", planarconfig="contig")
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(MediaError, match=r"x.*(damaged|not a picture)"):
            read(tmp_path, data[: int(len(data) * share)])


def test_a_flipped_byte_in_png_is_noticed(tmp_path: Path) -> None:
    for data in (encoded(noise(3, 8), "png"), bytes(imagecodecs.png_encode(noise(3, 16)))):
        broken = bytearray(data)
        broken[len(data) // 2] ^= 0x40
        with pytest.raises(MediaError, match="damaged"):
            read(tmp_path, bytes(broken))


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_damaged_exif_does_not_cost_the_picture(tmp_path: Path, kind: str) -> None:
    data = encoded(noise(3, 8), kind, exif=b"Exif\0\0" + camera_exif(6)[:6])
    picture = read(tmp_path, data)
    assert picture.pixels.shape == (13, 22, 3)
    notes = write_picture(tmp_path / "y.png", picture, FORMATS["png"])
    assert notes == ("damaged EXIF data was left out",)


@pytest.mark.parametrize("data", [b"", b"just text\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_what_is_not_a_picture(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(MediaError, match=r"x\.png"):
        read(tmp_path, data, "x.png")


def test_32_bit_integers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="allowed are grey, RGB and L"):
        read(tmp_path, encoded(Image.new("I", (4, 4)), "tiff"))


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such file"):
        read_picture(tmp_path / "no.png")
    with pytest.raises(MediaError, match="directory"):
        read_picture(tmp_path)


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunks + b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


def test_bombs(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"100x50 pixels are more than 4999; .*--max-pixels 5000"):
        read(tmp_path, png_header(100, 50), max_pixels=4999)
    with pytest.raises(MediaError, match="refused"):
        read(tmp_path, png_header(60000, 60000))


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "tiff", "gif"])
def test_max_pixels_goes_before_the_limit_of_pillow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    data = encoded(noise(1, 8), kind)
    for limit in (10, 200):  # of 286 pixels: Pillow would refuse them, or warn
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert read(tmp_path, data).pixels.shape[:2] == (13, 22)
        with pytest.raises(MediaError, match="--max-pixels 286"):
            read(tmp_path, data, max_pixels=285)
        assert limit == Image.MAX_IMAGE_PIXELS


def _claims(data: bytes, mark: bytes, at: int, form: str, side: int) -> bytes:
    place = data.index(mark) + at
    return data[:place] + struct.pack(form, side, side) + data[place + 4 :]


@pytest.mark.parametrize(
    "data",
    [
        _claims(encoded(noise(3, 8), "JPEG"), b"\xff\xc0", 5, ">HH", 12000),
        _claims(encoded(noise(1, 8), "GIF"), b"GIF8", 6, "<HH", 12000),
        encoded(noise(3, 8), "PNG")[:8]
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 12000, 12000, 8, 2, 0, 0, 0))
        + encoded(noise(3, 8), "PNG")[33:-40],
    ],
    ids=["jpeg", "gif", "png"],
)
def test_a_size_that_a_file_cannot_hold_is_refused(tmp_path: Path, data: bytes) -> None:
    """Before memory is taken for it."""
    with pytest.raises(MediaError, match="it claims 12000x12000 pixels, which its"):
        read(tmp_path, data)


@pytest.mark.parametrize("kind", ["JPEG", "GIF"])
def test_a_large_picture_of_one_colour_is_read(tmp_path: Path, kind: str) -> None:
    """Nothing is stored in fewer bytes."""
    data = encoded(Image.new("L", (5000, 4000), 90), kind, optimize=True, quality=1)
    assert read(tmp_path, data).pixels.shape[:2] == (4000, 5000)


def test_what_a_library_says_of_a_damaged_file_does_not_steer_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = encoded(noise(1, 16), "PNG")
    assert read(tmp_path, deep).bits == 16

    def says(text: str, kind: type[Exception]) -> str:
        def fails(data: bytes) -> None:
            raise kind(text)

        monkeypatch.setattr(imagecodecs, "png_decode", fails)
        with pytest.raises(MediaError) as caught:
            read(tmp_path, deep)
        return str(caught.value)

    assert says("a\x1b[2J\nb", ValueError).endswith("ends early (a?[2J b); get it again")
    # What it reads where libpng's text was is nobody's text.
    assert says("p#i", imagecodecs.PngError).endswith("(libpng cannot read it); get it again")
