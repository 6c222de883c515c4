"""What it gains to copy what a decoder returns as in the frame before, in whole videos.

A drawn clip of which each drawing is held for three frames, without loss and as H.264 (CRF 20), and
the same with grain, where nothing is copied: 640x360, by `restore_video` with x264's preset
ultrafast, in turn with and without copying. The results must be the same.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import harness
import numpy as np

import restore_rt
from restore_rt import Restorer
from restore_rt.video import restore_video

DRAWN = "test/video_held/run_cycles_on_threes.mp4"
SIZE = (640, 360)
HELD, FRAMES = 3, 108
CLIPS = {
    "lossless": ("ffv1", {}, 0.0),
    "h264": ("libx264", {"crf": "20", "preset": "medium"}, 0.0),
    "grain": ("ffv1", {}, 3.0),
}


class Watched:
    """A restorer whose results are hashed; copying can be taken from it."""

    def __init__(self, restorer: Restorer, *, copies: bool) -> None:
        self.digest = hashlib.sha256()
        self._restorer, self._copies = restorer, copies

    def __getattr__(self, name: str) -> Any:
        return getattr(self._restorer, name)

    def stream_into(self, items: Any, *, stages: Any, reuse: Any) -> Iterator[tuple[Any, Any]]:
        """Restore frames."""
        given = reuse if self._copies else None
        for carried, result in self._restorer.stream_into(items, stages=stages, reuse=given):
            for plane in () if result is None else result.arrays:
                self.digest.update(np.ascontiguousarray(plane).data)
            yield carried, result


def main() -> None:
    """Measure, print and write JSON."""
    parser = harness.options(__doc__, runs=5, data=DRAWN)
    parser.add_argument("--models", nargs="+", default=["video-x2", "video-x2-fast"])
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for clip, (codec, options, grain) in CLIPS.items():
            path = Path(folder) / f"{clip}.mkv"
            make_clip(chosen.data / DRAWN, path, codec, options, grain)
            for model in chosen.models:
                with restore_rt.load(model, threads=chosen.threads) as restorer:
                    row = {"clip": clip, "model": harness.model_entry(model)}
                    rows.append(row | measured(restorer, path, chosen.runs))
                print(rows[-1], flush=True)
    what = "videos by x264's preset ultrafast, with and without copying"
    harness.write("held", {"what": what, "threads": chosen.threads, "rows": rows}, alone=True)


def make_clip(source: Path, path: Path, codec: str, options: dict[str, str], grain: float) -> None:
    """Write a clip of which each picture is held."""
    rng = np.random.default_rng(0)
    with av.open(str(source)) as drawn:
        pictures = [picture.reformat(*SIZE, "yuv420p") for picture in drawn.decode(video=0)]
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream(codec, rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for index in range(FRAMES):
            samples = pictures[index // HELD * HELD % len(pictures)].to_ndarray().astype(float)
            noisy = samples + rng.normal(0, 1, samples.shape) * grain
            frame = av.VideoFrame.from_ndarray(
                np.rint(noisy.clip(0, 255)).astype(np.uint8), "yuv420p"
            )
            frame.pts, frame.time_base = index, Fraction(1, 24)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def measured(restorer: Restorer, path: Path, runs: int) -> dict[str, Any]:
    """Restore a clip in turn with and without copying."""
    digests, computed = set(), 1.0

    def once(copies: bool) -> None:
        nonlocal computed
        watched: Any = Watched(restorer, copies=copies)
        target = path.with_name("out.mkv")
        report = restore_video(path, target, watched, preset="ultrafast", overwrite=True)
        assert report.frames == FRAMES
        digests.add(watched.digest.hexdigest())
        computed = min(computed, report.computed)

    clock, cpu = time.perf_counter, time.process_time
    seconds: dict[str, list[tuple[float, float]]] = {"copied": [], "all computed": []}
    for turn in range(runs + 1):
        for name in seconds if turn % 2 else reversed(seconds):
            begin = clock(), cpu()
            once(name == "copied")
            if turn:
                seconds[name].append((clock() - begin[0], cpu() - begin[1]))
    if len(digests) != 1:
        raise SystemExit(f"{path.stem}: the results differ")
    fps = {
        name: round(FRAMES / float(np.median([wall for wall, _ in some])), 2)
        for name, some in seconds.items()
    }
    return {
        "computed": round(computed, 4),
        "frames_per_second": fps,
        "quotient": round(fps["copied"] / fps["all computed"], 3),
        "cpu_ms_per_frame": {
            name: round(float(np.median([busy for _, busy in some])) * 1e3 / FRAMES, 2)
            for name, some in seconds.items()
        },
        "runs": runs,
    }


if __name__ == "__main__":
    main()
