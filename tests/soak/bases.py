"""Whole files of many kinds, of which damaged copies are made: the same ones every time."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import onnx
import pillow_heif
import tifffile
from PIL import Image

from restore_rt.model.manifest import read_manifest, weights_sha256, write_manifest
from restore_rt.model.precision import to_half
from restore_rt.model.registry import path_of
from tests.images.pictures import camera_exif, encoded, noise, srgb
from tests.networks import nearest, save_model

PARTS = {
    "picture": "-f lavfi -i testsrc2=s=64x48:r=25:d=0.32",
    "small": "-f lavfi -i testsrc2=s=32x32:r=25:d=0.32",
    "wide": "-f lavfi -i testsrc2=s=96x64:r=30:d=0.3",
    "sound": "-f lavfi -i sine=f=440:r=48000:d=0.32",
    "x265": "-x265-params log-level=none:pools=1:frame-threads=1",
}
# In the order in which cases take them: the first tenth of all cases tries each kind.
CLIPS = {
    "h264.mp4": "{picture} {sound} -c:v libx264 -c:a aac",
    "mpeg4.avi": "{picture} {sound} -c:v mpeg4 -bf 2 -c:a mp3",
    "h264_b.mkv": "{wide} {sound} -c:v libx264 -bf 3 -c:a aac",
    "mpeg2.ts": "{picture} {sound} -c:v mpeg2video -bf 2 -c:a mp2",
    "vp9.webm": "{small} {sound} -c:v libvpx-vp9 -c:a libopus",
    "gif.gif": "{small}",
    "hevc.mp4": "{picture} {sound} -c:v libx265 {x265} -c:a aac",
    "ffv1.mkv": "{small} {sound} -c:v ffv1 -c:a flac",
    "h264.ts": "{picture} {sound} -c:v libx264 -c:a aac",
    "fragmented.mp4": "{picture} {sound} -c:v libx264 -g 4 -c:a aac"
    " -movflags frag_keyframe+empty_moov",
    "subtitles.mkv": "{small} -i {lines} -c:v libx264 -c:s srt",
    "raw.avi": "{small} -c:v rawvideo -pix_fmt yuv420p",
    "hevc_10.mkv": "{wide} {sound} -c:v libx265 {x265} -pix_fmt yuv420p10le -c:a flac",
    "mjpeg.mov": "{picture} {sound} -c:v mjpeg -pix_fmt yuvj422p -c:a pcm_s16le",
    "vp8.webm": "{picture} {sound} -c:v libvpx -c:a libvorbis",
    "raw.y4m": "{small} -pix_fmt yuv420p",
    "av1.mp4": "{picture} -c:v libaom-av1 -cpu-used 8",
    "mpeg2.mpg": "{picture} {sound} -c:v mpeg2video -bf 2 -c:a mp2",
    "woven.ts": "{picture} -vf tinterlace=interleave_top -flags +ilme+ildct -c:v libx264"
    " -x264opts tff=1",
    "h264.flv": "{picture} {sound} -c:v libx264 -c:a aac",
    "theora.ogv": "{picture} {sound} -c:v libtheora -c:a libvorbis",
    "wmv2.wmv": "{picture} {sound} -c:v wmv2 -c:a wmav2",
    "prores.mov": "{picture} {sound} -c:v prores_ks -c:a pcm_s24le",
    "alpha.mov": "{small} -c:v qtrle -pix_fmt argb",
    "h264.h264": "{picture} -c:v libx264",
    "apng.apng": "{small}",
}
_LINES = "1\n00:00:00,000 --> 00:00:00,200\nHello there\n"
_SIZE = (40, 56)


@dataclass(frozen=True)
class Base:
    """A whole file.

    Attributes
    ----------
    name
        Of the file.
    data
        Its bytes.
    beside
        Files that belong to it, by name.
    """

    name: str
    data: bytes
    beside: Mapping[str, bytes]


def clips(folder: Path) -> list[Base]:
    """Make the clips in a folder, with the program ffmpeg."""
    lines = folder / "lines.srt"
    lines.write_text(_LINES, encoding="utf-8")
    found = []
    for name, arguments in CLIPS.items():
        path = folder / name
        options = arguments.format(lines=lines, **PARTS).split()
        # Without what changes from run to run: names of versions, random numbers for tracks.
        exact = ["-threads", "1", "-flags", "+bitexact", "-fflags", "+bitexact"]
        command = ["ffmpeg", "-v", "error", "-y", *options, *exact, str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        found.append(Base(name, path.read_bytes(), {}))
    moving = [Image.fromarray(_ramp(3) + np.uint8(9 * number)) for number in range(5)]
    data = encoded(moving[0], "WEBP", save_all=True, append_images=moving[1:], lossless=True)
    return [*found, Base("animated.webp", data, {})]


def pictures() -> list[Base]:
    """Make the pictures."""
    rgb, deep = _ramp(3), _ramp(3).astype(np.uint16) * 257
    exif = camera_exif(6)
    described = {"exif": exif, "icc_profile": srgb(), "dpi": (300, 300)}
    made: dict[str, Callable[[], bytes]] = {
        "rgb.png": lambda: encoded(rgb, "PNG", **described),
        "photo.jpg": lambda: encoded(rgb, "JPEG", **described),
        "lzw.tif": lambda: encoded(rgb, "TIFF", compression="tiff_lzw", dpi=(72, 72)),
        "lossy.webp": lambda: encoded(rgb, "WEBP", quality=80),
        "photo.avif": lambda: encoded(rgb, "AVIF", quality=80, exif=exif),
        "still.gif": lambda: encoded(Image.fromarray(rgb).quantize(64), "GIF", comment=b"a"),
        "plain.bmp": lambda: encoded(rgb, "BMP"),
        "deep.png": lambda: bytes(imagecodecs.png_encode(deep)),
        "palette.png": lambda: encoded(Image.fromarray(rgb).quantize(16), "PNG", transparency=3),
        "progressive.jpg": lambda: encoded(rgb, "JPEG", progressive=True, comment=b"a picture"),
        "deep.tif": lambda: _tiff([deep], compression="deflate", predictor=True),
        "alpha.webp": lambda: encoded(_ramp(4), "WEBP", lossless=True, exif=exif),
        "photo.jp2": lambda: bytes(imagecodecs.jpeg2k_encode(rgb, codecformat="jp2", level=40)),
        "photo.heic": lambda: _heic(rgb),
        "photo.tga": lambda: encoded(rgb, "TGA", compression="tga_rle"),
        "grey.png": lambda: encoded(noise(1, 8), "PNG"),
        "one_bit.png": lambda: encoded(Image.fromarray(rgb).convert("1"), "PNG"),
        "cmyk.jpg": lambda: encoded(Image.fromarray(rgb).convert("CMYK"), "JPEG"),
        "restarts.jpg": lambda: encoded(noise(3, 8), "JPEG", restart_marker_blocks=1),
        "pages.tif": lambda: _tiff([noise(3, 8), noise(1, 16), noise(3, 8)]),
        "float.tif": lambda: _tiff([rgb.astype(np.float32) / 255]),
        "lossless.avif": lambda: encoded(_ramp(4), "AVIF", quality=100, subsampling="4:4:4"),
        "alpha.png": lambda: encoded(_ramp(4), "PNG"),
        "palette.bmp": lambda: encoded(Image.fromarray(rgb).quantize(16), "BMP"),
    }
    return [Base(name, make(), {}) for name, make in made.items()]


def models(folder: Path) -> list[Base]:
    """Make the models in a folder."""
    shipped = onnx.load(path_of("video-x2-fast"))
    kernels = [np.random.default_rng(3).normal(size=(8, 3, 3, 3)) / 9, nearest(3, 2)[0]]
    kernels[1] = np.repeat(kernels[1], 3, axis=1)[:, :8]
    small = onnx.load(save_model(folder / "small.onnx", kernels, scale=2))
    plain = onnx.load(save_model(folder / "plain.onnx", kernels, scale=2, manifest=False))
    fixed = save_model(folder / "fixed.onnx", kernels, scale=2, manifest=False, size=(1, 32, 48))
    half, half_ports = to_half(small), to_half(plain, float_io=False)
    manifest = read_manifest(small)
    assert manifest is not None
    sealed = {**vars(manifest), "precision": "fp16", "sha256": weights_sha256(half)}
    write_manifest(half, type(manifest)(**sealed))
    whole = plain.SerializeToString()
    onnx.save(  # which takes the data out of what is saved
        plain,
        folder / "external.onnx",
        save_as_external_data=True,
        location="external.data",
        size_threshold=0,
    )
    data = (folder / "external.data").read_bytes()
    return [
        Base("small.onnx", small.SerializeToString(), {}),
        Base("plain.onnx", whole, {}),
        Base("half.onnx", half.SerializeToString(), {}),
        Base("shipped.onnx", shipped.SerializeToString(), {}),
        Base("half_ports.onnx", half_ports.SerializeToString(), {}),
        Base("external.onnx", (folder / "external.onnx").read_bytes(), {"external.data": data}),
        Base("fixed.onnx", fixed.read_bytes(), {}),
    ]


def _ramp(channels: int) -> Any:
    rows, columns = np.indices(_SIZE)
    layers = [rows * (channel + 1) + columns * (4 - channel) for channel in range(channels)]
    grain = np.random.default_rng(channels).integers(0, 24, (*_SIZE, channels))
    return ((np.stack(layers, axis=2) + grain) % 256).astype(np.uint8)


def _tiff(pages: list[Any], **options: Any) -> bytes:
    target = io.BytesIO()
    with tifffile.TiffWriter(target) as writer:
        for pixels in pages:
            kind = "rgb" if pixels.ndim == 3 else "minisblack"
            writer.write(pixels, photometric=kind, metadata=None, datetime=False, **options)
    return target.getvalue()


def _heic(pixels: Any) -> bytes:
    file = pillow_heif.from_bytes("RGB", pixels.shape[1::-1], pixels.tobytes())
    target = io.BytesIO()
    file.save(target, quality=80)
    return target.getvalue()
