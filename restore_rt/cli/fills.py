"""``restore-rt eval --inpaint``: how well holes are filled, beside the classical methods."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from restore_rt.cli.console import emit, explain, fail, note, progress, show_traceback
from restore_rt.errors import InputError
from restore_rt.files import whole_file
from restore_rt.wording import count_of

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["compare_fills"]


def compare_fills(
    models: Sequence[str],
    files: Sequence[Path],
    *,
    root: Path,
    limit: int | None,
    threads: int | None,
    json_file: Path | None,
    sheet_file: Path | None,
    images: int,
    overwrite: bool,
) -> int:
    """Fill drawn holes in each picture, print the means, and write what was asked for.

    Returns the exit code: 1 if a picture failed.
    """
    from restore_rt.training.evaluation import VIDEOS, Sheet, inpainting
    from restore_rt.training.evaluation.results import machine

    pictures = [path for path in files if path.suffix.lower() not in VIDEOS][:limit]
    if not pictures:
        raise InputError(f"--inpaint compares pictures, and {root} has none; give a folder of them")
    if sheet_file is not None and sheet_file.suffix.lower() != ".png":
        raise InputError(
            f"--sheet is {sheet_file}; pictures do not move: its name must end in .png"
        )
    classical, lacking = inpainting.classical_fillers()
    for reason in lacking:
        note(f"left out: {reason}")
    sheet = Sheet() if sheet_file is not None else None
    measured, failed = {}, []
    with inpainting.open_fillers(models, threads=threads) as loaded:
        fillers = [*classical, *loaded]
        with progress("filling", len(pictures), "pictures") as advance:
            for number, path in enumerate(pictures):
                name = path.relative_to(root).as_posix()
                try:
                    shown = sheet if number < images else None
                    measured[name] = inpainting.measure_fills(path, fillers, name=name, sheet=shown)
                except Exception as error:
                    if len(pictures) == 1:
                        raise
                    show_traceback(error)
                    message = explain(error)
                    fail(message if str(path) in message else f"{path}: {message}")
                    failed.append({"name": name, "error": message})
                advance(1)
    if not measured:
        return 1
    means = inpainting.mean_scores([*measured.values()])
    names = [filler.name for filler in fillers]
    # Shown first, because writing a file may fail.
    emit({}, _table(means, names, len(measured)), as_json=False)
    if json_file is not None:
        record = {
            "what": (
                "pictures as RGB with drawn holes, which depend on the file's name alone; psnr in "
                "dB and ssim of the pixels in the holes, means over the pictures; the median of "
                "the seconds that a picture took"
            ),
            "holes": {kind: dataclasses.asdict(step) for kind, step in inpainting.KINDS.items()},
            "machine": machine(),
            "models": [{"name": each.name, **each.details} for each in loaded],
            "means": means,
            "pictures": [
                {
                    "name": name,
                    "scores": {
                        kind: {who: dataclasses.asdict(score) for who, score in row.items()}
                        for kind, row in scores.items()
                    },
                }
                for name, scores in measured.items()
            ],
            "failed": failed,
        }
        with whole_file(json_file, overwrite=overwrite) as temporary:
            text = json.dumps(record, indent=2, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")
    if sheet_file is not None and sheet is not None:
        with whole_file(sheet_file, overwrite=overwrite) as temporary:
            sheet.save(temporary, [*sheet.strips])
    return 1 if failed else 0


def _table(
    means: Mapping[str, Mapping[str, Mapping[str, float]]], names: Sequence[str], count: int
) -> RenderableType:
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("", overflow="fold")
    for kind in means:
        for title in (f"{kind} dB", "SSIM", "s"):
            table.add_column(title, justify="right")
    for name in names:
        cells = []
        for rows in means.values():
            row = rows.get(name, {})
            for key, digits in (("psnr", 2), ("ssim", 3), ("seconds", 2)):
                best = max((each.get(key, 0) for each in rows.values()), default=0)
                text = f"{row[key]:.{digits}f}" if key in row else "\u2013"
                bold = key != "seconds" and text == f"{best:.{digits}f}"
                cells.append(Text(text, style="bold" if bold else ""))
        table.add_row(Text(name), *cells)
    told = f"{count_of(count, 'picture')}; PSNR and SSIM in the holes, seconds for a picture"
    return Group(Text(told), table)
