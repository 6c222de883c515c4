"""``restore-rt eval --bitrate``: what half size plus restoring saves against full size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from restore_rt.cli.console import emit, explain, fail, note, progress, show_traceback
from restore_rt.errors import InputError
from restore_rt.files import whole_file
from restore_rt.wording import count_of

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["BitrateCodec", "compare_rates", "note_missing_vmaf"]

BitrateCodec = Literal["h264", "hevc", "vp9", "av1"]


def compare_rates(
    models: Sequence[str],
    files: Sequence[Path],
    *,
    root: Path,
    codec: BitrateCodec,
    frames: int,
    limit: int | None,
    scale: int | None,
    colour: Literal["rgb", "luma"] | None,
    threads: int | None,
    json_file: Path | None,
    plot_file: Path | None,
    overwrite: bool,
) -> int:
    """Measure each clip over the ladder of rates, print the means, and write what was asked for.

    Returns the exit code: 1 if a clip failed.
    """
    from restore_rt.training.evaluation import VIDEOS, baselines, bitrate, open_models
    from restore_rt.training.evaluation.results import machine
    from restore_rt.training.metrics.clips import find_ffmpeg

    bitrate.check_libraries(plots=plot_file is not None)
    clips = [path for path in files if path.suffix.lower() in VIDEOS][:limit]
    if not clips:
        raise InputError(f"--bitrate compares videos, and {root} has none; give a folder of clips")
    note_missing_vmaf()
    ladders, failed = [], []
    with open_models(models, threads=threads, scale=scale, colour=colour) as loaded:
        if loaded[0].scale != 2:
            raise InputError(
                f"{loaded[0].name} enlarges {loaded[0].scale} times; --bitrate needs models that "
                "enlarge twice"
            )
        candidates = [baselines(2)[0], *loaded]
        with progress("encoding", len(clips) * len(bitrate.CRFS), "rates") as advance:
            for path in clips:
                try:
                    ladders.append(
                        bitrate.measure_clip(
                            path,
                            candidates,
                            codec=codec,
                            frames=frames,
                            name=path.relative_to(root).as_posix(),
                            advance=advance,
                        )
                    )
                except Exception as error:
                    if len(clips) == 1:
                        raise
                    show_traceback(error)
                    message = explain(error)
                    fail(message if str(path) in message else f"{path}: {message}")
                    failed.append({"name": path.relative_to(root).as_posix(), "error": message})
        names = [candidate.name for candidate in candidates]
        details = [{"name": each.name, **each.details} for each in loaded]
    if not ladders:
        return 1
    means = list(bitrate.mean_rates(ladders, names))
    # Shown first, because writing a file may fail.
    emit({}, _table(means, codec, len(ladders)), as_json=False)
    if json_file is not None:
        record = {
            "what": (
                f"half size by bicubic, {codec}, preset medium, enlarged twice, against {codec} at "
                f"full size; luma; BD-rate in percent by Akima, the lowest five of CRF "
                f"{', '.join(map(str, bitrate.CRFS))} (on x264's scale); below 0 it saves"
            ),
            "machine": machine(),
            "models": details,
            "mean_bd_rate": means,
            "clips": [ladder.as_dict() for ladder in ladders],
            "failed": failed,
        }
        with whole_file(json_file, overwrite=overwrite) as temporary:
            text = json.dumps(record, indent=2, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")
    if plot_file is not None:
        with whole_file(plot_file, overwrite=overwrite) as temporary:
            metric = "vmaf_neg" if find_ffmpeg() else "psnr_y"
            bitrate.plotted(ladders, temporary, metric, format_name=plot_file.suffix[1:])
    return 1 if failed else 0


def note_missing_vmaf() -> None:
    """Say so on standard error if VMAF cannot be measured here."""
    from restore_rt.training.metrics.clips import NO_FFMPEG, find_ffmpeg

    if find_ffmpeg() is None:
        note(f"VMAF is left out: {NO_FFMPEG}")


def _table(means: Sequence[dict[str, Any]], codec: str, clips: int) -> RenderableType:
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("half size and", overflow="fold")
    for title in ("PSNR-Y", "SSIM-Y", "VMAF", "VMAF-NEG", "ms a frame"):
        table.add_column(title, justify="right")
    for row in means:
        rates = [row[metric] for metric in ("psnr_y", "ssim_y", "vmaf", "vmaf_neg")]
        cells = ["n/a" if rate is None else f"{rate:+.1f} %" for rate in rates]
        table.add_row(Text(row["model"]), *cells, f"{row['ms_per_frame']:.1f}")
    told = (
        f"BD-rate against full size, {codec}, mean of {count_of(clips, 'clip')}; below 0 saves; "
        "n/a: not measured, or not in all clips, as the qualities of some do not overlap"
    )
    return Group(Text(told), table)
