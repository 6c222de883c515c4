"""How a network enlarges the chroma of compressed clips, beside bicubic: PSNR and time.

Each clip's planes are reduced to half by bicubic, with chroma on the left luma samples before and
after, encoded by x264 (preset medium) once for each CRF, and enlarged by a luma model with both
kinds of chroma. Time is the CPU's of one thread, so that other work on the machine counts little.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import harness
import numpy as np
import onnx
from compressed_video import RENDERED
from numpy.typing import NDArray
from PIL import Image
from tables import Found, render

import restore_rt
from restore_rt import Planes, Restorer
from restore_rt.model.manifest import read_manifest
from restore_rt.model.registry import chroma_path
from restore_rt.training.data.chroma import chroma_of, i420_of
from restore_rt.training.data.clips import is_clip
from restore_rt.training.degradations.video import Coding, encoded_i420
from restore_rt.training.evaluation.compressed import difference
from restore_rt.training.metrics.fidelity import psnr

U8 = NDArray[np.uint8]
MODEL = "video-x2"
# None is the reduced clip itself.
CRFS = (None, 12, 18, 24, 32, 38)
# Samples around a plane, so that a filter finds the edge repeated.
MARGIN = 8
SIZE = (360, 640)


def main() -> None:
    """Measure, print the means and write JSON."""
    parser = harness.options(__doc__, runs=25, data="test/video_raw")
    parser.add_argument("--chroma", default="network", help="network, or a file")
    parser.add_argument("--clips", type=int, help="at most so many")
    chosen = parser.parse_args()
    folder = chosen.data / "test" / "video_raw"
    clips = [path for path in sorted(folder.iterdir()) if is_clip(path)][: chosen.clips]
    kinds = ("bicubic", chosen.chroma)
    restorers = [
        restore_rt.load(MODEL, backend="native", device="cpu", threads=1, chroma=kind)
        for kind in kinds
    ]
    rows = [row for path in clips for row in measured(path, restorers)]
    entries = list(summary(rows))
    record = {
        "what": "mean PSNR of Cb and Cr, dB, over the frames of a clip; intervals: 95 %",
        "model": harness.model_entry(MODEL),
        "network": network_entry(chosen.chroma),
        "summary": entries,
        "milliseconds": timed(restorers, chosen.runs),
        "size": SIZE,
        "clips": rows,
    }
    harness.write("chroma", record, alone=True)
    print(render("chroma", Found({f"{MODEL}, chroma by a network and by bicubic": entries})))
    print(record["milliseconds"])


def network_entry(chosen: str) -> dict[str, Any]:
    """Return which version of the network was measured."""
    path = chroma_path() if chosen == "network" else Path(chosen)
    manifest = read_manifest(onnx.load(path))
    assert manifest is not None
    return {"name": manifest.name, "version": manifest.version, "sha256": manifest.sha256}


def measured(path: Path, restorers: Sequence[Restorer]) -> Iterator[dict[str, Any]]:
    """Measure a clip with every CRF."""
    frames = read_i420(path)
    reduced = [halved(frame) for frame in frames]
    for crf in CRFS:
        coding = Coding(crf=crf or 0, preset="medium")
        coded = reduced if crf is None else encoded_i420(reduced, coding)
        values = [
            [_psnr(restorer(planes_of(half)), frame) for restorer in restorers]
            for half, frame in zip(coded, frames, strict=True)
        ]
        bicubic, network = np.mean(values, 0)
        yield {
            "clip": path.stem,
            "kind": "rendered" if path.stem.startswith(RENDERED) else "natural",
            "crf": crf,
            "bicubic": float(bicubic),
            "network": float(network),
        }


def _psnr(made: Planes, original: U8) -> float:
    assert made.cb is not None
    assert made.cr is not None
    wanted = chroma_of(original)
    return float(np.mean([psnr(a, b) for a, b in zip((made.cb, made.cr), wanted, strict=True)]))


def read_i420(path: Path) -> list[U8]:
    """Read a clip as I420 of 8 bits: 4:2:0 as it is, 10 bits rounded, all else from its RGB.

    Sides are cut at their ends to multiples of 4.
    """
    frames: list[U8] = []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0]):
            height, width = (side - side % 4 for side in (frame.height, frame.width))
            if frame.format.name not in ("yuv420p", "yuv420p10le"):
                rgb = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                frames.append(i420_of(rgb[:height, :width]))
                continue
            samples: NDArray[Any] = np.asarray(frame.to_ndarray())
            if samples.dtype == np.uint16:
                samples = np.minimum((samples + 2) >> 2, 255)
            i420 = samples.astype(np.uint8)
            chroma = (plane[: height // 2, : width // 2] for plane in chroma_of(i420))
            frames.append(_joined(i420[:height, :width], *chroma))
    return frames


def _joined(y: U8, cb: U8, cr: U8) -> U8:
    return np.concatenate([plane.ravel() for plane in (y, cb, cr)]).reshape(-1, y.shape[1])


def planes_of(i420: U8) -> Planes:
    """Return the planes of I420."""
    cb, cr = chroma_of(i420)
    return Planes(i420[: i420.shape[0] * 2 // 3], cb, cr)


def halved(i420: U8) -> U8:
    """Reduce I420 to half by bicubic; chroma stays on the left luma samples."""
    planes = planes_of(i420)
    assert planes.cb is not None
    assert planes.cr is not None
    return _joined(_half(planes.y, 0.5), *(_half(plane, 0.25) for plane in (planes.cb, planes.cr)))


def _half(plane: U8, phase: float) -> U8:
    height, width = (side // 2 for side in plane.shape)
    padded = Image.fromarray(np.pad(plane, MARGIN, "edge"))
    # A sample j of the result lies at 2 (j + phase) - phase of the plane, across.
    left = MARGIN - (0.5 - phase)
    box = (left, MARGIN, left + 2 * width, MARGIN + 2 * height)
    return np.asarray(padded.resize((width, height), Image.Resampling.BICUBIC, box=box), np.uint8)


def timed(restorers: Sequence[Restorer], runs: int) -> dict[str, Any]:
    """Time frames in turn, and return the least that each took, and the quotient."""
    rng = np.random.default_rng(0)
    height, width = SIZE
    y, cb, cr = (
        rng.integers(0, 256, shape, np.uint8)
        for shape in (SIZE, (height // 2, width // 2), (height // 2, width // 2))
    )
    frame = Planes(y, cb, cr)
    out = frame.empty_like(restorers[0].scale)
    seconds: list[list[float]] = [[] for _ in restorers]
    for turn, (each, restorer) in itertools.product(range(runs + 1), enumerate(restorers)):
        begin = time.process_time()
        restorer(frame, out=out)
        if turn:
            seconds[each].append(time.process_time() - begin)
    bicubic, network = (min(some) * 1e3 for some in seconds)
    return {"bicubic": bicubic, "network": network, "quotient": network / bicubic, "runs": runs}


def summary(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Average over the clips of a kind, with paired differences."""
    for kind, crf in itertools.product(sorted({row["kind"] for row in rows}), CRFS):
        these = [row for row in rows if (row["kind"], row["crf"]) == (kind, crf)]
        bicubic, network = (
            np.array([row[name] for row in these]) for name in ("bicubic", "network")
        )
        found = difference(network - bicubic)
        yield {
            "kind": kind,
            "crf": crf,
            "clips": len(these),
            "bicubic": float(bicubic.mean()),
            "network": float(network.mean()),
            **found,
            "interval": [found["low"], found["high"]],
        }


if __name__ == "__main__":
    main()
