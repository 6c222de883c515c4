"""How models restore clips that were compressed: PSNR, VMAF and VMAF-NEG on luma, in pairs.

Each clip is reduced to half by bicubic, encoded by x264 (preset medium) once for each CRF, and
restored by every model. Differences to the first model are taken clip by clip.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import harness
import numpy as np
from numpy.typing import NDArray
from tables import Found, render

from restore_rt.training.data.clips import is_clip, read_clip
from restore_rt.training.degradations.motion import whole
from restore_rt.training.degradations.resizing import resized
from restore_rt.training.degradations.video import Coding, encoded_frames, luma_of
from restore_rt.training.evaluation.candidates import baselines, open_models
from restore_rt.training.metrics.clips import vmaf
from restore_rt.training.metrics.fidelity import psnr

U8 = NDArray[np.uint8]
SCALE = 2
CRFS = (24, 32, 38)
METRICS = ("psnr_y", "vmaf", "vmaf_neg")
# Clips that were rendered are told apart from filmed ones by what their names begin with.
RENDERED = ("sintel",)
RESAMPLES = 10_000


def main() -> None:
    """Measure the models that are named, print the means and write JSON."""
    parser = harness.options(__doc__, threads=1, data="test/video_raw")
    parser.add_argument("models", nargs="+", help="names or files; the first is compared with")
    parser.add_argument("--name", default="compressed_video", help="of the file that is written")
    parser.add_argument("--clips", type=int, help="at most so many")
    chosen = parser.parse_args()
    folder = chosen.data / "test" / "video_raw"
    clips = [path for path in sorted(folder.iterdir()) if is_clip(path)][: chosen.clips]
    if not clips:
        parser.error(f"{folder} has no clips; give the folder that holds test/video_raw")
    with open_models(chosen.models, threads=chosen.threads, scale=None) as models:
        # Bicubic, which the field compares with.
        candidates = [*models, baselines(SCALE)[0]]
        described = {each.name: each.details for each in models}
        rows = [row for path in clips for row in measured(path, candidates)]
    entries = list(summary(rows, [each.name for each in candidates]))
    what = (
        "luma of 8-bit clips, reduced to half by bicubic, x264 medium, restored; means over a "
        f"clip's frames; intervals: 95 %, {RESAMPLES} resamples of the clips"
    )
    record = {"what": what, "models": described, "summary": entries, "clips": rows}
    harness.write(chosen.name, record, alone=True)
    for value in (entry[metric] for entry in entries for metric in METRICS):
        value["interval"] = [value["low"], value["high"]] if "low" in value else None
    print(render("compressed_video", Found({f"Compared with {candidates[0].name}": entries})))


def measured(path: Path, candidates: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """Measure a clip with every CRF and candidate."""
    originals = [whole(frame, 2 * SCALE) for frame in read_clip(path)]
    # Through 4:2:0 as an encoder is given it, so that luma is that of the source.
    truth = [luma_of(frame) for frame in _planar(originals)]
    height, width = (size // SCALE for size in truth[0].shape)
    reduced = [resized(frame, height, width, "bicubic") for frame in originals]
    for crf in CRFS:
        coded = [luma_of(f) for f in encoded_frames(reduced, Coding(crf=crf, preset="medium"))]
        for each in candidates:
            restored = [each.restore(frame) for frame in coded]
            values = [psnr(a, b) for a, b in zip(restored, truth, strict=True)]
            yield {
                "clip": path.stem,
                "kind": "rendered" if path.stem.startswith(RENDERED) else "natural",
                "crf": crf,
                "model": each.name,
                "psnr_y": float(np.mean(values)),
                **vmaf(restored, truth),
            }


def _planar(frames: Sequence[U8]) -> list[av.VideoFrame]:
    return [
        av.VideoFrame.from_ndarray(frame).reformat(format="yuv420p", dst_colorspace="ITU601")
        for frame in frames
    ]


def summary(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Average over the clips of a kind, with paired differences to the first of `names`."""
    kinds = sorted({row["kind"] for row in rows})
    for kind, crf, name in itertools.product(kinds, CRFS, names):
        first, these = (
            [row for row in rows if (row["kind"], row["crf"], row["model"]) == (kind, crf, model)]
            for model in (names[0], name)
        )
        entry: dict[str, Any] = {"kind": kind, "crf": crf, "model": name, "clips": len(these)}
        for metric in METRICS:
            values, base = (np.array([row[metric] for row in each]) for each in (these, first))
            entry[metric] = {"mean": float(values.mean())}
            if name != names[0]:
                entry[metric] |= difference(values - base)
        yield entry


def difference(values: NDArray[np.float64]) -> dict[str, float]:
    """Return the mean of differences and its 95 % bootstrap interval over the clips."""
    rng = np.random.default_rng(1)
    means = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return {"difference": float(values.mean()), "low": float(low), "high": float(high)}


if __name__ == "__main__":
    main()
