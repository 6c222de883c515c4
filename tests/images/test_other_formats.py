"""AVIF, HEIC, JPEG 2000 and TGA."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps

from restore_rt.errors import MediaError
from restore_rt.images import FORMATS, Picture, read_pages, read_picture, write_picture
from tests.images.pictures import camera_exif, encoded, noise, srgb

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a/></x:xmpmeta>'


def read(tmp_path: Path, data: bytes, name: str = "in") -> Picture:
    path = tmp_path / name
    path.write_bytes(data)
    return read_picture(path)


def smooth(channels: int, peak: int = 255) -> Any:
    rows = np.linspace(0, peak, 32)[:, None, None]
    columns = np.linspace(0, peak, 48)[None, :, None]
    shares = np.linspace(0.2, 1, channels)[None, None]
    pixels = (rows * (1 - shares) + columns * shares).astype(np.uint8 if peak < 256 else np.uint16)
    return pixels[..., 0] if channels == 1 else pixels


def heic(pixels: Any, **options: Any) -> bytes:
    modes = {1: "L", 3: "RGB", 4: "RGBA"}
    mode = modes[1 if pixels.ndim == 2 else pixels.shape[2]] + (
        ";16" if pixels.itemsize > 1 else ""
    )
    size = pixels.shape[1::-1]
    file = pillow_heif.from_bytes(mode, size, pixels.tobytes())
    target = io.BytesIO()
    file.save(target, quality=90, chroma=444, **options)
    return target.getvalue()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [8, 10])
def test_heic(tmp_path: Path, channels: int, bits: int) -> None:
    pixels = smooth(channels, 255 if bits == 8 else 65535)
    picture = read(tmp_path, heic(pixels))
    assert picture.pixels.dtype == pixels.dtype
    assert picture.notes == ()
    found = picture.pixels
    if channels == 1 and found.ndim == 3:
        found = found[..., 0]
    assert found.shape == pixels.shape
    step = 1 if bits == 8 else 257
    assert np.abs(found.astype(int) - pixels).mean() < 3 * step
    if bits == 10:
        assert found.max() > 65000


def test_heic_keeps_its_metadata(tmp_path: Path) -> None:
    options = {"exif": b"Exif\0\0" + camera_exif(1), "xmp": XMP, "icc_profile": srgb()}
    image = Image.fromarray(smooth(3))
    target = io.BytesIO()
    pillow_heif.from_pillow(image).save(target, **options)
    picture = read(tmp_path, target.getvalue())
    assert b"Tester" in picture.exif
    assert picture.icc == srgb()
    assert XMP in picture.xmp
    assert write_picture(tmp_path / "x.png", picture, FORMATS["png"]) == ()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_turned(tmp_path: Path, orientation: int) -> None:
    image = Image.fromarray(smooth(3))
    exif = Image.Exif()
    exif[0x0112] = orientation
    target = io.BytesIO()
    # The library writes the EXIF orientation as the file's own rotation and mirroring.
    pillow_heif.from_pillow(image).save(target, exif=exif.tobytes(), quality=95, chroma=444)
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    picture = read(tmp_path, target.getvalue())
    assert picture.pixels.shape == expected.shape
    assert np.abs(picture.pixels.astype(int) - expected).mean() < 3
    write_picture(tmp_path / f"{orientation}.jpg", picture, FORMATS["jpeg"])
    with Image.open(tmp_path / f"{orientation}.jpg") as written:
        assert written.getexif().get(0x0112, 1) == 1


def test_heic_in_another_colour_space(tmp_path: Path) -> None:
    picture = read(
        tmp_path,
        heic(smooth(3, 65535), color_primaries=9, transfer_characteristics=16),
    )
    assert picture.chunks == ((b"cICP", bytes((9, 16, 0, 1))),)


def test_heic_in_display_p3_looks_alike_in_older_programs(tmp_path: Path) -> None:
    data = heic(smooth(3), color_primaries=12, transfer_characteristics=13)
    picture = read(tmp_path, data)
    write_picture(tmp_path / "x.png", picture, FORMATS["png"])
    back = read_picture(tmp_path / "x.png")
    assert back.chunks == picture.chunks
    write_picture(tmp_path / "x.jpg", picture, FORMATS["jpeg"])
    assert back.icc == read_picture(tmp_path / "x.jpg").icc != b""


def test_heic_of_several_pictures(tmp_path: Path) -> None:
    file = pillow_heif.from_pillow(Image.fromarray(smooth(3)))
    file.add_from_pillow(Image.fromarray(smooth(3)[:16]))
    target = io.BytesIO()
    file.save(target)
    assert read(tmp_path, target.getvalue()).notes == (
        "the main one of 2 pictures in the file is used, as viewers do",
    )


def test_heic_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(MediaError, match=r"pip install 'restore-rt\[heif\]'"):
        read(tmp_path, heic(smooth(3)))


def test_heic_and_avif_that_are_damaged(tmp_path: Path) -> None:
    for data in (heic(smooth(3)), encoded(smooth(3), "avif")):
        for size in (40, len(data) // 2, len(data) - 20):
            with pytest.raises(MediaError, match=r"in .*(damaged|not a picture)"):
                read(tmp_path, data[:size])


@pytest.mark.parametrize("kind", ["heic", "avif", "jp2", "tga"])
def test_size_is_limited(tmp_path: Path, kind: str) -> None:
    image = Image.fromarray(smooth(3))
    data = (
        heic(smooth(3)) if kind == "heic" else encoded(image, {"jp2": "jpeg2000"}.get(kind, kind))
    )
    path = tmp_path / f"in.{kind}"
    path.write_bytes(data)
    with pytest.raises(MediaError, match="--max-pixels 1536"):
        next(read_pages(path, max_pixels=1535))
    assert next(read_pages(path, max_pixels=1536)).pixels.shape[:2] == (32, 48)


def deep_avif(pixels: Any, **options: Any) -> bytes:
    return bytes(imagecodecs.avif_encode(pixels, 100, **options))


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_deep_avif(tmp_path: Path, bits: int, channels: int) -> None:
    peak = (1 << bits) - 1
    pixels = smooth(channels, peak)
    options = {"bitspersample": bits, "pixelformat": "400" if channels == 1 else "444"}
    picture = read(tmp_path, deep_avif(pixels, **options))
    assert picture.pixels.shape == pixels.shape
    expected = np.rint(pixels * (65535 / peak))
    assert np.abs(picture.pixels - expected).max() <= 65535 / peak + 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bits", [8, 10])
def test_avif_turned(tmp_path: Path, orientation: int, bits: int) -> None:
    image = Image.fromarray(smooth(3))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, "avif", exif=exif, quality=95, subsampling="4:4:4")
    if bits == 10:
        data = _transplanted(data, deep_avif(smooth(3, 1023), bitspersample=10))
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    found = read(tmp_path, data).pixels
    assert found.shape == expected.shape
    assert np.abs((found >> (8 if bits == 10 else 0)) - expected).mean() < 3


def _transplanted(turned: bytes, deep: bytes) -> bytes:
    """Add to a file the rotation and mirroring that another one has."""
    extra, numbers = b"", b""
    for kind, size in ((b"irot", 9), (b"imir", 9)):
        place = turned.find(kind)
        if place > 0:
            extra += turned[place - 4 : place - 4 + size]
            numbers += bytes((0x80 + 5 + bool(numbers),))
    data = bytearray(deep)
    place = data.index(b"ipma") + 4 + 4 + 4 + 2
    data[place] += len(numbers)
    data[place + 1 + 4 : place + 1 + 4] = numbers
    end = data.index(b"ipma") - 4
    data[end:end] = extra
    grown = len(extra) + len(numbers)
    for kind, more in ((b"ipco", len(extra)), (b"ipma", len(numbers)), (b"iprp", grown),
                       (b"meta", grown)):  # fmt: skip
        at = data.index(kind) - 4
        struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + more)
    at = data.index(b"iloc") + 4 + 4 + 2 + 2 + 2 + 2 + 2
    struct.pack_into(">I", data, at, struct.unpack_from(">I", data, at)[0] + grown)
    return bytes(data)


def test_avif_is_written_with_its_metadata(tmp_path: Path) -> None:
    picture = Picture(smooth(4), srgb(), camera_exif(6), XMP)
    assert write_picture(tmp_path / "x.avif", picture, FORMATS["avif"]) == ()
    back = read_picture(tmp_path / "x.avif")
    assert back.pixels.shape == picture.pixels.shape
    assert np.abs(back.pixels.astype(int) - picture.pixels).mean() < 3
    assert back.icc == picture.icc
    assert b"Tester" in back.exif
    assert back.xmp == XMP
    size = (tmp_path / "x.avif").stat().st_size
    write_picture(tmp_path / "x.avif", picture, FORMATS["avif"], quality=20, overwrite=True)
    assert (tmp_path / "x.avif").stat().st_size < size


@pytest.mark.parametrize("depth", [0, 10, 12, 14])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_deep_avif_is_written_with_its_metadata(tmp_path: Path, channels: int, depth: int) -> None:
    pixels = smooth(channels, 65535)
    icc = srgb() if channels > 2 else b""
    picture = Picture(pixels, icc, camera_exif(), XMP, depth=depth)
    path = tmp_path / "x.avif"
    notes = write_picture(path, picture, FORMATS["avif"])
    assert notes == {
        0: ("samples of 16 bits were reduced to 12, AVIF's most",),
        14: ("samples of 14 bits were reduced to 12, AVIF's most",),
    }.get(depth, ())
    back = read_picture(path)
    assert back.depth == (depth if depth in (10, 12) else 12)
    assert (back.icc, back.xmp) == (icc, XMP)
    assert b"Tester" in back.exif
    expected = pixels[..., [0, 0, 0, 1]] if channels == 2 else pixels
    assert back.pixels.shape == expected.shape
    assert np.abs(back.pixels.astype(int) - expected).mean() < 65535 / 255
    with Image.open(path) as image:  # another decoder, by way of libavif
        image.load()
        assert image.getexif()[0x010F] == "Tester"
        assert image.info["xmp"] == XMP
        assert image.info.get("icc_profile", b"") == icc
    write_picture(path, picture, FORMATS["avif"], quality=20, overwrite=True)
    assert read_picture(path).pixels.shape == expected.shape


def test_hdr_codes_stay_in_deep_avif(tmp_path: Path) -> None:
    chunks = ((b"cICP", bytes((9, 18, 0, 1))),)
    picture = Picture(smooth(3, 65535), chunks=chunks, depth=10)
    assert write_picture(tmp_path / "x.avif", picture, FORMATS["avif"]) == ()
    back = read_picture(tmp_path / "x.avif")
    assert back.chunks == chunks
    write_picture(tmp_path / "x.png", back, FORMATS["png"])
    assert read_picture(tmp_path / "x.png").chunks == chunks


@pytest.mark.parametrize("channels", [1, 2])
def test_grey_avif_stays_grey(tmp_path: Path, channels: int) -> None:
    pixels = smooth(channels)
    write_picture(tmp_path / "x.avif", Picture(pixels), FORMATS["avif"])
    with Image.open(tmp_path / "x.avif") as image:
        found = np.asarray(image.convert("RGBA")).astype(int)
    grey = pixels if channels == 1 else pixels[..., 0]
    assert np.abs(found[..., :3] - grey[..., None]).mean() < 2
    assert (found[..., 0] == found[..., 1]).all()


def test_an_animated_avif_is_refused(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "green")]
    data = encoded(frames[0], "avif", save_all=True, append_images=frames[1:])
    with pytest.raises(MediaError, match="animation of 2 frames"):
        read(tmp_path, data)


@pytest.mark.parametrize("codec", ["jp2", "j2k"])
@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg2000(tmp_path: Path, codec: str, bits: int, channels: int) -> None:
    pixels = noise(channels, bits if bits in (8, 16) else 16) >> (16 - bits if 8 < bits < 16 else 0)
    data = imagecodecs.jpeg2k_encode(pixels, 0, codecformat=codec, bitspersample=bits)
    picture = read(tmp_path, bytes(data))
    if bits in (8, 16):
        np.testing.assert_array_equal(picture.pixels, pixels)
    else:
        scaled = np.rint(pixels * (65535 / ((1 << bits) - 1)))
        assert np.abs(picture.pixels - scaled).max() <= 1


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_jpeg2000_with_alpha(tmp_path: Path, mode: str) -> None:
    pixels = noise(len(mode), 8)
    data = encoded(Image.fromarray(pixels), "jpeg2000", irreversible=False)
    np.testing.assert_array_equal(read(tmp_path, data).pixels, pixels)


def test_jpeg2000_keeps_its_metadata(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(noise(3, 8)), "jpeg2000")
    boxes = box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP)
    boxes += box(b"uuid", b"JpgTiffExif->JP2" + camera_exif())
    colour = data.index(b"colr") - 4
    size = int.from_bytes(data[colour : colour + 4], "big")
    profile = box(b"colr", b"\2\0\0" + srgb())
    changed = data[:colour] + profile + data[colour + size :]
    header = changed.index(b"jp2h") - 4
    length = int.from_bytes(changed[header : header + 4], "big") + len(profile) - size
    changed = changed[:header] + struct.pack(">I", length) + changed[header + 4 :]
    stream = changed.index(b"jp2c") - 4
    picture = read(tmp_path, changed[:stream] + boxes + changed[stream:])
    assert picture.icc == srgb()
    assert picture.xmp == XMP
    assert picture.exif == camera_exif()


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


@pytest.mark.parametrize("rle", [False, True])
@pytest.mark.parametrize("bottom_up", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_tga(tmp_path: Path, rle: bool, bottom_up: bool, mode: str) -> None:
    image = Image.fromarray(noise(len(mode.replace("P", "RGB")), 8))
    image = image.quantize(200) if mode == "P" else image
    options = {"compression": "tga_rle" if rle else None, "orientation": -1 if bottom_up else 1}
    data = encoded(image, "tga", **options)
    for name in ("in.tga", "in.TGA", "in.bin"):
        found = read(tmp_path, data, name).pixels
        np.testing.assert_array_equal(
            found, np.asarray(image.convert("RGB") if mode == "P" else image)
        )


def test_tga_of_15_bits_and_from_right_to_left(tmp_path: Path) -> None:
    header = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 2, 1, 16, 0x31)
    found = read(tmp_path, header + struct.pack("<HH", 0x7C00, 0x001F), "in.tga").pixels
    assert found[..., :3].tolist() == [[[0, 0, 255], [255, 0, 0]]]
    assert (found[..., 3:] == 255).all()


@pytest.mark.parametrize("attributes", [3, 4])
def test_tga_of_version_2(tmp_path: Path, attributes: int) -> None:
    pixels = np.array([[[100, 50, 0, 128], [10, 20, 30, 255]]], np.uint8)
    body = encoded(Image.fromarray(pixels), "tga")[: 18 + 8]
    extension = bytearray(495)
    struct.pack_into("<H", extension, 0, 495)
    extension[2:5] = b"Ann"
    extension[43:50] = b"a  hill"
    struct.pack_into("<HH", extension, 478, 22, 10)
    extension[494] = attributes
    data = body + extension + struct.pack("<II", len(body), 0) + b"TRUEVISION-XFILE.\0"
    picture = read(tmp_path, data, "in.tga")
    expected = pixels.copy()
    if attributes == 4:
        expected[0, 0, :3] = (199, 100, 0)
    np.testing.assert_array_equal(picture.pixels, expected)
    assert dict(picture.chunks)[b"gAMA"] == struct.pack(">I", 45455)
    texts = [body for kind, body in picture.chunks if kind == b"tEXt"]
    assert texts == [b"Author\0Ann", b"Comment\0a  hill"]


def test_tga_whose_alpha_is_empty_is_opaque(tmp_path: Path) -> None:
    pixels = noise(4, 8)
    pixels[..., 3] = 0
    picture = read(tmp_path, encoded(Image.fromarray(pixels), "tga"), "in.tga")
    assert (picture.pixels[..., 3] == 255).all()
    np.testing.assert_array_equal(picture.pixels[..., :3], pixels[..., :3])
    assert "opaque" in picture.notes[0]


def test_text_is_no_tga(tmp_path: Path) -> None:
    for name in ("in.tga", "in.png"):
        with pytest.raises(MediaError, match=r"not a picture|cannot be decoded"):
            read(tmp_path, b"just text\n" * 10, name)
