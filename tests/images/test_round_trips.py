"""What is written is what is read: samples and metadata."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from restore_rt.errors import InputError, OutputError
from restore_rt.images import FORMATS, Picture, check_writable, read_picture, write_picture
from restore_rt.images.png import latin_text
from tests.images.pictures import CHANNELS, camera_exif, noise, srgb

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="1"/></x:xmpmeta>'


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", CHANNELS)
@pytest.mark.parametrize("name", ["png", "tiff"])
def test_samples_survive_bit_for_bit(tmp_path: Path, name: str, kind: str, bits: int) -> None:
    pixels = noise(CHANNELS[kind], bits)
    path = tmp_path / f"x.{name}"
    assert write_picture(path, Picture(pixels), FORMATS[name]) == ()
    back = read_picture(path)
    assert back.notes == ()
    assert back.pixels.dtype == pixels.dtype
    np.testing.assert_array_equal(back.pixels, pixels)


@pytest.mark.parametrize("kind", CHANNELS)
def test_webp_is_lossless_unless_a_quality_is_given(tmp_path: Path, kind: str) -> None:
    pixels = noise(CHANNELS[kind], 8)
    path = tmp_path / "x.webp"
    write_picture(path, Picture(pixels), FORMATS["webp"])
    back = read_picture(path).pixels
    if "grey" in kind:  # WebP has no grey: three equal channels
        back = back[..., 0] if back.shape[2] == 3 else back[..., [0, 3]]
    np.testing.assert_array_equal(back, pixels)
    size = path.stat().st_size
    write_picture(path, Picture(pixels), FORMATS["webp"], quality=20, overwrite=True)
    assert path.stat().st_size < size


def test_jpeg_keeps_chroma_in_full(tmp_path: Path) -> None:
    path = tmp_path / "x.jpg"
    write_picture(path, Picture(noise(3, 8)), FORMATS["jpeg"])
    with Image.open(path) as image:
        assert all(layer[1:3] == (1, 1) for layer in image.layer)  # type: ignore[attr-defined]
    smooth = np.full((16, 16, 3), (200, 30, 90), np.uint8)
    write_picture(path, Picture(smooth), FORMATS["jpeg"], overwrite=True)
    assert np.abs(read_picture(path).pixels.astype(int) - smooth).max() <= 3


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("name", "bits"), [("png", 8), ("png", 16), ("tiff", 8), ("tiff", 16), ("jpeg", 8), ("webp", 8)]
)
def test_metadata_survives(tmp_path: Path, name: str, bits: int, order: str) -> None:
    path = tmp_path / f"x.{name}"
    exif = camera_exif(6, order=order)
    picture = Picture(noise(3, bits, size=(26, 44)), srgb(), exif, XMP, (300.0, 150.0))
    assert write_picture(path, picture, FORMATS[name]) == ()
    back = read_picture(path)
    assert back.pixels.shape == picture.pixels.shape
    assert back.icc == picture.icc
    assert back.xmp.rstrip(b"\0") == XMP
    if name != "webp":
        assert back.dpi == pytest.approx((300, 150), abs=0.02)
    with Image.open(path) as image:
        tags = image.getexif()
        inner = tags.get_ifd(0x8769)
        assert tags[0x010F] == "Tester"
        assert tags[0x0112] == 1
        assert (inner[0xA002], inner[0xA003]) == (44, 26)
        assert inner[0x927C] == bytes(range(40))
        image.load()


def test_tiff_to_tiff_keeps_what_describes_the_picture(tmp_path: Path) -> None:
    first, second = tmp_path / "a.tif", tmp_path / "b.tif"
    write_picture(first, Picture(noise(3, 16), exif=camera_exif()), FORMATS["tiff"])
    write_picture(second, read_picture(first), FORMATS["tiff"])
    with Image.open(second) as image:
        assert image.getexif()[0x010F] == "Tester"
        assert image.getexif().get_ifd(0x8769)[0x927C] == bytes(range(40))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [8, 16])
def test_tiff_is_read_alike_by_libtiff(tmp_path: Path, bits: int, order: str) -> None:
    pixels = noise(4, bits, size=(701, 230))
    path = tmp_path / "x.tiff"
    write_picture(path, Picture(pixels, exif=camera_exif(order=order)), FORMATS["tiff"])
    np.testing.assert_array_equal(imagecodecs.tiff_decode(path.read_bytes()), pixels)


@pytest.mark.parametrize("bits", [8, 16])
def test_png_keeps_text(tmp_path: Path, bits: int) -> None:
    first, second = tmp_path / "a.png", tmp_path / "b.png"
    text = {"Title": "caf\xe9", "Comment": "\u5c71"}
    name = b"Name\0\0\0zh\0" + "\u540d\0\u5c71".encode()
    chunks = (*(latin_text(*item) for item in text.items()), (b"iTXt", name))
    write_picture(first, Picture(noise(3, bits), xmp=XMP, chunks=chunks), FORMATS["png"])
    picture = read_picture(first)
    assert picture.chunks == chunks
    assert write_picture(second, picture, FORMATS["png"]) == ()
    with Image.open(second) as image:
        image.load()
        found = image.text  # type: ignore[attr-defined]
        assert found == {**text, "Name": "\u5c71", "XML:com.adobe.xmp": XMP.decode()}
        assert (found["Name"].lang, found["Name"].tkey) == ("zh", "\u540d")


def test_text_that_is_left_out_is_said(tmp_path: Path) -> None:
    chunks = (latin_text("Title", "a hill"), latin_text("Author", "me"))
    picture = Picture(noise(3, 8), chunks=chunks)
    (note,) = write_picture(tmp_path / "x.webp", picture, FORMATS["webp"])
    assert note == "text was left out, webp has no place for it: Title, Author"


def test_damaged_exif_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    picture = Picture(noise(1, 8), exif=camera_exif()[:20])
    assert write_picture(path, picture, FORMATS["png"]) == ("damaged EXIF data was left out",)
    assert read_picture(path).exif == b""


@pytest.mark.parametrize(
    ("channels", "bits", "size", "name", "message"),
    [
        (4, 8, (4, 4), "jpeg", "jpeg cannot hold transparency; use png or webp or tiff or avif"),
        (2, 8, (4, 4), "jpeg", "jpeg cannot hold transparency"),
        (3, 16, (4, 4), "jpeg", "jpeg cannot hold 16-bit samples; use png or tiff or avif"),
        (3, 16, (4, 4), "webp", "webp cannot hold 16-bit samples; use png or tiff or avif"),
        (4, 16, (4, 4), "jpeg", "16-bit samples and transparency; use png or tiff or avif"),
        (
            1,
            8,
            (2, 9000),
            "webp",
            "webp cannot hold 18000x4 pixels; use png or jpeg or tiff or avif",
        ),
    ],
)
def test_a_format_that_cannot_hold_the_result_is_refused(
    channels: int, bits: int, size: tuple[int, int], name: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_writable(Picture(noise(channels, bits, size=size)), FORMATS[name], scale=2)


def test_alpha_that_hides_nothing_may_become_jpeg(tmp_path: Path) -> None:
    pixels = noise(4, 8)
    pixels[..., 3] = 255
    path = tmp_path / "x.jpg"
    write_picture(path, Picture(pixels), FORMATS["jpeg"])
    assert read_picture(path).pixels.shape == (*pixels.shape[:2], 3)


def test_existing_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(b"mine")
    with pytest.raises(InputError, match="exists"):
        write_picture(path, Picture(noise(1, 8)), FORMATS["png"])
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder does not exist"):
        write_picture(tmp_path / "no" / "x.png", Picture(noise(1, 8)), FORMATS["png"])
