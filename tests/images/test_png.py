"""PNG chunks: colour and texts are kept, and no damage to them costs the pixels."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from restore_rt.errors import MediaError
from restore_rt.images import FORMATS, Picture, read_pages, read_picture, write_picture
from restore_rt.images.png import latin_text
from tests.images.pictures import camera_exif, chunk, encoded, noise, srgb, with_chunks

P3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
LINEAR = chunk(b"gAMA", struct.pack(">I", 100000))


def stored(tmp_path: Path, *chunks: bytes, pixels: Any = None) -> Path:
    path = tmp_path / "in.png"
    path.write_bytes(
        with_chunks(encoded(noise(3, 8) if pixels is None else pixels, "png"), *chunks)
    )
    return path


def again(tmp_path: Path, path: Path, name: str, notes: tuple[str, ...] = ()) -> Path:
    target = tmp_path / f"out.{name}"
    picture = read_picture(path)
    assert write_picture(target, picture, FORMATS[name]) == notes
    return target


def shown(path: Path) -> list[int]:
    """The first pixel as a screen shows it, by the file's ICC profile."""
    with Image.open(path) as opened:
        # Pillow gives grey AVIF as RGB.
        icc = opened.info["icc_profile"]
        image = opened.convert("L") if icc[16:20] == b"GRAY" else opened
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        target = ImageCms.ImageCmsProfile(io.BytesIO(srgb()))
        seen = ImageCms.profileToProfile(image, profile, target, outputMode="RGB")
    assert seen is not None
    return list(map(int, np.asarray(seen)[0, 0]))


@pytest.mark.parametrize(
    "chunks",
    [
        [LINEAR],
        [LINEAR, chunk(b"cHRM", P3)],
        [chunk(b"sRGB", b"\0"), chunk(b"gAMA", struct.pack(">I", 45455))],
        [chunk(b"cICP", bytes((12, 13, 0, 1)))],
        [chunk(b"cICP", bytes((9, 16, 0, 1))), chunk(b"mDCV", bytes(24)), chunk(b"cLLI", bytes(8))],
    ],
)
@pytest.mark.parametrize("bits", [8, 16])
def test_colour_stays_in_png(tmp_path: Path, chunks: list[bytes], bits: int) -> None:
    pixels = noise(3, bits)
    path = tmp_path / "in.png"
    path.write_bytes(with_chunks(bytes(imagecodecs.png_encode(pixels)), *chunks))
    target = again(tmp_path, path, "png")
    data = target.read_bytes()
    assert all(found in data for found in chunks)
    assert data.index(chunks[-1]) < data.index(b"IDAT")
    np.testing.assert_array_equal(read_picture(target).pixels, pixels)


@pytest.mark.parametrize("name", ["jpeg", "tiff", "webp", "avif"])
@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8)])
def test_linear_grey_looks_alike_elsewhere(
    tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    path = stored(tmp_path, LINEAR, pixels=np.full(shape, 128, np.uint8))
    red, green, blue = shown(again(tmp_path, path, name))
    for channel in (red, green, blue):
        assert channel == pytest.approx(188, abs=2)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([chunk(b"cICP", bytes((12, 13, 0, 1)))], [255, 0, 0]),
        ([chunk(b"gAMA", struct.pack(">I", 45455)), chunk(b"cHRM", P3)], [255, 0, 0]),
        ([chunk(b"sRGB", b"\0")], [200, 30, 30]),
        # cICP goes before all others.
        ([chunk(b"cICP", bytes((1, 13, 0, 1))), LINEAR], [200, 30, 30]),
    ],
)
def test_primaries_look_alike_elsewhere(
    tmp_path: Path, chunks: list[bytes], expected: list[int]
) -> None:
    pixels = np.full((8, 8, 3), (200, 30, 30), np.uint8)
    path = again(tmp_path, stored(tmp_path, *chunks, pixels=pixels), "tiff")
    found = shown(path)
    if expected[0] == 255:  # Display P3's red is redder than sRGB's
        assert found[0] > 210
        assert found[1] < 20
    else:
        assert found == pytest.approx(expected, abs=1)


def test_primaries_that_cannot_be_are_told(tmp_path: Path) -> None:
    same = struct.pack(">8I", 31270, 32900, *([64000, 33000] * 3))
    path = stored(tmp_path, LINEAR, chunk(b"cHRM", same))
    again(tmp_path, path, "png")
    again(tmp_path, path, "jpeg", ("its colour encoding (gAMA, cHRM) cannot be stated",))


def test_hdr_is_stated_in_avif_and_noted_elsewhere(tmp_path: Path) -> None:
    path = stored(tmp_path, chunk(b"cICP", bytes((9, 16, 0, 1))))
    back = read_picture(again(tmp_path, path, "avif"))
    assert back.chunks == ((b"cICP", bytes((9, 16, 0, 1))),)
    (note,) = write_picture(tmp_path / "x.jpg", read_picture(path), FORMATS["jpeg"])
    assert "HDR transfer function (PQ)" in note


def test_a_profile_goes_before_srgb(tmp_path: Path) -> None:
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(srgb()))
    data = again(tmp_path, stored(tmp_path, profile, chunk(b"sRGB", b"\0")), "png").read_bytes()
    assert b"iCCP" in data
    assert b"sRGB" not in data


LONG = "node " * 300_000
TEXTS = [
    (b"tEXt", b"workflow\0" + LONG.encode()),
    (b"zTXt", b"workflow\0\0" + zlib.compress(LONG.encode())),
    (b"iTXt", b"workflow\0\1\0en\0t\0" + zlib.compress(LONG.encode())),
    (b"iTXt", b"workflow\0\0\0\0\0" + LONG.encode()),
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("late", [False, True])
def test_long_texts_stay_byte_for_byte(
    tmp_path: Path, text: tuple[bytes, bytes], late: bool
) -> None:
    path = stored(tmp_path, *([] if late else [chunk(*text)]))
    if late:
        data = path.read_bytes()
        path.write_bytes(data[:-12] + chunk(*text) + data[-12:])
    picture = read_picture(path)
    assert picture.chunks == (text,)
    target = again(tmp_path, path, "png")
    assert chunk(*text) in target.read_bytes()
    notes = write_picture(tmp_path / "x.webp", picture, FORMATS["webp"])
    assert notes == ("text was left out, webp has no place for it: workflow",)


def test_a_profile_of_megabytes_stays(tmp_path: Path) -> None:
    profile = srgb() + bytes(3 << 20)
    path = stored(tmp_path, chunk(b"iCCP", b"x\0\0" + zlib.compress(profile)))
    assert read_picture(again(tmp_path, path, "png")).icc == profile


def test_text_that_expands_without_end_is_passed_on_unread(tmp_path: Path) -> None:
    bomb = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(300 << 20))
    picture = read_picture(stored(tmp_path, chunk(b"iTXt", bomb)))
    assert picture.xmp == b""
    assert picture.notes == ("a damaged iTXt chunk was left out",)


@pytest.mark.parametrize(
    "bad",
    [
        chunk(b"iCCP", b"no end"),
        chunk(b"iCCP", b"x\0\0" + b"no zlib"),
        chunk(b"tEXt", b"a\0b")[:-4] + bytes(4),
        chunk(b"eXIf", b"MM")[:-4] + bytes(4),
        chunk(b"pHYs", b"12"),
        chunk(b"gAMA", b"12"),
        chunk(b"cICP", b"12345"),
    ],
)
def test_a_damaged_chunk_without_pixels_is_left_out(tmp_path: Path, bad: bytes) -> None:
    picture = read_picture(stored(tmp_path, bad))
    np.testing.assert_array_equal(picture.pixels, noise(3, 8))
    (note,) = picture.notes
    assert note == f"a damaged {bad[4:8].decode()} chunk was left out"


def test_unknown_chunks_and_what_follows_are_told(tmp_path: Path) -> None:
    path = stored(tmp_path, chunk(b"caBX", b"credentials"), chunk(b"tIME", bytes(7)))
    path.write_bytes(path.read_bytes() + b"more")
    assert read_picture(path).notes == (
        "chunks that are not known here were left out: caBX",
        "4 bytes after the picture were left out",
    )


def test_profiles_that_old_programs_wrote_as_text(tmp_path: Path) -> None:
    exif, xmp = camera_exif(6), b"<x:xmpmeta/>"
    lines = f"\nexif\n{len(exif):8}\n{exif.hex()}\n", f"\nxmp\n{len(xmp):8}\n{xmp.hex()}\n"
    chunks = [
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(lines[0].encode())),
        chunk(b"tEXt", b"Raw profile type xmp\0" + lines[1].encode()),
        chunk(b"tEXt", b"Raw profile type iptc\0\niptc\n 4\n01020304\n"),
    ]
    picture = read_picture(stored(tmp_path, *chunks))
    assert (picture.exif, picture.xmp) == (exif, xmp)
    np.testing.assert_array_equal(picture.pixels, np.rot90(noise(3, 8), -1))
    assert [kind for kind, _ in picture.chunks] == [b"tEXt"]


@pytest.mark.parametrize("kind", ["palette", "grey", "16 bits", "alpha"])
def test_colour_of_every_kind_of_samples(tmp_path: Path, kind: str) -> None:
    pixels = {"grey": noise(1, 8), "16 bits": noise(3, 16), "alpha": noise(4, 8)}.get(kind)
    image = Image.fromarray(noise(3, 8)).quantize(16)
    data = encoded(image, "png") if pixels is None else bytes(imagecodecs.png_encode(pixels))
    path = tmp_path / "in.png"
    path.write_bytes(with_chunks(data, LINEAR, chunk(*latin_text("Title", "a hill"))))
    picture = read_picture(path)
    assert [name for name, _ in picture.chunks] == [b"gAMA", b"tEXt"]
    np.testing.assert_array_equal(
        picture.pixels, np.asarray(image.convert("RGB")) if pixels is None else pixels
    )
    again(tmp_path, path, "png")


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("interlaced", [False, True])
def test_a_png_that_ends_early(tmp_path: Path, bits: int, interlaced: bool) -> None:
    pixels = noise(3, bits, size=(61, 40))
    data = _interlaced(pixels) if interlaced else bytes(imagecodecs.png_encode(pixels))
    path = tmp_path / "in.png"
    path.write_bytes(data[: len(data) // 2])
    (picture,) = read_pages(path)
    assert picture.pixels.shape == pixels.shape
    if interlaced:
        assert "last passes" in picture.damage
        same = (picture.pixels == pixels).all(axis=2)
        assert same.mean() == pytest.approx(0.5, abs=0.1)
    else:
        assert picture.damage.endswith("of its 61 rows are missing and left black")
        rows = 61 - int(picture.damage.split(": ")[1].split()[0])
        np.testing.assert_array_equal(picture.pixels[:rows], pixels[:rows])
        assert not picture.pixels[rows + 1 :].any()
    with pytest.raises(MediaError, match="damaged"):
        read_picture(path)


def _interlaced(pixels: Any) -> bytes:
    body = b""
    for left, top, across, down in (
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
        (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
    ):  # fmt: skip
        for row in pixels[top::down, left::across]:
            body += b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes()
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, pixels.dtype.itemsize * 8, 2, 0, 0, 1)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def test_a_png_that_was_never_filled_to_its_end(tmp_path: Path) -> None:
    data = bytes(imagecodecs.png_encode(noise(3, 16, size=(61, 40))))
    place = data.index(b"IDAT") + 4
    body = data[place:-16]
    halves = chunk(b"IDAT", body[: len(body) // 2]), chunk(b"IDAT", body[len(body) // 2 :])
    path = tmp_path / "in.png"
    path.write_bytes(data[: place - 8] + halves[0] + bytes(len(halves[1])))
    (picture,) = read_pages(path)
    assert "rows are missing and left black" in picture.damage
    assert picture.notes == ()


def test_a_png_without_its_last_chunk_is_whole(tmp_path: Path) -> None:
    for data in (encoded(noise(3, 8), "png"), encoded(noise(1, 8), "png")):
        for missing in (12, 6, 15):
            path = tmp_path / "in.png"
            path.write_bytes(data[:-missing])
            (picture,) = read_pages(path)
            assert picture.damage == ""
            assert picture.pixels.shape[:2] == (13, 22)


def test_text_in_a_picture_made_here(tmp_path: Path) -> None:
    texts = latin_text("Author", "Ren\xe9"), latin_text("Title", "\u5c71")
    write_picture(tmp_path / "x.png", Picture(noise(3, 8), chunks=texts), FORMATS["png"])
    with Image.open(tmp_path / "x.png") as image:
        image.load()
        assert image.text == {"Author": "Ren\xe9", "Title": "\u5c71"}  # type: ignore[attr-defined]
