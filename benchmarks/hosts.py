"""One network and clip in VapourSynth: through restore_rt and through vs-mlrt's two CPU plugins.

Needs Python 3.12: ``pip install '.[video,vapoursynth]' vapoursynth-mlrt-ort vapoursynth-mlrt-ov``.
The plugins take 32-bit floats, so that each of their scripts has the conversions that a user needs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import av
import numpy as np
import vapoursynth as vs
from harness import ROOT, check, interleaved, milliseconds, model_entry, options, write

from restore_rt.model.registry import path_of
from restore_rt.vapoursynth import restore

MODEL = "video-x2"
F32 = {"INFERENCE_PRECISION_HINT": "f32"}
# How far from our fp32 a sample of 8 bits may be, of which rounding is 1.
ALLOWED = {"fp32": 1, "bf16": 24}


def main() -> None:
    """Verify each engine's first frame, time all in turn, and write out/benchmarks/hosts.json."""
    parser = options(__doc__, runs=5, threads=2)
    parser.add_argument("--frames", type=int, default=6, help="frames of a timed run")
    given = parser.parse_args()
    vs.core.num_threads = given.threads
    cases = {
        name: measure(getattr(vs, name), given.threads, given.runs, given.frames)
        for name in ("GRAY8", "YUV420P8")
    }
    write(
        "hosts",
        {"model": model_entry(MODEL), "size": [640, 360], **vars(given), "cases": cases},
        alone=True,
    )


def measure(layout: int, threads: int, runs: int, frames: int) -> dict[str, Any]:
    """Return wall and CPU time for a frame, and the largest difference, of each engine."""
    clip = panels(layout, (runs + 1) * frames + 1)
    engines = open_all(clip, threads)
    expected = first(engines["restore_rt fp32"])
    off = {
        name: check(name, first(made), expected, ALLOWED[name[-4:]])
        for name, made in engines.items()
    }
    cpu: dict[str, list[float]] = {name: [] for name in engines}
    # No frame is asked for twice: VapourSynth might have kept it.
    begins = {name: iter(range(1, clip.num_frames, frames)) for name in engines}

    def step(name: str) -> None:
        begin, before = next(begins[name]), time.process_time()
        for _ in engines[name][begin : begin + frames].frames(prefetch=2 * threads):
            pass
        cpu[name].append((time.process_time() - before) / frames)

    seconds = interleaved({name: partial(step, name) for name in engines}, runs)
    result: dict[str, Any] = {}
    for name, taken in seconds.items():
        wall = milliseconds([each / frames for each in taken])
        fps = round(1e3 / wall["median"], 2)
        # The first run does not count.
        result[name] = {"fps": fps, "wall_ms": wall, "cpu_ms": milliseconds(cpu[name][1:])}
        result[name]["most_off"] = off[name]
        print(f"{name}: {fps} fps, {result[name]['cpu_ms']['median']} ms of CPU", flush=True)
    return result


def open_all(clip: Any, threads: int) -> dict[str, Any]:
    """Return the enlarged clip of each engine."""
    made = {
        "restore_rt fp32": restore(clip, MODEL, threads=threads, device="cpu"),
        "restore_rt bf16": restore(clip, MODEL, threads=threads, precision="bf16"),
    }
    path = str(path_of(MODEL))
    for name, plugin, config in (
        ("ort fp32", vs.core.ort.Model, {}),
        ("ov fp32", vs.core.ov.Model, {"config": lambda: F32}),
        # What OpenVINO chooses by itself where the CPU has bf16.
        ("ov bf16", vs.core.ov.Model, {}),
    ):
        # One stream is slower in both.
        run = partial(plugin, network_path=path, num_streams=threads, **config)
        made[name] = by_plugin(clip, run)
    return made


def by_plugin(clip: Any, run: Any) -> Any:
    """Restore luma by a plugin, and enlarge chroma as our script does."""
    std = vs.core.std
    luma = std.Expr(std.ShufflePlanes(clip, 0, vs.GRAY), "x 255 /", vs.GRAYS)
    luma = std.Expr(run([luma]), "x 255 *", vs.GRAY8)
    if clip.format.id == vs.GRAY8:
        return luma
    chroma = [
        # The same kernel as ours; its first sample, on the left, stays where it is.
        vs.core.resize.Bicubic(
            part,
            part.width * 2,
            part.height * 2,
            filter_param_a=0,
            filter_param_b=0.5,
            src_left=0.125,
        )
        for part in (std.ShufflePlanes(clip, plane, vs.GRAY) for plane in (1, 2))
    ]
    return std.ShufflePlanes([luma, *chroma], [0, 0, 0], vs.YUV)


def panels(layout: int, length: int) -> Any:
    """Return the demo's clip, again and again, from memory."""
    with av.open(str(ROOT / "examples" / "panels.mp4")) as container:
        pictures = list(decoded(container))
    blank = vs.core.std.BlankClip(
        width=640, height=360, format=layout, length=length, fpsnum=24, fpsden=1, keep=True
    )

    def fill(n: int, f: Any) -> Any:
        made = f.copy()
        for out, plane in zip(made, pictures[n % len(pictures)], strict=False):
            np.asarray(out)[...] = plane
        return made

    return vs.core.std.ModifyFrame(blank, blank, fill)


def decoded(container: Any) -> Iterator[list[Any]]:
    """Yield the planes of the first 48 frames."""
    for frame, _ in zip(container.decode(video=0), range(48), strict=False):
        yield [
            np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width].copy()
            for plane in frame.planes
        ]


def first(clip: Any) -> Any:
    """Return the luma of a clip's first frame."""
    return np.array(clip.get_frame(0)[0])


if __name__ == "__main__":
    main()
