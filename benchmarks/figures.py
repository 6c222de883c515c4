"""Writes the figures of the README, the docs and the models' cards, from ``benchmarks/results``.

Whatever stands between ``<!-- figures: NAME -->`` and ``<!-- end of figures -->`` is written here:
run ``python benchmarks/figures.py`` after anything was measured. ``blocks.toml`` has the text and
the columns of the blocks; the functions here find their rows and values.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import cards
import quality_picture
import tables
from harness import ROOT
from tables import Found, Record, part, render, results

from restore_rt.wording import count_of

ZOO = ROOT / "restore_rt" / "zoo"
MODELS = tables.toml("quality")["models"]
_BLOCK = re.compile(
    r"(?<=<!-- figures: )(\w+)( -->\n\n).*?(?=\n\n<!-- end of figures -->)", re.DOTALL
)


def main() -> int:
    """Write all figures; with ``--check`` only name the documents whose figures are old."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if any is old")
    check = parser.parse_args().check
    old = [path for path in documents() if written(path) != path.read_text(encoding="utf-8")]
    for path in old:
        print(f"{path.relative_to(ROOT)}: {'old' if check else 'written'}")
        if not check:
            path.write_text(written(path), encoding="utf-8")
    if not check:
        quality_picture.draw(quality_picture.PATH)
    return int(check and bool(old))


def documents() -> list[Path]:
    """Return the documents that have figures."""
    guides = (ROOT / "docs" / f"{name}.md" for name in ("performance", "export", "hosts"))
    return [
        ROOT / "README.md",
        ROOT / "benchmarks" / "README.md",
        *guides,
        *sorted(ZOO.glob("*.md")),
    ]


def written(path: Path) -> str:
    """Return a document with the figures of today's results."""
    blocks: dict[str, Callable[[], str]] = {
        **{name: functools.partial(of_a_part, name) for name in OF_A_PART},
        **{
            name: functools.partial(lambda name: render(name, OF_ALL[name]()), name)
            for name in OF_ALL
        },
    }
    if path.parent == ZOO:
        blocks = {name: functools.partial(cards.block, name, path.stem) for name in cards.BLOCKS}

    def block(found: re.Match[str]) -> str:
        if found[1] not in blocks:
            raise SystemExit(
                f"{path.relative_to(ROOT)} has the block {found[1]!r}; it may have "
                f"{', '.join(sorted(blocks))}"
            )
        return f"{found[1]}{found[2]}{blocks[found[1]]()}"

    text = path.read_text(encoding="utf-8")
    if len(_BLOCK.findall(text)) != text.count("<!-- figures:"):
        raise SystemExit(
            f"{path.relative_to(ROOT)}: a block is '<!-- figures: NAME -->', a blank line, its "
            "text, a blank line, '<!-- end of figures -->'"
        )
    return _BLOCK.sub(block, text)


def of_a_part(name: str, record: Record | None = None) -> str:
    """Return a block, by default with the figures of the part that is stored."""
    source, find = OF_A_PART[name]
    record = record or part(source)
    found = find(record)
    return render(name, found._replace(values={source: record, **found.values}))


def show(name: str, record: Record) -> None:
    """Print the block of a part that was just measured."""
    print(f"\n{of_a_part(name, record)}\n")


def measurements(report: Record) -> Found:
    """Return what `restore-rt bench` measured, a row for each case."""
    return Found({"": report["measurements"]})


def hosts() -> Found:
    """Return the speed of one network in VapourSynth through each engine."""
    record = results("hosts")
    rows = [
        {"engine": engine, "yuv": record["cases"]["YUV420P8"][engine], "grey": grey}
        for engine, grey in record["cases"]["GRAY8"].items()
    ]
    return Found({"": rows})


def speed() -> Found:
    """Return the time of a frame in engines, and with each model."""
    found = part("engines")
    rows = []
    for case in found["cases"]:
        if case["threads"] == found["machine"]["threads"]:
            width, height = (int(side) for side in case["size"].split("x"))
            times = tables.timings(case).items()
            fp32 = {name: ms["median"] for (name, kind), ms in times if kind == "fp32"}
            rows.append({"size": f"{width}x{height} to {2 * width}x{2 * height}", **fp32})
    return Found({"": rows}, {"models": render("speed_models", measurements(part("bench")))})


def models() -> Found:
    """Return the shipped models."""
    rows = [
        {
            "name": name,
            "use": model["use"],
            "scale": re.findall(r"-x(\d)", name)[0],
            "parameters": results(f"model_{name}")["model"]["parameters"],
        }
        for name, model in MODELS.items()
    ]
    return Found({"": rows})


def quality(*, headlines: bool = False) -> Found:
    """Return PSNR and errors of reading, before and after, of all models."""
    rows = []
    for name, model in MODELS.items():
        for pictures, case in results(f"model_{name}")["cases"].items():
            if not headlines or pictures == model["headline"]:
                totals = case["totals"]
                both = {"before": totals[case["baseline"]], "after": totals[name]}
                rows.append({"model": name, "label": tables.label(pictures, case), **both})
    return Found({"": rows})


def video_speed(found: Record) -> Found:
    """Return the frames per second from file to file, a column for each size of clip."""
    rows: dict[tuple[str, ...], Record] = {}
    for made in found["measurements"]:
        case = made["case"]
        options = [
            f"--{key} {case[key]}" for key in ("backend", "precision") if case[key] != "auto"
        ]
        row = rows.setdefault((case["model"], *options), {"made": made, "rates": []})
        row["command"] = " ".join(["restore-rt video", f"--model {case['model']}", *options])
        row["rates"].append(made["derived"]["frames_per_second"])
    sizes = dict.fromkeys((m["case"]["width"], m["case"]["height"]) for m in found["measurements"])
    columns = {
        f"{width}x{height} to {2 * width}x{2 * height}": f"{{rates[{at}]:.1f}}"
        for at, (width, height) in enumerate(sizes)
    }
    stages = found["measurements"][0]["stages"]
    busy = ", ".join(f"{stage} {ms:.1f} ms" for stage, ms in stages.items())
    return Found({"": rows.values()}, {"busy": busy}, columns)


def engine_speed(found: Record) -> Found:
    """Return the times of engines in fp32, and ratios on other machines."""
    cases, software = found["cases"], found["software"]
    times = [tables.timings(case) for case in cases]
    rows = [
        {"name": name, "ms": [each.get((name, kind)) for each in times]}
        for name, kind in times[0]
        if kind == "fp32" and "," not in name
    ]
    versions = [
        f"{tables.named(name)} {software[name].partition('+')[0]}"
        for name in ("onnxruntime", "openvino", "ncnn", "torch")
        if name in software
    ]
    values = {
        "versions": ", ".join(versions),
        "masked": tables.beside(part("avx2")["cases"])["fp32_onnxruntime"],
        "int8_onnxruntime": tables.ratios(cases, ("native", "int8"), ("onnxruntime", "int8")),
        "int8_openvino": tables.ratios(cases, ("native", "int8"), ("openvino", "int8")),
        "parameters": part("engines", tables.EPYC)["model"]["parameters"],
        "epyc": tables.beside(part("engines", tables.EPYC)["cases"]),
        "amx": tables.beside(part("engines", tables.AMX)["cases"]),
        **tables.beside(cases),
    }
    return Found({"": rows}, values, tables.by_case(cases, "{{ms[{0}][median]:.2f}}"))


def other_speed(found: Record) -> Found:
    """Return memory, tiles and the import."""
    largest = [made for made in found["measurements"] if made["case"]["width"] == 3840]
    tiled = next(made for made in part("bench")["measurements"] if "split" in made["stages"])
    oracle = [
        case["milliseconds"]["oracle"]["median"] / case["milliseconds"]["restore_rt"]["median"]
        for case in part("kernels")["cases"]
        if "oracle" in case["milliseconds"]
    ]
    return Found(
        {},
        {
            **{made["backend"]: made["host_frames_mb"] for made in largest},
            "tiled": tiled,
            "share": (tiled["stages"]["split"] + tiled["stages"]["merge"])
            / tiled["stages"]["network"],
            "oracle": tables.span(oracle, ".0f"),
        },
    )


def precisions() -> Found:
    """Return what narrower precisions cost, and what int8 gains."""
    record = results("precisions")
    rows = []
    for name, fp16 in sorted(record["fp16"].items()):
        row = {"name": name, "fp16": fp16["simulated"], "bf16": None, "int8": None, "times": None}
        if bf16 := record["bf16"].get(name):
            psnr = bf16["psnr_y"].values()
            row["bf16"] = max(max(case.values()) - min(case.values()) for case in psnr)
        if int8 := record["int8"].get(name):
            times = [1 / int8["time_ratio"][key] for key in ("median", "max", "min")]
            row["int8"] = int8["psnr_y_fp32"] - int8["psnr_y"]
            row["times"] = "{:.1f} ({:.1f} to {:.1f})".format(*times)
        rows.append(row)
    where = {name: tables.machine_words(found["machine"]) for name, found in record["int8"].items()}
    values = {
        "pictures": next(iter(record["fp16"].values()))["pictures"],
        "onnxruntime": record["software"]["onnxruntime"],
        "machines": ", ".join(f"`{name}` on {words}" for name, words in where.items()),
    }
    return Found({"": rows}, values)


def machine() -> Found:
    """Return the machine of the results, and the versions of libraries."""
    record = results(tables.MACHINE)
    software: dict[str, str] = {}
    for each in record["parts"].values():
        software |= each["software"]
    values = {
        "record": record,
        "days": " and ".join(sorted({each["created"][:10] for each in record["parts"].values()})),
        "versions": ", ".join(f"{name} {version}" for name, version in software.items()),
        "file": tables.MACHINE,
    }
    return Found({}, values)


def engines(found: Record) -> Found:
    """Return the times of engines, and how many times those of the native backend they are."""
    cases = found["cases"]
    times = [tables.timings(case) for case in cases]
    rows = []
    for name, kind in dict.fromkeys(key for each in times for key in each):
        here = [each.get((name, kind)) for each in times]
        ours = [each.get(("native", kind)) for each in times]
        both = [a["median"] / b["median"] for a, b in zip(here, ours, strict=True) if a and b]
        ratio = tables.span(both) if both else None
        rows.append({"name": name, "precision": kind, "ms": here, "ratio": ratio})
    columns = {
        **tables.by_case(cases, "{{ms[{0}][median]:.2f}} ({{ms[{0}]:to.2f}})"),
        "times the native backend's": "{ratio}",
    }
    absent: dict[str, list[str]] = {}
    for each in found.get("absent", []):
        who = f"{tables.named(each['engine'])} {each['precision']}"
        absent.setdefault(each["reason"], []).append(who)
    lines = [f"- {', '.join(names)}: {why}" for why, names in absent.items()]
    told = "\n\nNot measured:\n\n" + "\n".join(lines) if lines else ""
    return Found({"": rows}, {"absent": told}, columns)


def machines() -> Found:
    """Return the native backend beside others on all machines that have results."""
    rows = []
    for path in sorted(tables.RESULTS.glob("*.json")):
        record = results(path.stem)
        if found := record.get("parts", {}).get("engines"):
            row = {"machine": tables.machine_words(record["machine"]), "file": path.name}
            row |= {"model": found["model"], "day": found["created"][:10]}
            rows.append({**row, **tables.beside(found["cases"])})
    return Found({"": rows})


def kernels(found: Record) -> Found:
    """Return split and merge beside what other libraries need for them."""
    rows: dict[str, Iterable[Record]] = {}
    for case in found["cases"]:
        ms = case["milliseconds"]
        moved = (case["bytes_read"] + case["bytes_written"]) / 1e6
        threads = count_of(case["threads"], "thread")
        title = f"{case['operation'].capitalize()} of {case['frame']}, {threads}, {moved:.1f} MB"
        rows[title] = [
            {"name": who, "ms": one, "times": one["median"] / ms["memcpy"]["median"]}
            for who, one in ms.items()
        ]
    return Found(rows)


# By block: the part of the results that it shows, and the function that finds its rows and values.
OF_A_PART: dict[str, tuple[str, Callable[[Record], Found]]] = {
    "agreement": ("agreement", lambda found: Found()),
    "engine_speed": ("engines", engine_speed),
    "engines": ("engines", engines),
    "frame_speed": ("bench", measurements),
    "frames": ("bench", measurements),
    "kernels": ("kernels", kernels),
    "masked": ("avx2", engines),
    "other_speed": ("scaling", other_speed),
    "quality_cost": ("quality_cost", quality_picture.quality_cost),
    "scaling": ("scaling", measurements),
    "video_speed": ("clip", video_speed),
}
# Blocks that show several files or parts.
OF_ALL: dict[str, Callable[[], Found]] = {
    "hosts": hosts,
    "headlines": functools.partial(quality, headlines=True),
    "machine": machine,
    "machines": machines,
    "models": models,
    "precisions": precisions,
    "quality": quality,
    "sharpness": Found,
    "speed": speed,
}


if __name__ == "__main__":
    sys.exit(main())
