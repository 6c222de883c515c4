"""What the blocks of ``benchmarks/README.md`` show; the scripts print the same tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from tables import (
    MACHINE,
    OTHER_PICTURES,
    PHOTOS,
    RESULTS,
    Found,
    Record,
    beside,
    by_case,
    label,
    machine_words,
    named,
    render,
    results,
    span,
    timings,
)

from restore_rt.wording import count_of


def machine() -> Found:
    """Return the machine of the results, and the versions of libraries."""
    record = results(MACHINE)
    software: dict[str, str] = {}
    for each in record["parts"].values():
        software |= each["software"]
    words, minutes = machine_words(record["machine"]), record["minutes_of_make_bench"]
    values = {
        "Machine": words[0].upper() + words[1:],
        "processor": record["machine"]["processor"],
        "system": record["machine"]["system"],
        "days": " and ".join(sorted({each["created"][:10] for each in record["parts"].values()})),
        "versions": ", ".join(f"{name} {version}" for name, version in software.items()),
        "file": MACHINE,
        "took": "" if minutes is None else f" `make bench` took {minutes:.1f} minutes.",
    }
    return Found({}, values)


def agreement(found: Record) -> Found:
    """Return how well the benchmark agrees with itself."""
    values: dict[str, Any] = {
        "overhead": found["overhead_us"],
        "spread": max(found["control_spread"]),
    }
    kinds = (("same", "same", "no difference"), ("slower", "a_tenth_more", "slower"))
    for name, key, verdict in kinds:
        values[name] = sum(found[key]["verdicts"].values())
        values[f"{name}_right"] = found[key]["verdicts"].get(verdict, 0)
        values[f"{name}_ratios"] = span(found[key]["ratios"], 3)
    return Found({}, values)


def frames(report: Record) -> Found:
    """Return the time of a frame with each model."""
    return Found({"": report["measurements"]})


def engines(found: Record) -> Found:
    """Return the times of engines, and how many times those of the native backend they are."""
    cases = found["cases"]
    times = [timings(case) for case in cases]
    rows = []
    for name, kind in dict.fromkeys(key for each in times for key in each):
        here = [each.get((name, kind)) for each in times]
        ours = [each.get(("native", kind)) for each in times]
        both = [a["median"] / b["median"] for a, b in zip(here, ours, strict=True) if a and b]
        ratio = span(both) if both else None
        rows.append({"name": name, "precision": kind, "ms": here, "ratio": ratio})
    columns = {
        **by_case(cases, "{{ms[{0}][median]:.2f}} ({{ms[{0}]:to.2f}})"),
        "times the native backend's": "{ratio}",
    }
    reasons = [(f"{named(e['engine'])} {e['precision']}", e["reason"]) for e in found["absent"]]
    return Found({"": rows}, {"absent": _absent(reasons)}, columns)


def masked(found: Record) -> Found:
    """Return the engines as on a processor that has AVX2 and nothing wider."""
    return engines({"absent": [], **found["masked"]})


def machines() -> Found:
    """Return the native backend beside others on all machines that have results."""
    rows = []
    for path in sorted(RESULTS.glob("*.json")):
        record = results(path.stem)
        if found := record.get("parts", {}).get("engines"):
            row = {"machine": machine_words(record["machine"]), "file": path.name}
            day = found["created"][:10]
            rows.append({**row, "model": found["model"], "day": day, **beside(found["cases"])})
    return Found({"": rows})


def kernels(found: Record) -> Found:
    """Return split and merge beside what other libraries need for them."""
    rows = {}
    for case in found["cases"]:
        ms = case["milliseconds"]
        moved = (case["bytes_read"] + case["bytes_written"]) / 1e6
        threads = count_of(case["threads"], "thread")
        title = f"{case['operation'].capitalize()} of {case['frame']}, {threads}, {moved:.1f} MB"
        rows[title] = [
            {"name": who, "ms": one, "times": one["median"] / ms["memcpy"]["median"]}
            for who, one in ms.items()
        ]
    return Found(rows, {"What": found["what"][0].upper() + found["what"][1:]})


def clip(found: Record) -> Found:
    """Return the rates of the whole command, on each clip."""
    rows: Record = {}
    for one in (found, found["larger_clip"]):
        rows[one["what"]] = [
            {"options": found["options"][way], "without": f", {kind}", **rates}
            for kind in ("frames_per_second", "without_encoder")
            for way, rates in one[kind].items()
        ]
    return Found(rows)


def systems(found: Record) -> Found:
    """Return whole commands beside what one would run instead."""
    rows = {}
    for kind, title in (("video", "A clip"), ("picture", "A picture")):
        rows[title] = [
            {"name": name, **one, "rate": one.get("frames_per_second"), "compared": _compared(one)}
            for name, one in found[kind].items()
        ]
    runs = count_of(next(iter(found["video"].values()))["seconds"]["runs"], "run")
    return Found(
        rows, {"what": found["what"], "runs": runs, "absent": _absent(found["absent"].items())}
    )


def _compared(one: Record) -> str:
    off, psnr = one.get("most_off"), one.get("psnr_to_restore_rt")
    if off is not None:
        return f"off by {off}"
    return "the same" if psnr is None else f"{psnr:.1f} dB"


def scaling(found: Record) -> Found:
    """Return how time and memory grow, as measured and as predicted."""
    names = {"streams": "callers"}
    return Found({f"By {names.get(by, by)}": rows for by, rows in found["series"].items()})


class Point(NamedTuple):
    """How good something is on some pictures, and its ms for a megapixel of output.

    ``by`` is ``"restore_rt"``, ``"others"`` or ``"filters"``, which includes the damaged picture
    itself: that has no time.
    """

    name: str
    by: str
    runs_in: str
    ms: float | None
    spread: tuple[float, float] | None
    psnr: float
    ssim: float


def points(record: Record, scale: int, pictures: str) -> list[Point]:
    """Return everything that was measured of a scale on some pictures, the fastest first."""
    found = []
    for one in record["times"]:
        name, own = one["name"], one["by"] == "restore_rt"
        cases = results(f"model_{name}")["cases"] if own else record["cases"].get(f"x{scale}", {})
        totals = cases.get(pictures, {}).get("totals", {})
        if one["scale"] != scale or name not in totals:
            continue
        ms, each = one["milliseconds"], one["ms_per_megapixel"]
        low, high = (ms[key] / ms["median"] * each for key in ("p10", "p90"))
        library = re.split(r",| \d", one["runs_in"])[0].replace("native engine", NATIVE)
        good = (totals[name]["psnr_y"], totals[name]["ssim_y"])
        found.append(Point(name, one["by"], library, each, (low, high), *good))
        if scale == 1 and not any(point.name == "input" for point in found):
            damaged = (totals["input"]["psnr_y"], totals["input"]["ssim_y"])
            found.append(Point("input", "filters", "", None, None, *damaged))
    return sorted(found, key=lambda point: point.ms or 0)


NATIVE = named("native")


def quality_cost(record: Record) -> Found:
    """Return quality and time of our models, of others' networks and of filters."""
    photos = []
    for scale in sorted({one["scale"] for one in record["times"]} - {1}):
        by_name = {name: {p.name: p for p in points(record, scale, name)} for name in PHOTOS}
        for point in by_name["Set14"].values():
            psnr = [by_name[name][point.name].psnr for name in PHOTOS]
            photos.append({**_row(point), "scale": scale, "all": psnr})
    set_names = [label(name, record["cases"]["x2"][name]) for name in PHOTOS]
    columns = {name: f"{{all[{at}]:.2f}}" for at, name in enumerate(set_names)}
    others = [
        {**_row(point), "label": pictures, "scale": scale}
        for scale, pictures in OTHER_PICTURES
        for point in points(record, scale, pictures)
    ]
    reasons = [(one["name"], _short(one["reason"])) for one in record["absent"]]
    values = {
        "machine": machine_words(record["machine"]),
        "others": render("quality_cost_others", Found({"": others})),
        "absent": "; ".join(f"{', '.join(who)} ({why})" for why, who in _by_reason(reasons)),
    }
    return Found({"": photos}, values, {**columns, "SSIM, Set14": "{ssim:.4f}"})


def _row(point: Point) -> Record:
    own = point.by == "restore_rt"
    return {**point._asdict(), "name": f"**`{point.name}`**" if own else point.name}


def _short(reason: str) -> str:
    return re.split(r"[:;,(]", reason)[0].strip()


def _by_reason(reasons: Iterable[tuple[str, str]]) -> Iterable[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for who, why in reasons:
        found.setdefault(why, []).append(who)
    return found.items()


def _absent(reasons: Iterable[tuple[str, str]]) -> str:
    lines = [f"- {', '.join(who)}: {why}" for why, who in _by_reason(reasons)]
    return "\n\nNot measured:\n\n" + "\n".join(lines) if lines else ""


def show(block: str, found: Found) -> None:
    """Print a block."""
    print(f"\n{render(block, found)}\n")
