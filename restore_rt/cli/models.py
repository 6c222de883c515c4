"""``restore-rt models``: what is shipped."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from restore_rt.cli import options
from restore_rt.cli.console import emit

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["models"]


def models(as_json: options.JsonOption = False) -> None:
    """List the shipped models.

    PSNR is that of the model's own validation pictures; its card tells which they are. --json
    tells all that a model says of itself.
    """
    import onnx

    from restore_rt.model import registry as zoo
    from restore_rt.model.manifest import parameter_count

    described = []
    for manifest in zoo.models():
        path = zoo.path_of(manifest.name)
        parameters = parameter_count(onnx.load(path))
        described.append({**dataclasses.asdict(manifest), "parameters": parameters, "file": path})
    emit({"models": described}, _table(described), as_json=as_json)


def _table(described: list[dict[str, Any]]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for title in ("name", "for", "scale", "colour", "parameters", "halo", "PSNR in dB"):
        table.add_column(title, no_wrap=title != "PSNR in dB", overflow="fold")
    table.add_column("licence", overflow="fold")
    for model in described:
        table.add_row(
            model["name"],
            model["content"],
            f"x{model['scale']}",
            model["colour"],
            f"{model['parameters']:,}",
            f"{model['halo']} px",
            "\n".join(
                f"{_words(key)} {value:.2f}"
                for key, value in model["metrics"].items()
                if "psnr" in key
            ),
            model["licence"],
        )
    return table


def _words(key: str) -> str:
    return " ".join(word for word in key.split("_") if word != "psnr")
