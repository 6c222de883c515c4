"""TIFF files of several pages, and with samples of all kinds."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from restore_rt.errors import InputError, MediaError
from restore_rt.images import FORMATS, Picture, read_pages, read_picture, write_pages
from restore_rt.images.samples import from_floats, from_lab
from tests.images.pictures import camera_exif, encoded, noise, srgb


def tiff(tmp_path: Path, pixels: Any, **options: Any) -> Path:
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, pixels, metadata=None, **options)
    return path


@pytest.mark.parametrize("order", ["<", ">"])
def test_pages_of_all_sizes_and_kinds(tmp_path: Path, order: Any) -> None:
    arrays = [noise(1, 8), noise(3, 16, size=(7, 5)), noise(4, 8, size=(30, 9)), noise(1, 16)]
    path = tmp_path / "in.tif"
    with tifffile.TiffWriter(path, byteorder=order) as writer:
        for index, pixels in enumerate(arrays):
            extra = ["unassalpha"] if pixels.shape[2:] == (4,) else None
            writer.write(
                pixels,
                photometric="rgb" if pixels.ndim == 3 else "minisblack",
                planarconfig="contig" if pixels.ndim == 3 else None,
                description=f"page number {index}",
                extrasamples=extra,
                resolution=(100 + index, 100 + index),
                resolutionunit="inch",
                metadata=None,
                iccprofile=srgb() if index == 1 else None,
            )
    pages = list(read_pages(path))
    for page, pixels in zip(pages, arrays, strict=True):
        np.testing.assert_array_equal(page.pixels, pixels)
    target = tmp_path / "out.tif"
    assert write_pages(target, pages, FORMATS["tiff"]) == ()
    for index, (page, pixels) in enumerate(zip(read_pages(target), arrays, strict=True)):
        np.testing.assert_array_equal(page.pixels, pixels)
        assert page.dpi == (100 + index, 100 + index)
        assert f"page number {index}".encode() in page.exif
        assert page.icc == (srgb() if index == 1 else b"")
    with tifffile.TiffFile(target) as file:
        for written, pixels in zip(file.pages, arrays, strict=True):
            np.testing.assert_array_equal(written.asarray(), pixels)
    for index, pixels in enumerate(arrays):
        found = imagecodecs.tiff_decode(target.read_bytes(), index)
        np.testing.assert_array_equal(found, pixels)
    with pytest.raises(MediaError, match="4 pages"):
        read_picture(path)
    with pytest.raises(InputError, match="png cannot hold 4 pages; use tiff"):
        write_pages(tmp_path / "x.png", pages, FORMATS["png"])
    assert not (tmp_path / "x.png").exists()


def test_the_first_page_keeps_its_exif_block(tmp_path: Path) -> None:
    pages = [Picture(noise(3, 8), exif=camera_exif()), Picture(noise(1, 8), exif=camera_exif())]
    write_pages(tmp_path / "x.tif", pages, FORMATS["tiff"])
    with Image.open(tmp_path / "x.tif") as image:
        assert image.getexif().get_ifd(0x8769)[0x927C] == bytes(range(40))
        image.seek(1)
        assert image.tag_v2[0x010F] == "Tester"  # type: ignore[attr-defined]


def test_smaller_versions_are_no_pages(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(noise(3, 8), photometric="rgb", metadata=None)
        writer.write(noise(3, 8, size=(6, 11)), photometric="rgb", subfiletype=1, metadata=None)
        writer.write(noise(3, 16), photometric="rgb", metadata=None)
    first, second = read_pages(path)
    assert first.notes == ("smaller versions in the file are left out",)
    np.testing.assert_array_equal(second.pixels, noise(3, 16))


def test_pages_turned_each_for_itself(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    with tifffile.TiffWriter(path) as writer:
        for orientation, bits in ((6, 8), (3, 8), (8, 16)):
            tag = [(274, 3, 1, orientation, True)]
            pixels = noise(3, bits)
            writer.write(pixels, photometric="rgb", metadata=None, extratags=tag)
    found = [page.pixels for page in read_pages(path)]
    for page, (turns, bits) in zip(found, ((-1, 8), (2, 8), (1, 16)), strict=True):
        np.testing.assert_array_equal(page, np.rot90(noise(3, bits), turns))


def lab_reference(lab: Any) -> Any:
    """What Little CMS makes of L*a*b*."""
    image = Image.frombytes("LAB", (lab.shape[1], lab.shape[0]), lab.tobytes())
    source = ImageCms.createProfile("LAB")
    done = ImageCms.profileToProfile(
        image,
        source,
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert done is not None
    return np.asarray(done).astype(int)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", ["cielab", "icclab"])
def test_lab(tmp_path: Path, kind: str, bits: int) -> None:
    lightness, a, b = np.meshgrid([30, 60, 90], [-20, 0, 25], [-30, 5, 20], indexing="ij")
    lab = np.stack([lightness, a, b], axis=-1).reshape(9, 3, 3)
    scale = 1 if bits == 8 else 256
    whole = np.rint(lab[..., :1] * ((255 if bits == 8 else 65535) / 100))
    if kind == "icclab":
        whole = np.rint(lab[..., :1] * (255 * scale / 100))
        colour = (lab[..., 1:] + 128) * scale
    else:
        colour = (lab[..., 1:] * scale) % (256 * scale)
    stored = np.concatenate([whole, colour], axis=2).astype(f"u{bits // 8}")
    picture = read_picture(tiff(tmp_path, stored, photometric=kind))
    eight = np.concatenate([np.rint(lab[..., :1] * 2.55), lab[..., 1:] % 256], axis=2)
    expected = lab_reference(eight.astype(np.uint8))
    found = picture.pixels.astype(int) // (1 if bits == 8 else 257)
    assert picture.bits == bits
    # A step of the 8-bit reference is several steps of a dark colour.
    inside = ((expected > 50) & (expected < 240)).all(axis=2)
    assert inside.sum() >= 6
    assert np.abs(found - expected)[inside].max() <= 3
    assert picture.icc
    assert any("L*a*b*" in note for note in picture.notes)


def test_lab_beyond_srgb_is_told() -> None:
    green = np.array([[[128, 28, 128 + 100]]], np.uint8)
    _, note = from_lab(green, icc_encoding=True)
    assert note == "L*a*b* was converted to sRGB; 100.00% of the pixels had colours beyond it"


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 3])
def test_floats(tmp_path: Path, kind: str, channels: int) -> None:
    pixels = (noise(channels, 8) / 255).astype(kind)
    photometric = "rgb" if channels == 3 else "minisblack"
    picture = read_picture(tiff(tmp_path, pixels, photometric=photometric))
    assert np.abs(picture.pixels - pixels.astype(float) * 65535).max() < 0.51
    assert picture.notes == ("float samples became integers of 16 bits",)


def test_floats_with_alpha_and_predictor(tmp_path: Path) -> None:
    pixels = (noise(4, 8) / 255).astype(np.float32)
    options = {"photometric": "rgb", "extrasamples": ["unassalpha"], "compression": "zlib"}
    picture = read_picture(tiff(tmp_path, pixels, predictor=3, **options))
    np.testing.assert_array_equal(picture.pixels, np.rint(pixels * 65535))


def test_floats_beyond_white_and_black_are_told(tmp_path: Path) -> None:
    pixels = np.zeros((10, 10, 3), np.float32)
    pixels[0, 0] = (3.5, 0.5, -0.25)
    pixels[1, 0] = (np.nan, np.inf, 1)
    picture = read_picture(tiff(tmp_path, pixels, photometric="rgb"))
    assert picture.pixels[0, 0].tolist() == [65535, 32768, 0]
    assert picture.pixels[1, 0].tolist() == [0, 0, 65535]
    (note,) = picture.notes
    assert "above 1, up to 3.5, were cut to white (0.33% of them)" in note
    assert "below 0, down to -0.25, were cut to black" in note
    assert "no numbers" in note


def test_floats_of_another_range_are_refused(tmp_path: Path) -> None:
    path = tiff(tmp_path, np.full((4, 4), 200, np.float32), photometric="minisblack")
    with pytest.raises(MediaError, match="go up to 200, and most are above 1"):
        read_picture(path)
    with pytest.raises(ValueError, match="most are above 1"):
        from_floats(np.full(3, 2.0))


def test_deep_cmyk(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint16)
    pixels[..., 1:3] = 65535
    picture = read_picture(tiff(tmp_path, pixels, photometric="separated"))
    red, green, blue = picture.pixels[2, 2].tolist()
    assert (red > 250, green < 5, blue < 5) == (True, True, True)
    assert "CMYK" in picture.notes[0]
    assert picture.notes[1] == "its samples of 16 bits were reduced to 8"


def test_iptc_that_is_stored_as_numbers(tmp_path: Path) -> None:
    iptc = b"\x1c\x02\x78\0\x03abc"
    for order in ("<", ">"):
        numbers = np.frombuffer(iptc, order + "u4")
        tag = [(33723, 4, len(numbers), tuple(map(int, numbers)), True)]
        path = tiff(tmp_path, noise(3, 8), photometric="rgb", byteorder=order, extratags=tag)
        assert read_picture(path).iptc == iptc


def test_a_page_of_a_damaged_file(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for _ in range(3):
            writer.write(noise(3, 8), photometric="rgb", metadata=None, compression="zlib")
    data = bytearray(buffer.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        start = file.pages[2].dataoffsets[0]
        data[start : start + 40] = bytes(40)
    path = tmp_path / "in.tif"
    path.write_bytes(data)
    pages = read_pages(path)
    np.testing.assert_array_equal(next(pages).pixels, noise(3, 8))
    np.testing.assert_array_equal(next(pages).pixels, noise(3, 8))
    with pytest.raises(MediaError, match="damaged"):
        next(pages)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize(
    ("extra", "kept"),
    [
        (["unassalpha"], 4),
        (["unspecified"], 3),
        (["unassalpha", "unspecified"], 4),
        (["unspecified", "unspecified"], 3),
    ],
)
def test_channels_beside_colour(
    tmp_path: Path, extra: list[str], kept: int, planar: str, bits: int
) -> None:
    pixels = np.concatenate([noise(3, bits), noise(2, bits)], axis=2)[..., : 3 + len(extra)]
    stored = np.moveaxis(pixels, 2, 0).copy() if planar == "separate" else pixels
    options = {"photometric": "rgb", "planarconfig": planar, "extrasamples": extra}
    picture = read_picture(tiff(tmp_path, stored, **options))
    np.testing.assert_array_equal(picture.pixels, pixels[..., :kept])
    left_out = ("a channel that is neither colour nor alpha was left out",)
    assert picture.notes == (left_out if 3 + len(extra) > kept else ())


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_premultiplied_alpha_of_8_bits(tmp_path: Path, planar: str) -> None:
    pixels = np.array([[[100, 50, 0, 128], [10, 20, 30, 255]]], np.uint8)
    stored = np.moveaxis(pixels, 2, 0).copy() if planar == "separate" else pixels
    options = {"photometric": "rgb", "planarconfig": planar, "extrasamples": ["assocalpha"]}
    picture = read_picture(tiff(tmp_path, stored, **options))
    expected = np.array([[[199, 100, 0, 128], [10, 20, 30, 255]]])
    assert np.abs(picture.pixels.astype(int) - expected).max() <= 1


def test_8_bit_white_is_zero(tmp_path: Path) -> None:
    path = tiff(tmp_path, noise(1, 8), photometric="miniswhite")
    np.testing.assert_array_equal(read_picture(path).pixels, 255 - noise(1, 8))


@pytest.mark.parametrize(
    ("pixels", "options", "message"),
    [
        (noise(1, 8).astype(np.int8), {}, r"format \{2\}"),
        (noise(3, 8), {"photometric": "rgb", "compression": "jpegxl"}, "compression 50002"),
        (noise(3, 16), {"photometric": "rgb", "compression": "jpegxl"}, "not implemented"),
        (noise(3, 8), {"photometric": "rgb", "bigtiff": True, "byteorder": ">"}, "BigTIFF"),
    ],
)
def test_a_whole_file_is_not_called_damaged(
    tmp_path: Path, pixels: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(MediaError, match=message) as refused:
        read_picture(tiff(tmp_path, pixels, **options))
    assert "damaged" not in str(refused.value)


def test_libtiff_writes_nothing_of_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(encoded(noise(3, 8), "TIFF", compression="tiff_lzw"))
    planar = data.index(bytes.fromhex("1c01 0300 01000000"))
    data[planar + 4] = 2  # values, where there is one
    path = tmp_path / "in.tif"
    path.write_bytes(data)
    with pytest.raises(MediaError, match="cannot be decoded"):
        list(read_pages(path))
    assert capfd.readouterr().err == ""
