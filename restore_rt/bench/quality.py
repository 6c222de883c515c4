"""What ``restore-rt eval`` said of models, to stand beside the time that they take."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from restore_rt.bench.report import Quality
from restore_rt.errors import InputError
from restore_rt.model.manifest import read_manifest
from restore_rt.model.reading import find_model, read_model

__all__ = ["read_quality"]

_SCHEMA = 1


def read_quality(path: str | Path, models: Iterable[str]) -> dict[str, Quality]:
    """Read what ``restore-rt eval --json`` wrote of some models.

    Parameters
    ----------
    path
        Its file.
    models
        Names of shipped models, and files.

    Returns
    -------
    dict
        By model, as it is given here; those that were not evaluated are left out.

    Raises
    ------
    InputError
        There is no such file, it is of something else, of none of the models, or of other weights.
    ModelError
        A model cannot be read.
    """
    totals, rows, degradation, pictures = _evaluated(Path(path))
    found = {}
    for model in dict.fromkeys(models):
        manifest = read_manifest(read_model(find_model(model)))
        name = Path(model).stem if manifest is None else manifest.name
        named = [row for row in rows if row.get("model", row["name"]) == name]
        known = None if manifest is None else manifest.sha256
        same = [row for row in named if known is None or row.get("sha256", known) == known]
        if named and not same:
            versions = ", ".join(str(row.get("version", "?")) for row in named)
            raise InputError(
                f"{path} is of other weights of {name} (version {versions}): run `restore-rt eval` "
                "again"
            )
        for row in same[:1]:
            found[model] = Quality(**totals[row["name"]], pictures=pictures, damage=degradation)
    if not found:
        raise InputError(
            f"{path} is of {', '.join(row['name'] for row in rows)}, and none of them is measured; "
            "give what `restore-rt eval --json` wrote of the same models"
        )
    return found


def _evaluated(path: Path) -> tuple[dict[str, dict[str, float]], list[Any], str, int]:
    """Return PSNR and SSIM by candidate, the candidates, what was done to the pictures, how many.

    Candidates without figures are left out.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refused)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    try:
        if data["schema"] != _SCHEMA:
            raise ValueError(f"schema {data['schema']!r}")
        totals = {
            str(name): {key: _number(found[key]) for key in ("psnr_y", "ssim_y")}
            for name, found in data["totals"].items()
            if "psnr_y" in found and "ssim_y" in found
        }
        rows = [row for row in data["candidates"] if row["name"] in totals]
        return totals, rows, str(data["degradation"]), int(data["evaluated"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{path} is not what `restore-rt eval --json` writes ({type(error).__name__}: {error})"
        ) from error


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e12:
        raise ValueError(f"{value!r} is no figure")
    return float(value)


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no number")
