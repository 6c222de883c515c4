"""What one writes without restore_rt: decode, a network in tiles of NumPy arrays, encode.

`systems.py` runs each of these in a process of its own, and says what it compares them with. It is
meant as good code of its kind: sessions are opened once, buffers are kept, decoder and encoder have
threads, tiles share as many pixels as the network looks at, and no more. It imports nothing of
restore_rt, whose memory would count.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Takes and gives (1, C, H, W).
Network = Callable[[Floats], Floats]

SCALE = 2
ENGINES = ("onnxruntime", "ncnn", "lanczos", "opencv")


class Window(NamedTuple):
    """What a tile reads along an axis, ``begin`` to ``end``, and what is kept of it."""

    begin: int
    end: int
    first: int
    last: int


def main() -> None:
    """Do what is asked, print how long it took as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["video", "picture"])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument(
        "--model", type=Path, help=".onnx, ncnn's .param with its .bin beside, or OpenCV's .pb"
    )
    parser.add_argument("--tile", type=int, default=0, help="0 is the whole frame")
    parser.add_argument("--context", type=int, default=0, help="pixels around what a tile keeps")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    begin = time.perf_counter()
    if options.engine == "lanczos":
        enlarge = scale_video if options.what == "video" else scale_picture
        frames = enlarge(options.source, options.target, options.threads)
    elif options.engine == "opencv":
        frames = superres_video(options.source, options.target, options.model, options.threads)
    else:
        opener = open_onnxruntime if options.engine == "onnxruntime" else open_ncnn
        tiled = Tiled(opener(options.model, options.threads), options.tile, options.context)
        restore = restore_video if options.what == "video" else restore_picture
        frames = restore(options.source, options.target, tiled, options.threads)
    print(json.dumps({"frames": frames, "seconds": time.perf_counter() - begin}))


def windows(length: int, tile: int, context: int) -> Iterator[Window]:
    """Cover an axis with tiles of at most ``tile`` pixels; a ``tile`` of 0 is one for all."""
    if tile == 0 or length <= tile:
        yield Window(0, length, 0, length)
        return
    step = tile - 2 * context
    if step < 1:
        raise ValueError(f"a tile of {tile} keeps nothing with a context of {context}")
    for first in range(0, length, step):
        last = min(first + step, length)
        yield Window(max(first - context, 0), min(last + context, length), first, last)


class Tiled:
    """A network on whole frames of bytes, (C, H, W), by tiles."""

    def __init__(self, network: Network, tile: int, context: int) -> None:
        self._network = network
        self._tile = tile
        self._context = context
        self._given = np.empty((0, 0, 0), np.float32)
        self._made = np.empty((0, 0, 0), np.float32)

    def run_into(self, out: NDArray[np.uint8], frame: NDArray[np.uint8]) -> None:
        """Restore ``frame`` into ``out``."""
        if self._given.shape != frame.shape:
            self._given = np.empty(frame.shape, np.float32)
            self._made = np.empty(out.shape, np.float32)
        np.multiply(frame, np.float32(1 / 255), out=self._given)
        _, height, width = frame.shape
        for rows in windows(height, self._tile, self._context):
            for columns in windows(width, self._tile, self._context):
                tile = self._given[None, :, rows.begin : rows.end, columns.begin : columns.end]
                made = self._network(np.ascontiguousarray(tile))
                self._made[:, _enlarged(rows), _enlarged(columns)] = made[
                    0, :, _kept(rows), _kept(columns)
                ]
        to_bytes(out, self._made)


def to_bytes(out: NDArray[np.uint8], values: Floats) -> None:
    """Make bytes of floats from 0 to 1, which are changed."""
    np.multiply(values, np.float32(255), out=values)
    np.rint(values, out=values)
    np.clip(values, 0, 255, out=values)
    np.copyto(out, values, casting="unsafe")


def _enlarged(window: Window) -> slice:
    return slice(window.first * SCALE, window.last * SCALE)


def _kept(window: Window) -> slice:
    return slice((window.first - window.begin) * SCALE, (window.last - window.begin) * SCALE)


def open_onnxruntime(model: Path, threads: int) -> Network:
    """Open a model in ONNX Runtime, all else as it comes."""
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
    """Open a model in ncnn, in fp32 or with values in bf16.

    By default its blobs, what goes in and what comes out, are called as pnnx calls them.
    """
    import importlib

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
        # A view, which keeps what it looks at.
        found: Floats = made.numpy()[np.newaxis]
        return found

    return run


def restore_video(source: Path, target: Path, tiled: Tiled, threads: int) -> int:
    """Restore luma, enlarge chroma as Pillow does, encode as restore-rt does by default."""
    import av
    from PIL import Image

    def enlarge(frame: Any) -> Any:
        larger = av.VideoFrame(SCALE * frame.width, SCALE * frame.height, "yuv420p")
        luma, *chroma = (plane_samples(plane) for plane in larger.planes)
        tiled.run_into(luma[None], plane_samples(frame.planes[0])[None])
        for plane, smaller in zip(chroma, frame.planes[1:], strict=True):
            size = (plane.shape[1], plane.shape[0])
            picture = Image.fromarray(plane_samples(smaller))
            plane[...] = np.asarray(picture.resize(size, Image.Resampling.BICUBIC))
        larger.pts, larger.time_base = frame.pts, frame.time_base
        return larger

    return _transcode(source, target, threads, lambda video: enlarge)


def scale_video(source: Path, target: Path, threads: int) -> int:
    """Enlarge by FFmpeg's scale filter, Lanczos."""
    import av

    def opened(video: Any) -> Callable[[Any], Any]:
        graph = av.filter.Graph()
        size = f"{SCALE * video.width}:{SCALE * video.height}:flags=lanczos"
        nodes = graph.add_buffer(template=video), graph.add("scale", size), graph.add("buffersink")
        graph.link_nodes(*nodes).configure()

        def enlarge(frame: Any) -> Any:
            graph.push(frame)
            return graph.pull()

        return enlarge

    return _transcode(source, target, threads, opened)


def superres_video(source: Path, target: Path, model: Path, threads: int) -> int:
    """Enlarge by OpenCV's dnn_superres, which takes and gives frames in BGR, with an FSRCNN."""
    import importlib

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

    return _transcode(source, target, threads, lambda video: enlarge)


def _transcode(
    source: Path, target: Path, threads: int, opened: Callable[[Any], Callable[[Any], Any]]
) -> int:
    """Decode, enlarge and encode every frame, and copy the sound; return how many frames.

    ``opened`` gives for the source's video what enlarges its frames.
    """
    import av

    frames = 0
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        video, encoder, (sound, copy) = _streams(reader, writer, threads)
        enlarge = opened(video)
        for packet in reader.demux(video, *([sound] if sound else [])):
            if packet.stream is video:
                for frame in packet.decode():
                    writer.mux(encoder.encode(enlarge(frame)))
                    frames += 1
            elif packet.dts is not None:
                packet.stream = copy
                writer.mux(packet)
        writer.mux(encoder.encode(None))
    return frames


def _streams(reader: Any, writer: Any, threads: int) -> tuple[Any, Any, tuple[Any, Any]]:
    """Return the clip's video, its encoder, and its sound with the copy of that, if there is any.

    The encoder's options are those of restore-rt's defaults.
    """
    video = reader.streams.video[0]
    video.thread_type, video.thread_count = "AUTO", threads
    options = {"crf": "18", "preset": "veryfast"}
    encoder = writer.add_stream("libx264", rate=video.average_rate, options=options)
    encoder.width, encoder.height = SCALE * video.width, SCALE * video.height
    encoder.pix_fmt, encoder.time_base = "yuv420p", video.time_base
    encoder.codec_context.time_base = video.time_base
    encoder.codec_context.thread_count = threads
    sound = reader.streams.audio[0] if reader.streams.audio else None
    return video, encoder, (sound, writer.add_stream_from_template(sound) if sound else None)


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


def scale_picture(source: Path, target: Path, threads: int) -> int:
    """Enlarge by Pillow, Lanczos."""
    from PIL import Image

    with Image.open(source) as picture:
        size = (SCALE * picture.width, SCALE * picture.height)
        picture.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(target)
    return 1


if __name__ == "__main__":
    main()
