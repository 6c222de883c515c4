"""The figures of a model's card."""

from __future__ import annotations

import functools
from collections.abc import Callable

from figure_parts import MACHINE, part, processor, results, table

__all__ = ["card_blocks"]


def card_blocks(name: str) -> dict[str, Callable[[], str]]:
    """Return what writes the blocks of a card."""
    blocks = {
        "quality": card_quality,
        "lettering": card_lettering,
        "sharpness": card_sharpness,
        "speed": card_speed,
    }
    return {key: functools.partial(write, name) for key, write in blocks.items()}


def card_quality(name: str) -> str:
    """Return the PSNR of a model, beside what it is compared with."""
    cases = results(f"model_{name}")["cases"]
    base = next(iter(cases.values()))["baseline"]
    rows = [
        (
            f"{label} ({case['pictures']})",
            *(f"{case['totals'][each]['psnr_y']:.2f}" for each in (base, name)),
        )
        for label, case in cases.items()
    ]
    return table(("pictures", base, name), rows)


def card_lettering(name: str) -> str:
    """Return the share of characters that are misread."""
    rows = []
    for label, case in results(f"model_{name}")["cases"].items():
        base, ours = case["totals"][case["baseline"]], case["totals"][name]
        figures = (base["cer_page"], ours["cer_page"], base["cer"], ours["cer"])
        rows.append((f"{label} ({case['lettered']})", *(f"{figure:.3f}" for figure in figures)))
    base = case["baseline"]
    head = ("pictures", f"{base}, page", f"{name}, page", f"{base}, lines", f"{name}, lines")
    return table(head, rows)


def card_sharpness(name: str) -> str:
    """Return NIQE of a model and of the one that it was made from."""
    before = name.removesuffix("-gan")
    pixels = results(f"model_{before}")["cases"]
    rows = []
    for label, case in results(f"model_{name}")["cases"].items():
        figures = [
            case["totals"][case["baseline"]]["niqe"],
            pixels[label]["totals"][before]["niqe"],
            case["totals"][name]["niqe"],
        ]
        rows.append((f"{label} ({case['pictures']})", *(f"{figure:.2f}" for figure in figures)))
    return table(("pictures", case["baseline"], before, name), rows)


def card_speed(name: str) -> str:
    """Return what a frame takes."""
    report = part("bench")
    (made,) = (each for each in report["measurements"] if each["model"]["name"] == name)
    where = "the native engine" if made["backend"] == "native" else "ONNX Runtime"
    machine = report["machine"]
    return (
        f"A frame of 640x360 takes {made['derived']['p50_ms']:.1f} ms on {machine['threads']} "
        f"threads of {processor(machine['processor'], machine['instructions'])}, in {where}\n"
        f"(`benchmarks/results/{MACHINE}.json`)."
    )
