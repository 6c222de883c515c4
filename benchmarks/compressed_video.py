"""How models restore clips that were compressed: PSNR, VMAF, NIQE and flicker on luma, in pairs.

Each clip is reduced to half by bicubic, encoded by x264 (preset medium) once for each CRF, and
restored by every model. Differences to one of the models are taken clip by clip. Filmed, rendered
and screen content stand apart; the last comes from one recording that was compressed before.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import harness
from other_weights import OTHERS, open_other
from tables import Found, cells, render

from restore_rt.training.data.clips import is_clip, read_clip
from restore_rt.training.evaluation import ORIGINAL, Candidate, Sheet, baselines, open_models
from restore_rt.training.evaluation.compressed import RESAMPLES, measure, summary

# Clips that were rendered are told apart from filmed ones by what their names begin with.
RENDERED = ("sintel",)
# A screen, from where the pointer moves: it begins with a title that stands still.
SCREEN, SCREEN_FROM = "video_held/gnome_launching_applications.webm", 150


class Source(NamedTuple):
    """A clip's file, the number of the frame that it begins with, and its kind."""

    path: Path
    first: int
    kind: str


def main() -> None:
    """Measure the models that are named, print the means and write JSON."""
    parser = harness.options(__doc__, threads=1, data="test/video_raw, test/video_held and weights")
    told = f"names, files, or others' networks ({', '.join(OTHERS)})"
    parser.add_argument("models", nargs="+", help=told)
    parser.add_argument("--base", help="the model that is compared with; default: the first")
    parser.add_argument("--name", default="compressed_video", help="of the file that is written")
    parser.add_argument("--clips", type=int, help="at most so many of each kind")
    parser.add_argument("--frames", type=int, default=40, help="of a clip, at most")
    parser.add_argument("--sheet", type=Path, help="a .png or .webp to draw of what moves")
    chosen = parser.parse_args()
    sources = list(found(chosen.data / "test", chosen.clips))
    if not sources:
        parser.error(f"{chosen.data} has no test/video_raw with clips; name the folder that has")
    sheet = Sheet(animated=chosen.sheet.suffix == ".webp") if chosen.sheet else None
    rows: list[dict[str, Any]] = []
    with contextlib.ExitStack() as stack:
        ours = [name for name in chosen.models if name not in OTHERS]
        loaded = stack.enter_context(open_models(ours, threads=chosen.threads)) if ours else []
        queue = iter(loaded)
        models = [
            other(name, chosen.data / "weights", chosen.threads) if name in OTHERS else next(queue)
            for name in chosen.models
        ]
        # Bicubic, which the field compares with.
        candidates = [*models, baselines(2)[0]]
        names = [each.name for each in candidates]
        base = chosen.base or names[0]
        if base not in names:
            parser.error(f"--base is {base}; it must be one of {', '.join(names)}")
        for path, first, kind in sources:
            frames = [*read_clip(path, first + chosen.frames)[first:]]
            measured = measure(path.stem, frames, candidates, sheet=sheet)
            # NIQE says nothing of drawings.
            left_out = {"niqe"} if kind == "screen" else set()
            rows += [
                {key: row[key] for key in row if key not in left_out} | {"kind": kind}
                for row in measured
            ]
            print(f"{path.stem}: {len(frames)} frames", flush=True)
        described = {each.name: each.details for each in models}
    entries = list(summary(rows, [*names, ORIGINAL], base))
    what = (
        f"luma of 8-bit clips of at most {chosen.frames} frames, reduced to half by bicubic, x264 "
        "medium, restored; means over a clip's frames; VMAF, VMAF-NEG and flicker of the clip; "
        f"intervals: 95 %, {RESAMPLES} resamples of the clips"
    )
    record = {"what": what, "base": base, "models": described, "summary": entries, "clips": rows}
    harness.write(chosen.name, record, alone=True)
    if sheet is not None:
        sheet.save(chosen.sheet, list(sheet.strips))
    shown = [{**entry, **cells(entry)} for entry in entries]
    print(render("compressed_video", Found({f"Compared with {base}": shown})))


def found(folder: Path, most: int | None) -> Iterator[Source]:
    """Return the clips that are there, natural ones first."""
    raw = folder / "video_raw"
    clips = [path for path in sorted(raw.iterdir()) if is_clip(path)] if raw.is_dir() else []
    rendered = [path for path in clips if path.stem.startswith(RENDERED)]
    yield from (
        Source(path, 0, "natural") for path in [p for p in clips if p not in rendered][:most]
    )
    yield from (Source(path, 0, "rendered") for path in rendered[:most])
    if (folder / SCREEN).is_file():
        yield Source(folder / SCREEN, SCREEN_FROM, "screen")


def other(name: str, weights: Path, threads: int) -> Candidate:
    """Open a network of others; what it is made for is RGB, or luma of full range made of it."""
    try:
        opened = open_other(name, weights, threads)
    except harness.Unavailable as reason:
        raise SystemExit(f"{name} cannot be run: {reason}") from reason
    details = {"colour": opened.colour, "runs_on": opened.runs_in}
    restore, scale = opened.restore, opened.scale
    return Candidate(name=name, restore=restore, scale=scale, takes="rgb", details=details)


if __name__ == "__main__":
    main()
