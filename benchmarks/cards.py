"""The blocks of figures in the models' cards; ``figures.py`` writes them."""

from __future__ import annotations

import tables
from tables import Found, Record, part, render, results

import restore_rt

__all__ = ["BLOCKS", "block"]

BLOCKS = ("quality", "lettering", "sharpness", "speed", "compressed", "holes", "filling")


def block(kind: str, name: str) -> str:
    """Return a block of a model's card."""
    if kind == "speed":
        made, report = tables.timed(name)
        (version,) = (each.version for each in restore_rt.models() if each.name == name)
        timed = made["model"]["version"]
        values = {
            "made": made,
            "older": "" if timed == version else f", with version {timed} of the same network",
            "threads": report["machine"]["threads"],
            "processor": tables.processor(report["machine"]),
            "file": report["file"],
            "where": "the " * (made["backend"] == "native") + tables.named(made["backend"]),
        }
        return render("card_speed", Found({}, values))
    if kind == "holes":
        cases = results(f"model_{name}")["cases"]
        methods = next(iter(cases.values()))
        rows = [
            {"who": who, **{holes: case[who] for holes, case in cases.items()}} for who in methods
        ]
        columns = {holes: f"{{{holes}[psnr]:.2f}}, {{{holes}[ssim]:.3f}}" for holes in cases}
        return render("card_holes", Found({"": rows}, {}, columns))
    if kind == "filling":
        report = part(name, tables.EPYC)
        small, large = report["frames"]
        values = {
            "small": small,
            "large": large,
            "threads": report["threads"],
            "processor": tables.processor(report["machine"]),
        }
        return render("card_filling", Found({}, values))
    if kind == "compressed":
        found = results(f"compressed_{name}")["summary"]
        shown = [{**each, **tables.cells(each)} for each in found if each["kind"] == "natural"]
        return render(
            "card_compressed", Found({"": [each for each in shown if each.get("psnr_y")]})
        )
    cases = results(f"model_{name}")["cases"]
    base = next(iter(cases.values()))["baseline"]
    if kind == "lettering":
        columns = {
            f"{who}, {read}": f"{{case[totals][{who}][{key}]:.3f}}"
            for key, read in (("cer_page", "page"), ("cer", "lines"))
            for who in (base, name)
        }
        rows = [{"name": pictures, "case": case} for pictures, case in cases.items()]
        return render("card_lettering", Found({"": rows}, {}, columns))
    key = {"quality": "psnr_y", "sharpness": "niqe"}[kind]
    whose = (base, name) if kind == "quality" else (base, name.removesuffix("-gan"), name)
    rows = []
    for pictures, case in cases.items():
        told = tables.label(pictures, case)
        row: Record = {"counted": told if told != pictures else f"{told} ({case['pictures']})"}
        for who in whose:
            of = name if who == base else who
            row[who] = results(f"model_{of}")["cases"][pictures]["totals"][who][key]
        rows.append(row)
    return render("card_quality", Found({"": rows}, {}, {who: f"{{{who}:.2f}}" for who in whose}))
