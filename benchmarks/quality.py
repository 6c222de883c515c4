"""How good a luma model is: PSNR against bicubic, clean and after H.264."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from data_option import add_data_option
from numpy.typing import NDArray
from PIL import Image
from results_file import write
from rich.console import Console
from rich.table import Table

from restore_rt import zoo
from restore_rt.manifest import parameter_count, read_manifest
from restore_rt.training.colour import luma
from restore_rt.training.degradations import degrade, drifting, parse_spec, whole
from restore_rt.training.evaluation import generator_for
from restore_rt.training.metrics import psnr
from restore_rt.training.pictures import find_pictures, read_rgb

MODEL = "video-x2"
SETS = ("Set5", "Set14", "BSD100")
CRF = 28
FRAMES = 16
H264 = f"reduce,h264:{CRF}:preset=medium:luma=yes"
# What happens to the images, and the length of the clip that each becomes.
INPUTS = {"clean": ("reduce", 1), "h264_clip": (H264, FRAMES), "h264_frame": (H264, 1)}
Plane = NDArray[np.float32]


def main() -> None:
    """Measure, print a table, write ``quality_NAME.json``, named after the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_data_option(parser, "test/sr/Set5")
    parser.add_argument("--model", type=Path, help=f"an ONNX file; default: the shipped {MODEL}")
    parser.add_argument("--dry-run", action="store_true", help="print the table, write nothing")
    options = parser.parse_args()
    path = options.model or zoo.path_of(MODEL)
    model = onnx.load(path)
    manifest = read_manifest(model)
    if manifest is None or manifest.colour != "luma":
        parser.error(f"{path} is no luma model with a manifest")
    scale = manifest.scale
    candidates: dict[str, Callable[[Plane], Plane]] = {
        "bicubic": lambda plane: _bicubic(plane, scale),
        manifest.name: _network(path),
    }
    sets = {}
    for name in SETS:
        folder = options.data / "test" / "sr" / name
        rows = {
            label: {
                who: _measure(restore, folder, scale, spec, frames)
                for who, restore in candidates.items()
            }
            for label, (spec, frames) in INPUTS.items()
        }
        sets[name] = {"images": len(find_pictures(folder)), **rows}
    _print(sets, manifest.name)
    if not options.dry_run:
        record = {
            "what": (
                f"PSNR in dB on BT.601 luma, x{scale}, {scale} pixels shaved, inputs by Pillow's "
                f"bicubic in RGB; through x264 medium at CRF {CRF}: h264_clip as {FRAMES} frames "
                "of a camera that drifts over the still, h264_frame as a single frame"
            ),
            "model": {"name": manifest.name, "version": manifest.version},
            "weights_sha256": manifest.sha256,
            "parameters": parameter_count(model),
            "sets": sets,
        }
        print(f"written: {write(f'quality_{manifest.name}', record)}")


def _network(path: Path) -> Callable[[Plane], Plane]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def restore(plane: Plane) -> Plane:
        (out,) = session.run(["y"], {"x": plane[None, None] / np.float32(255)})
        restored: Plane = np.asarray(out, np.float32)[0, 0] * np.float32(255)
        return restored

    return restore


def _bicubic(plane: Plane, scale: int) -> Plane:
    size = (plane.shape[1] * scale, plane.shape[0] * scale)
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC))


def _measure(
    restore: Callable[[Plane], Plane], folder: Path, scale: int, spec: str, frames: int
) -> float:
    """Mean PSNR in dB over the images, of an image over its frames."""
    scores = [
        statistics.fmean(
            # What leaves a restorer is 8 bit, so out-of-range values do not count against it.
            psnr(np.clip(restore(plane), 0, 255), original, shave=scale)
            for plane, original in _pairs(file, scale, spec, frames)
        )
        for file in find_pictures(folder)
    ]
    return round(statistics.fmean(scores), 3)


def _pairs(file: Path, scale: int, spec: str, frames: int) -> Iterator[tuple[Plane, Plane]]:
    """Damaged luma and the original's, as a decoder hands it to a luma model: never RGB between."""
    rng = generator_for(file)
    rgb = read_rgb(file)
    clip = drifting(rgb, frames, rng) if frames > 1 else [rgb]
    originals = [whole(original, scale) for original in clip]
    damaged = degrade(parse_spec(spec), originals, rng, scale=scale)
    for frame, original in zip(damaged, originals, strict=True):
        plane = luma(frame) if frame.ndim == 3 else frame.astype(np.float32)
        yield plane, luma(original)


def _print(sets: dict[str, dict[str, object]], name: str) -> None:
    table = Table("set", "images", "input", "bicubic", name, title="PSNR on luma, dB")
    for label, rows in sets.items():
        for kind in INPUTS:
            figures = rows[kind]
            assert isinstance(figures, dict)
            cells = (f"{value:.2f}" for value in figures.values())
            table.add_row(label, str(rows["images"]), kind, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
