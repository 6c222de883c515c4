"""The loop that one writes without restore_rt: decode, run a network in tiles, encode.

``commands.py`` runs each in a process of its own. The loops are good code of their kind: sessions
are opened once, buffers are kept, decoder and encoder have threads, and tiles share exactly the
pixels that the network looks at. Nothing of restore_rt is imported: its memory would count.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Takes and gives (1, C, H, W).
Network = Callable[[Floats], Floats]

SCALE = 2
ENGINES = ("onnxruntime", "ncnn", "lanczos", "opencv")


# The pixels that a tile reads along an axis, begin to end, and those that are kept of its result.
Window = tuple[int, int, int, int]


def main() -> None:
    """Restore a video or a picture, and print the seconds as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["video", "picture"])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--model", type=Path, help=".onnx, ncnn's .param, or OpenCV's .pb")
    parser.add_argument("--tile", type=int, default=0, help="0 is the whole frame")
    parser.add_argument("--context", type=int, default=0, help="pixels around those that are kept")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    files, threads = (chosen.source, chosen.target), chosen.threads
    begin = time.perf_counter()
    if chosen.engine == "lanczos":
        frames = scale_picture(*files)
    elif chosen.engine == "opencv":
        frames = superres_video(*files, chosen.model, threads)
    else:
        opener = open_onnxruntime if chosen.engine == "onnxruntime" else open_ncnn
        tiled = Tiled(opener(chosen.model, threads), chosen.tile, chosen.context)
        restore = restore_video if chosen.what == "video" else restore_picture
        frames = restore(*files, tiled, threads)
    print(json.dumps({"frames": frames, "seconds": time.perf_counter() - begin}))


def windows(length: int, tile: int, context: int) -> Iterator[Window]:
    """Cover an axis with tiles of at most ``tile`` pixels; a ``tile`` of 0 is one for all."""
    if tile == 0 or length <= tile:
        yield (0, length, 0, length)
        return
    step = tile - 2 * context
    if step < 1:
        raise ValueError(f"a tile of {tile} keeps nothing with a context of {context}")
    for first in range(0, length, step):
        last = min(first + step, length)
        yield (max(first - context, 0), min(last + context, length), first, last)


class Tiled:
    """A network on whole frames of bytes, (C, H, W), by tiles."""

    def __init__(self, network: Network, tile: int, context: int) -> None:
        self._network, self._tile, self._context = network, tile, context
        self._given = self._made = np.empty((0, 0, 0), np.float32)

    def run_into(self, out: NDArray[np.uint8], frame: NDArray[np.uint8]) -> None:
        """Restore ``frame`` into ``out``."""
        if self._given.shape != frame.shape:
            self._given = np.empty(frame.shape, np.float32)
            self._made = np.empty(out.shape, np.float32)
        np.multiply(frame, np.float32(1 / 255), out=self._given)
        for y in windows(frame.shape[1], self._tile, self._context):
            for x in windows(frame.shape[2], self._tile, self._context):
                tile = self._given[None, :, y[0] : y[1], x[0] : x[1]]
                made = self._network(np.ascontiguousarray(tile))
                (rows, kept_rows), (columns, kept_columns) = _slices(y), _slices(x)
                self._made[:, rows, columns] = made[0, :, kept_rows, kept_columns]
        to_bytes(out, self._made)


def _slices(window: Window) -> tuple[slice, slice]:
    """Return where a tile's result goes, and the part of it that does."""
    begin, _, first, last = (SCALE * each for each in window)
    return slice(first, last), slice(first - begin, last - begin)


def to_bytes(out: NDArray[np.uint8], values: Floats) -> None:
    """Write floats from 0 to 1 as bytes; the floats are overwritten."""
    np.multiply(values, np.float32(255), out=values)
    np.rint(values, out=values)
    np.clip(values, 0, 255, out=values)
    np.copyto(out, values, casting="unsafe")


def open_onnxruntime(model: Path, threads: int) -> Network:
    """Open a model in ONNX Runtime with its defaults."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(x: Floats) -> Floats:
        made: Floats = session.run(None, {name: x})[0]
        return made

    return run


def open_ncnn(
    param: Path, threads: int, *, bf16: bool = False, blobs: tuple[str, str] = ("in0", "out0")
) -> Network:
    """Open a model in ncnn; by default its input and output have the names that pnnx gives."""
    ncnn: Any = importlib.import_module("ncnn")
    net = ncnn.Net()
    net.opt.num_threads = threads
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = net.opt.use_bf16_packed = bf16
    if net.load_param(str(param)) or net.load_model(str(param.with_suffix(".bin"))):
        raise ValueError(f"ncnn cannot load {param}")

    def run(x: Floats) -> Floats:
        extractor = net.create_extractor()
        extractor.input(blobs[0], ncnn.Mat(x[0]))
        code, made = extractor.extract(blobs[1])
        if code:
            raise ValueError(f"ncnn failed with {code}")
        # A view that keeps its memory.
        found: Floats = made.numpy()[np.newaxis]
        return found

    return run


def restore_video(source: Path, target: Path, tiled: Tiled, threads: int) -> int:
    """Restore luma, enlarge chroma by Pillow, encode as restore-rt does by default."""
    import av
    from PIL import Image

    def enlarge(frame: Any) -> Any:
        larger = av.VideoFrame(SCALE * frame.width, SCALE * frame.height, "yuv420p")
        luma, *chroma = (plane_samples(plane) for plane in larger.planes)
        tiled.run_into(luma[None], plane_samples(frame.planes[0])[None])
        for plane, smaller in zip(chroma, frame.planes[1:], strict=True):
            picture = Image.fromarray(plane_samples(smaller))
            plane[...] = np.asarray(picture.resize(plane.shape[::-1], Image.Resampling.BICUBIC))
        larger.pts, larger.time_base = frame.pts, frame.time_base
        return larger

    return _transcode(source, target, threads, enlarge)


def superres_video(source: Path, target: Path, model: Path, threads: int) -> int:
    """Enlarge by OpenCV's dnn_superres with an FSRCNN; its frames are BGR."""
    import av

    cv2: Any = importlib.import_module("cv2")
    cv2.setNumThreads(threads)
    network = cv2.dnn_superres.DnnSuperResImpl_create()
    network.readModel(str(model))
    network.setModel("fsrcnn", SCALE)

    def enlarge(frame: Any) -> Any:
        made = network.upsample(frame.to_ndarray(format="bgr24"))
        larger = av.VideoFrame.from_ndarray(made, format="bgr24").reformat(format="yuv420p")
        larger.pts, larger.time_base = frame.pts, frame.time_base
        return larger

    return _transcode(source, target, threads, enlarge)


def _transcode(source: Path, target: Path, threads: int, enlarge: Callable[[Any], Any]) -> int:
    """Decode, enlarge and encode every frame with the options of restore-rt; copy the sound."""
    import av

    frames = 0
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        video = reader.streams.video[0]
        video.thread_type, video.thread_count = "AUTO", threads
        options = {"crf": "18", "preset": "veryfast"}
        encoder: Any = writer.add_stream("libx264", rate=video.average_rate, options=options)
        encoder.width, encoder.height = SCALE * video.width, SCALE * video.height
        encoder.pix_fmt, encoder.time_base = "yuv420p", video.time_base
        encoder.codec_context.time_base = video.time_base
        encoder.codec_context.thread_count = threads
        sound = reader.streams.audio[:1]
        copies = [writer.add_stream_from_template(each) for each in sound]
        for packet in reader.demux(video, *sound):
            if packet.stream is video:
                for frame in packet.decode():
                    writer.mux(encoder.encode(enlarge(frame)))
                    frames += 1
            elif packet.dts is not None:
                packet.stream = copies[0]
                writer.mux(packet)
        writer.mux(encoder.encode(None))
    return frames


def plane_samples(plane: Any) -> NDArray[np.uint8]:
    """Return a view of a plane's samples."""
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]


def restore_picture(source: Path, target: Path, tiled: Tiled, threads: int) -> int:
    """Restore an RGB picture."""
    from PIL import Image

    with Image.open(source) as picture:
        pixels = np.ascontiguousarray(np.asarray(picture.convert("RGB")).transpose(2, 0, 1))
    channels, height, width = pixels.shape
    out = np.empty((channels, SCALE * height, SCALE * width), np.uint8)
    tiled.run_into(out, pixels)
    Image.fromarray(np.ascontiguousarray(out.transpose(1, 2, 0))).save(target)
    return 1


def scale_picture(source: Path, target: Path) -> int:
    """Enlarge by Pillow, Lanczos."""
    from PIL import Image

    with Image.open(source) as picture:
        size = (SCALE * picture.width, SCALE * picture.height)
        picture.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(target)
    return 1


if __name__ == "__main__":
    main()
