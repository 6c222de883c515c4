"""What decoding, copying and delivery cost around the network: a pipeline without an encoder.

Each clip is restored by `restore_rt.video.Pipeline`, and its frames, decoded beforehand, by the
model's own stream, in turn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import harness
import numpy as np

import restore_rt
from restore_rt import Planes
from restore_rt.video import Pipeline

CLIPS = ("examples/panels.mp4", "out/benchmarks/panels_960x540.mp4")


def main() -> None:
    """Measure, print and write JSON."""
    parser = harness.options(__doc__, runs=5, threads=2)
    parser.add_argument("--clips", nargs="+", type=Path, default=[Path(name) for name in CLIPS])
    parser.add_argument("--model", default="video-x2")
    parser.add_argument("--precision", default="fp32")
    chosen = parser.parse_args()
    rows = []
    for clip in chosen.clips:
        frames = decoded(clip)
        with restore_rt.load(
            chosen.model, precision=chosen.precision, threads=chosen.threads
        ) as restorer:

            def alone(restorer: Any = restorer, frames: Any = frames) -> None:
                assert sum(1 for _ in restorer.stream(iter(frames))) == len(frames)

            def pipeline(restorer: Any = restorer, clip: Path = clip, frames: Any = frames) -> None:
                with Pipeline(clip, restorer) as restored:
                    assert sum(1 for _ in restored) == len(frames)

            seconds = harness.interleaved(
                {"network alone": alone, "pipeline": pipeline}, chosen.runs, threads=chosen.threads
            )
        row: dict[str, Any] = {
            "clip": clip.name,
            "size": [*frames[0].y.shape[::-1]],
            "frames": len(frames),
        }
        for name, some in seconds.items():
            row[name] = harness.milliseconds([each / len(frames) for each in some])
        row["quotient"] = round(row["pipeline"]["median"] / row["network alone"]["median"], 3)
        rows.append(row)
        print(row, flush=True)
    what = {"precision": chosen.precision, "threads": chosen.threads, "unit": "ms per frame"}
    model = harness.model_entry(chosen.model)
    harness.write("pipeline", {"model": model, **what, "rows": rows}, alone=True)


def decoded(clip: Path) -> list[Planes]:
    """Return all frames of a clip of 4:2:0 with 8 bits."""
    frames = []
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            if frame.format.name != "yuv420p":
                raise SystemExit(f"{clip} is {frame.format.name}; give a clip of yuv420p")
            planes = (
                np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width].copy()  # type: ignore[call-overload]
                for plane in frame.planes
            )
            frames.append(Planes(*planes))
    return frames


if __name__ == "__main__":
    main()
