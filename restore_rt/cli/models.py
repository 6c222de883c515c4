"""``restore-rt models``: the shipped models, by what a user chooses them by."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from restore_rt.cli import options
from restore_rt.cli.console import emit

if TYPE_CHECKING:
    from rich.table import Table

    from restore_rt.model.manifest import Manifest

__all__ = ["models"]

_SPEED = re.compile(
    r"A frame of (?P<size>\d+x\d+) takes (?P<ms>[\d.]+) ms on (?P<machine>.+?), in (?P<backend>.+?)"
    r" \("
)
_DETAILS = re.compile(r" \([^)]*\)")


def models(as_json: options.JsonOption = False) -> None:
    """List the shipped models: what each is for, its scale, its speed and its licence.

    The speed is the one that the model's card states, with the machine that it was measured on;
    `restore-rt bench --model NAME` measures it on this machine. --json writes the whole manifests.
    """
    from restore_rt.model import registry

    described = [_described(manifest) for manifest in registry.models()]
    if as_json:
        _count_parameters(described)
    emit({"models": described}, _table(described), as_json=as_json)


def _described(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest with what the model's card adds: its purpose and its speed."""
    from restore_rt.model import registry

    file = registry.path_of(manifest.name)
    card = file.with_suffix(".md").read_text(encoding="utf-8")
    purpose = " ".join(card.split("\n\n")[1].replace("`", "").split())
    speed = _SPEED.search(" ".join(card.split()))
    return {
        **dataclasses.asdict(manifest),
        "file": file,
        "purpose": purpose,
        "speed": speed and {**speed.groupdict(), "ms": float(speed["ms"])},
    }


def _count_parameters(described: list[dict[str, Any]]) -> None:
    import onnx

    from restore_rt.model.manifest import parameter_count

    for model in described:
        model["parameters"] = parameter_count(onnx.load(model["file"]))


def _table(described: list[dict[str, Any]]) -> Table:
    from rich import box
    from rich.table import Table

    speeds = [model["speed"] for model in described if model["speed"]]
    conditions = sorted({f"{speed['size']} on {speed['machine']}" for speed in speeds})
    table = Table(
        box=box.SIMPLE_HEAD,
        caption_justify="left",
        caption=f"ms: one frame of {' or '.join(conditions)}, as the models' cards state. "
        "`restore-rt bench --model NAME` measures it here. licence: that of the training material; "
        "`restore-rt models --json` has its credits.",
    )
    table.add_column("name", no_wrap=True)
    table.add_column("for")
    table.add_column("scale")
    table.add_column("ms", justify="right", no_wrap=len(conditions) < 2)
    table.add_column("licence")
    for model in described:
        speed = model["speed"]
        lacking = "by the damage" if model["task"] == "inpaint" else "not measured"
        ms = f"{speed['ms']:.1f}" if speed else lacking
        if speed and len(conditions) > 1:
            ms += f", {speed['size']} on {speed['machine']}"
        licences = dict.fromkeys(_DETAILS.sub("", model["licence"]).split("; "))
        table.add_row(
            model["name"], model["purpose"], f"x{model['scale']}", ms, ", ".join(licences)
        )
    return table
