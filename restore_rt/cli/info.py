"""``restore-rt info``: the contents of a model file, its cost, and the backends that run it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from restore_rt.cli import options
from restore_rt.cli.console import emit, parts_table

if TYPE_CHECKING:
    from restore_rt.inspection import Inspection, Port

__all__ = ["info"]

_UNKNOWN = "unknown"
# Long texts, which the card and --json have.
_NOT_SHOWN = ("checksum", "recipe", "schema", "trained_on")


def info(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A shipped model's name or an .onnx file.")
    ],
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="WxH",
            help="The input size to compute the cost for.",
            show_default="the model's tile, or 640x360",
        ),
    ] = None,
    as_json: options.JsonOption = False,
) -> None:
    """Show the contents of a model file, its cost, and the backends that run it on this machine.

    Multiply-adds are those of convolutions and products of matrices. Memory is that of a batch of
    one: an estimate, since a library may compute in place, or keep copies.
    """
    from restore_rt.inspection import inspect_model

    found = inspect_model(model, size=options.parse_size("--size", size))
    emit(_data(found), parts_table(_parts(found)), as_json=as_json)


def _data(found: Inspection) -> dict[str, Any]:
    data = dataclasses.asdict(found)
    data["cost"]["memory"]["total"] = found.cost.memory.total
    return data


def _parts(found: Inspection) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    yield "File", _file(found)
    yield "Manifest", _manifest(found)
    yield "Network", _network(found)
    yield _at(found), _cost(found)
    yield "Runs on", [(name, _verdict(item)) for name, item in found.runs_on.items()]
    if found.notes:
        yield "Notes", [("", text) for text in found.notes]


def _file(found: Inspection) -> list[tuple[str, str]]:
    sets = ", ".join(f"{name} {version}" for name, version in found.opsets.items())
    return [
        ("path", str(found.path)),
        ("size", f"{found.file_size:,} bytes"),
        ("operator sets", sets),
    ]


def _manifest(found: Inspection) -> list[tuple[str, str]]:
    if found.manifest is None:
        return [("", "none")]
    rows = []
    for key, value in dataclasses.asdict(found.manifest).items():
        if key == "sha256":
            rows.append(("checksums", "right" if found.intact else "wrong: damaged, or changed"))
        elif key == "tile":
            rows.append((key, f"{value[1]}x{value[0]}, width and height"))
        elif key == "metrics":
            rows += [(name, f"{figure:g}") for name, figure in value.items()]
        elif key not in _NOT_SHOWN:
            rows.append((key.replace("_", " "), str(value)))
    return rows


def _network(found: Inspection) -> list[tuple[str, str]]:
    types = ", ".join(f"{count:,} {kind}" for kind, count in found.weight_types.items())
    constants = f"; {found.constants:,} constants" if found.constants else ""
    rows = [("input", _port(port)) for port in found.inputs]
    rows += [("output", _port(port)) for port in found.outputs]
    rows.append(("parameters", f"{found.parameters:,}{f' ({types})' if types else ''}{constants}"))
    names = ", ".join(f"{count} {name}" for name, count in found.operators.items())
    return [*rows, ("operators", names)]


def _port(port: Port) -> str:
    sides = ", ".join("?" if side is None else str(side) for side in port.shape)
    return f"{port.name}: {port.type} ({sides})"


def _at(found: Inspection) -> str:
    size = found.cost.size
    return "Cost" if size is None else f"Cost of an input of {size[1]}x{size[0]}"


def _cost(found: Inspection) -> list[tuple[str, str]]:
    cost, memory = found.cost, found.cost.memory
    height, width = cost.output_size or (None, None)
    each = cost.per_output_pixel
    rows = [
        ("output", _UNKNOWN if height is None else f"{width}x{height}"),
        (
            "multiply-adds",
            _UNKNOWN if each is None else f"{each:,.0f} for each pixel of the output",
        ),
    ]
    for name in ("weights", "input", "output", "activations", "total"):
        rows.append((f"memory, {name}", _megabytes(getattr(memory, name))))
    return rows


def _megabytes(count: int | None) -> str:
    return _UNKNOWN if count is None else f"{count / 1e6:,.1f} MB"


def _verdict(item: Any) -> str:
    return f"{'yes' if item.runs else 'no'}: {item.reason}"
