"""JPEG files as cameras, phones and broken transfers leave them."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from restore_rt.errors import MediaError
from restore_rt.images import FORMATS, Picture, read_pages, read_picture, write_picture
from restore_rt.images.xmp import true_afterwards
from tests.images.pictures import camera_exif, encoded, noise

SIZE = (120, 168)
KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "subsampled": {"subsampling": 2},
    "progressive, subsampled": {"progressive": True, "subsampling": 2},
    "restart markers": {"restart_marker_rows": 1},
    "grey": {"grey": True},
    "CMYK": {"mode": "CMYK"},
}


def jpeg(kind: str = "baseline", **options: Any) -> bytes:
    smooth = np.linspace(0, 60, SIZE[0] * SIZE[1]).reshape(*SIZE, 1)
    pixels = (smooth + noise(3, 8, size=SIZE) / 2).astype(np.uint8)
    options = {**KINDS[kind], **options}
    image = Image.fromarray(pixels[..., 0] if options.pop("grey", False) else pixels)
    return encoded(image.convert(options.pop("mode", image.mode)), "jpeg", quality=92, **options)


def pages(tmp_path: Path, data: bytes) -> list[Picture]:
    path = tmp_path / "in.jpg"
    path.write_bytes(data)
    return list(read_pages(path))


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_one_is_whole(tmp_path: Path, kind: str) -> None:
    (picture,) = pages(tmp_path, jpeg(kind))
    assert picture.damage == ""
    assert not any("end" in note for note in picture.notes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [1, 2])
def test_without_its_end(tmp_path: Path, kind: str, cut: int) -> None:
    data = jpeg(kind)
    (whole,) = pages(tmp_path, data)
    (picture,) = pages(tmp_path, data[:-cut])
    assert picture.damage == ""
    assert "its end is missing, though no pixels are" in picture.notes
    np.testing.assert_array_equal(picture.pixels, whole.pixels)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.4, 0.7, 0.97])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_cut_short(tmp_path: Path, kind: str, share: float, end: bytes) -> None:
    data = jpeg(kind)
    (whole,) = pages(tmp_path, data)
    (picture,) = pages(tmp_path, data[: int(len(data) * share)] + end)
    assert picture.pixels.shape == whole.pixels.shape
    assert picture.damage.startswith("the file ends early: ")
    if "progressive" in kind:
        near = np.abs(picture.pixels.astype(int) - whole.pixels).mean()
        assert near < 40
    else:
        missing, _, height = picture.damage.split(": ")[1].partition(" of its ")
        assert height.startswith("120 rows are missing and left grey")
        assert int(missing) == pytest.approx(120 * (1 - share), abs=20)
        rows = 120 - int(missing)
        np.testing.assert_array_equal(picture.pixels[: rows - 1], whole.pixels[: rows - 1])
    if not end:
        with pytest.raises(MediaError, match=r"in\.jpg is damaged: the file ends early"):
            read_picture(tmp_path / "in.jpg")


@pytest.mark.parametrize("kind", ["baseline", "progressive", "grey"])
def test_never_filled_to_its_end(tmp_path: Path, kind: str) -> None:
    data = jpeg(kind)
    half = len(data) // 2
    (picture,) = pages(tmp_path, data[:half] + bytes(len(data) - half))
    assert picture.damage.startswith("the file ends early: ")
    (cut,) = pages(tmp_path, data[:half])
    np.testing.assert_array_equal(picture.pixels, cut.pixels)


def test_progressive_without_its_last_scans(tmp_path: Path) -> None:
    data = jpeg("progressive")
    scans = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    for place in scans[1:]:
        (picture,) = pages(tmp_path, data[:place])
        assert picture.damage.startswith("the file ends early: ")


@pytest.mark.parametrize("size", [3, 30, 300])
def test_cut_before_its_pixels(tmp_path: Path, size: int) -> None:
    with pytest.raises(MediaError, match=r"damaged|not a picture"):
        pages(tmp_path, jpeg()[:size])


def test_a_cut_picture_is_turned_too(tmp_path: Path) -> None:
    data = jpeg(exif=b"Exif\0\0" + camera_exif(6))
    (picture,) = pages(tmp_path, data[: len(data) // 2])
    assert picture.pixels.shape == (168, 120, 3)
    assert "rows are missing" in picture.damage


GAIN_MAP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" '
    b'xmlns:Container="http://ns.google.com/photos/1.0/container/" '
    b'xmlns:Item="http://ns.google.com/photos/1.0/container/item/" '
    b'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" '
    b'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1" hdrgm:Version="1.0" '
    b'tiff:Orientation="6" dc:format="image/jpeg"><dc:creator>Ren\xc3\xa9</dc:creator>'
    b'<Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item '
    b'Item:Semantic="GainMap" Item:Mime="image/jpeg" Item:Length="388"/></rdf:li></rdf:Seq>'
    b"</Container:Directory></rdf:Description></rdf:RDF></x:xmpmeta>"
)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "tiff", "avif"])
def test_a_gain_map_is_left_out_and_no_longer_claimed(
    tmp_path: Path, name: str, wrapped: bool
) -> None:
    begin = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    xmp = begin + GAIN_MAP + b'<?xpacket end="w"?>' if wrapped else GAIN_MAP
    data = jpeg(xmp=xmp) + jpeg()
    (picture,) = pages(tmp_path, data)
    assert picture.notes == ("left out, as the result is another picture: the HDR gain map",)
    target = tmp_path / f"out.{name}"
    write_picture(target, picture, FORMATS[name])
    (back,) = read_pages(target)
    for gone in (b"hdrgm", b"hdr-gain-map", b"Container", b"MotionPhoto", b"GainMap"):
        assert gone not in back.xmp
        assert gone not in target.read_bytes()
    for kept in (b'dc:format="image/jpeg"', b"Ren\xc3\xa9", b'tiff:Orientation="1"'):
        assert kept in back.xmp
    assert back.notes == ()


def test_xmp_states_the_new_size(tmp_path: Path) -> None:
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a exif:PixelXDimension="168" '
        b"tiff:ImageLength='120'>"
        b"<exif:PixelYDimension>120</exif:PixelYDimension></a></x:xmpmeta>"
    )
    picture = Picture(noise(3, 8, size=(240, 336)), xmp=xmp)
    write_picture(tmp_path / "x.jpg", picture, FORMATS["jpeg"])
    expected = xmp.replace(b"168", b"336").replace(b"120", b"240")
    assert read_picture(tmp_path / "x.jpg").xmp == expected


def test_xmp_that_claims_nothing_stays_byte_for_byte() -> None:
    xmp = b'<?xpacket begin=""?>\n<x:xmpmeta  xmlns:x="adobe:ns:meta/"/>   <?xpacket end="w"?>\0'
    assert true_afterwards(xmp) == xmp
    assert true_afterwards(b"<x hdr-gain-map") == b""
    assert true_afterwards(b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>hdr-gain-map</x>") == b""


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (b"\0\0\0\x18ftypmp42" + bytes(100), "the video of a motion photo"),
        (b"some more bytes", "15 bytes after the picture"),
        (bytes(64), None),
    ],
)
def test_what_follows_is_told(tmp_path: Path, tail: bytes, expected: str | None) -> None:
    data = jpeg()
    (picture,) = pages(tmp_path, data + tail)
    text = f"left out, as the result is another picture: {expected}"
    assert picture.notes == (() if expected is None else (text,))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("name", ["jpeg", "png", "webp"])
def test_the_thumbnail_is_that_of_the_result(
    tmp_path: Path, name: str, orientation: int, order: str
) -> None:
    small = Image.new("RGB", (40, 30), "red")
    exif = exif_with_thumbnail(encoded(small, "jpeg"), orientation, order)
    (picture,) = pages(tmp_path, jpeg(exif=b"Exif\0\0" + exif))
    target = tmp_path / f"out.{name}"
    assert write_picture(target, picture, FORMATS[name]) == ()
    (back,) = read_pages(target)
    place = back.exif.index(b"\xff\xd8\xff")
    with Image.open(io.BytesIO(back.exif[place:])) as thumbnail:
        turned = orientation in (6, 8)
        assert thumbnail.size == ((114, 160) if turned else (160, 114))
        assert thumbnail.convert("RGB").getpixel((5, 5)) != (254, 0, 0)
    assert back.exif.count(b"\xff\xd8\xff") == 1
    with Image.open(target) as image:
        found = image.getexif().get_ifd(-1)
        assert found[0x0201] == place
        assert found[0x0202] == len(back.exif) - place
        assert found[0x0112] == 1


def exif_with_thumbnail(thumbnail: bytes, orientation: int, order: str) -> bytes:
    block = bytearray(camera_exif(orientation, order=order))
    place = len(block)
    (count,) = struct.unpack_from(order + "H", block, 8)
    struct.pack_into(order + "I", block, 10 + 12 * count, place)
    block += struct.pack(order + "H", 4)
    block += struct.pack(order + "HHIHH", 0x0103, 3, 1, 6, 0)
    block += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    block += struct.pack(order + "HHII", 0x0201, 4, 1, place + 2 + 4 * 12 + 4)
    block += struct.pack(order + "HHII", 0x0202, 4, 1, len(thumbnail))
    return bytes(block + bytes(4) + thumbnail)


def iptc_segment(iptc: bytes) -> bytes:
    body = b"Photoshop 3.0\x008BIM\x04\x0c\0\0\0\0\0\x02\xff\xd88BIM\x04\x04\0\0"
    body += struct.pack(">I", len(iptc)) + iptc + bytes(len(iptc) % 2)
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body


def test_captions_and_comments_are_kept_or_told(tmp_path: Path) -> None:
    iptc = b"\x1c\x02\x78\0\x05a hil"
    data = jpeg(comment=b"made by hand")
    (picture,) = pages(tmp_path, data[:2] + iptc_segment(iptc) + data[2:])
    assert picture.iptc == iptc
    for name, kept in (("jpeg", True), ("tiff", True), ("png", False), ("webp", False)):
        target = tmp_path / f"out.{name}"
        notes = write_picture(target, picture, FORMATS[name])
        (back,) = read_pages(target)
        assert back.iptc == (iptc if kept else b"")
        assert any("IPTC" in note for note in notes) != kept
        commented = name in ("jpeg", "png")
        assert (b"made by hand" in target.read_bytes()) == commented
        assert any("Comment" in note for note in notes) != commented


def test_a_phone_that_knows_the_iso_gain_map(tmp_path: Path) -> None:
    body = b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4)
    data = jpeg()
    segment = b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body
    (picture,) = pages(tmp_path, data[:2] + segment + data[2:] + jpeg())
    assert "the HDR gain map" in picture.notes[0]


def test_content_credentials_are_told(tmp_path: Path) -> None:
    data = jpeg()
    segment = b"\xff\xeb" + struct.pack(">H", 10) + b"JP\0\1abcd"
    (picture,) = pages(tmp_path, data[:2] + segment + data[2:])
    assert "content credentials" in picture.notes[0]


def test_samples_of_12_bits_are_no_damage(tmp_path: Path) -> None:
    data = bytes(imagecodecs.jpeg8_encode(noise(1, 16) >> 4, bitspersample=12))
    with pytest.raises(MediaError, match="a JPEG with samples of 12 bits; allowed are 8"):
        pages(tmp_path, data)


def test_stray_bytes_between_segments(tmp_path: Path) -> None:
    data = jpeg()
    (picture,) = pages(tmp_path, data[:2] + b"\xff\xff\xff" + data[3:])
    assert picture.damage == ""
