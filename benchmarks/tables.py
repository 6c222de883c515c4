"""What the blocks of ``blocks.toml`` show: rows and values, found in ``benchmarks/results``."""

from __future__ import annotations

import functools
import json
import re
import string
import textwrap
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from harness import ROOT

from restore_rt.wording import count_of

RESULTS = ROOT / "benchmarks" / "results"
# The file of results that the README and the cards quote.
MACHINE = "intel-xeon-avx512-bf16-vnni"
# Files of other processors, on which an older model was measured.
EPYC, AMX = "amd-epyc-avx512-bf16-vnni", "intel-xeon-avx512-amx-bf16-vnni"
NAMES = {
    "native": "native backend",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "torch": "PyTorch",
    "torch.compile": "PyTorch, compiled",
    "opencv dnn": "OpenCV dnn",
    "avx512": "AVX-512",
    "avx2": "AVX2",
    "neon": "NEON",
}
# The models in the README's order: their use, and the pictures of their headline figure.
SCANS = "comics, JPEG 30 to 60 three times"
MODELS = {
    "video-x2": ("video, in real time on a CPU", "Set14"),
    "video-x2-fast": ("the same, faster", "Set14"),
    "video-x2-quality": ("the same, better on clean sources, and slower", "Set14"),
    "photo-x2": ("photographs", "Set14"),
    "photo-x4": ("photographs, four times", "Set14"),
    "photo-x4-gan": ("the same, sharper and less true", "Set14"),
    "comic-x2": ("comics that were compressed again and again", "comics, JPEG 70, 50, 60"),
    "comic-x1": ("the same at their own size", SCANS),
    "repair-x1": ("photographs with JPEG's artefacts", "Set14, JPEG 20"),
}
# Pictures beside photographs, each with the scale.
OTHER_PICTURES = (
    *((2, "clips, H.264 CRF 28"), (2, "comics, JPEG 70, 50, 60"), (2, "comics")),
    *((1, SCANS), (1, "classic5, JPEG 20")),
)
PHOTOS = ("Set5", "Set14", "BSD100")

Record = dict[str, Any]
# An engine and a precision.
Key = tuple[str, str]


class Found(NamedTuple):
    """What a block shows: rows by title, values for its text, and further columns."""

    rows: Mapping[str, Iterable[Mapping[str, Any]]] = {}
    values: Mapping[str, Any] = {}
    columns: Mapping[str, str] = {}


@functools.cache
def _blocks() -> Any:
    return tomllib.loads((ROOT / "benchmarks" / "blocks.toml").read_text(encoding="utf-8"))


@functools.cache
def results(name: str) -> Any:
    """Return the content of a file of results."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def part(name: str, machine: str = MACHINE) -> Record:
    """Return a part of what was measured on a machine, with that machine."""
    record = results(machine)
    return {**record["parts"][name], "machine": record["machine"]}


class _Cells(string.Formatter):
    """Formats text as ``blocks.toml`` describes it; what is None or missing is blank."""

    def get_field(self, name: str, args: Any, kwargs: Any) -> Any:
        # A misspelt name must not look like a figure that is not known.
        first = re.split(r"[\[.]", name)[0]
        self.get_value(first, args, kwargs)
        try:
            return super().get_field(name, args, kwargs)
        except (KeyError, TypeError):
            return None, first

    def format_field(self, value: Any, spec: str) -> str:
        if value is None:
            return ""
        if spec == "engine":
            return named(value)
        if spec == "machine":
            return machine_words(value)
        if spec == "runs":
            return count_of(value, "run")
        if spec == "x":
            return f"{value[1]}x{value[0]}"
        if spec.startswith("to"):
            ends = (value["p10"], value["p90"]) if isinstance(value, dict) else value
            return " to ".join(format(end, spec[2:]) for end in ends)
        return str(super().format_field(value, spec))


class _Values(dict[str, Any]):
    """The values for a text; other names are parts of the results that are quoted."""

    def __missing__(self, name: str) -> Any:
        return part(name)


def render(name: str, found: Found) -> str:
    """Return a block as Markdown."""
    block, cells = _blocks()[name], _Cells()
    columns = {**block.get("columns", {}), **found.columns}
    tables = []
    for title, rows in found.rows.items():
        lines = [list(columns), ["---"] * len(columns)]
        lines += [[cells.vformat(form, (), row) for form in columns.values()] for row in rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        tables.append(f"{title}:\n\n{table}" if title else table)
    values = _Values({"table": "\n\n".join(tables), **found.values})
    text = cells.vformat(block.get("text", "{table}"), (), values).strip()
    return "\n\n".join(_wrapped(paragraph) for paragraph in text.split("\n\n"))


def _wrapped(paragraph: str) -> str:
    """Return a paragraph, or the items of a list, in lines of at most 120 characters."""
    if paragraph.startswith("|"):
        return paragraph
    items = re.split(r"\n(?=- )", paragraph)
    indents = ("  " if item.startswith("- ") else "" for item in items)
    wrap = functools.partial(textwrap.fill, break_long_words=False, break_on_hyphens=False)
    return "\n".join(
        wrap(" ".join(item.split()), 120, subsequent_indent=indent)
        for item, indent in zip(items, indents, strict=True)
    )


def named(name: str) -> str:
    """Return the usual name of an engine or of instructions; what follows a comma stays."""
    first, comma, rest = name.partition(",")
    return f"{NAMES.get(first, first)}{comma}{rest}"


def processor(machine: Record) -> str:
    """Return words for a processor and the instructions that were used."""
    plain = re.sub(r"\((R|TM)\)| Processor| CPU.*| \d+-Core", "", machine["processor"]).strip()
    article = "an" if plain[0] in "AEIO" else "a"
    return f"{article} {plain} with {named(machine['instructions'])}"


def machine_words(machine: Record) -> str:
    """Return words for a machine and its threads; older records do not know about AMX."""
    extensions = machine.get("extensions")
    amx = "" if extensions is None else " and AMX" if "amx" in extensions else ", without AMX"
    return f"{machine['threads']} threads of {processor(machine)}{amx}"


def timings(case: Record) -> dict[Key, Record]:
    """Return the ms of each engine and precision."""
    return {(one["engine"], one["precision"]): one["milliseconds"] for one in case["engines"]}


def ratios(cases: Iterable[Record], ours: Key, theirs: Key) -> str | None:
    """Return how many times as fast the first is, from the least to the most over all cases."""
    times = [timings(case) for case in cases]
    found = [
        each[theirs]["median"] / each[ours]["median"]
        for each in times
        if ours in each and theirs in each
    ]
    return span(found) if found else None


def span(values: Sequence[float], decimals: int = 2) -> str:
    """Return the least and the most of some values."""
    return f"{min(values):.{decimals}f} to {max(values):.{decimals}f}"


def label(name: str, case: Record) -> str:
    """Return the name of a set of pictures, which says how much of BSD100 is used."""
    return name.replace("BSD100", f"BSD100 ({case['pictures']} of 100)")


def speed() -> Found:
    """Return the time of a frame in engines, and with each model."""
    engines = part("engines")
    rows = []
    for case in engines["cases"]:
        if case["threads"] == engines["machine"]["threads"]:
            width, height = (int(side) for side in case["size"].split("x"))
            times = timings(case).items()
            fp32 = {name: ms["median"] for (name, kind), ms in times if kind == "fp32"}
            rows.append({"size": f"{width}x{height} to {2 * width}x{2 * height}", **fp32})
    models = render("speed_models", Found({"": part("bench")["measurements"]}))
    return Found({"": rows}, {"models": models})


def models() -> Found:
    """Return the shipped models."""
    rows = [
        {
            "name": name,
            "use": use,
            "scale": re.findall(r"-x(\d)", name)[0],
            "parameters": results(f"model_{name}")["model"]["parameters"],
        }
        for name, (use, _) in MODELS.items()
    ]
    return Found({"": rows})


def quality(*, headlines: bool = False) -> Found:
    """Return PSNR and errors of reading, before and after, of all models."""
    rows = []
    for name, (_, headline) in MODELS.items():
        for pictures, case in results(f"model_{name}")["cases"].items():
            if not headlines or pictures == headline:
                totals = case["totals"]
                both = {"before": totals[case["baseline"]], "after": totals[name]}
                rows.append({"model": name, "label": label(pictures, case), **both})
    return Found({"": rows})


def sharpness() -> Found:
    """Return the NIQE of the model that was trained with an adversary, and of the other."""
    names = {"adversary": "photo-x4-gan", "pixels": "photo-x4"}
    cases = {key: results(f"model_{name}")["cases"]["Set14"] for key, name in names.items()}
    return Found({}, {key: cases[key]["totals"][name]["niqe"] for key, name in names.items()})


def video_speed() -> Found:
    """Return the frames per second of the whole command."""
    found = part("clip")
    rows = [
        {
            "command": f"restore-rt video {found['options'][way]}".strip(),
            "without": ", without encoder" * (kind == "without_encoder"),
            "in": one["precision"] if one["backend"] == "native" else named(one["backend"]),
            "small": one,
            "large": found["larger_clip"][kind][way],
        }
        for kind in ("frames_per_second", "without_encoder")
        for way, one in found[kind].items()
    ]
    return Found({"": rows})


def engine_speed() -> Found:
    """Return the times of engines in fp32, and ratios on other machines."""
    found = part("engines")
    cases, software = found["cases"], found["software"]
    times = [timings(case) for case in cases]
    rows = [
        {"name": name, "ms": [each.get((name, kind)) for each in times]}
        for name, kind in times[0]
        if kind == "fp32" and "," not in name
    ]
    versions = [
        f"{named(name)} {software[name].partition('+')[0]}"
        for name in ("onnxruntime", "openvino", "ncnn", "torch")
        if name in software
    ]
    values = {
        "versions": ", ".join(versions),
        "masked": beside(part("avx2")["masked"]["cases"])["fp32_onnxruntime"],
        "int8_onnxruntime": ratios(cases, ("native", "int8"), ("onnxruntime", "int8")),
        "int8_openvino": ratios(cases, ("native", "int8"), ("openvino", "int8")),
        "parameters": part("engines", EPYC)["model"]["parameters"],
        **beside(cases),
    }
    for key, machine in (("epyc", EPYC), ("amx", AMX)):
        there = beside(part("engines", machine)["cases"])
        values[f"{key}_fp32"] = there["fp32_onnxruntime"]
        values[f"{key}_bf16"] = there["bf16_onnxruntime"]
        values[f"{key}_openvino"] = there["bf16_openvino"]
    return Found({"": rows}, values, by_case(cases, "{{ms[{0}][median]:.2f}}"))


def by_case(cases: Sequence[Record], form: str) -> dict[str, str]:
    """Return a column for each case; `form` takes the case's number."""
    heads = [f"{case['size']}, {count_of(case['threads'], 'thread')}" for case in cases]
    return {head: form.format(at) for at, head in enumerate(heads)}


def beside(cases: Sequence[Record]) -> dict[str, str | None]:
    """Return how many times as fast as others the native backend is, in fp32 and in bf16."""
    found = {}
    for ours in ("fp32", "bf16"):
        for other, theirs in (("onnxruntime", "fp32"), ("openvino", ours)):
            found[f"{ours}_{other}"] = ratios(cases, ("native", ours), (other, theirs))
    return found


def other_speed() -> Found:
    """Return memory, tiles and the import."""
    sizes = part("scaling")["series"]["size"]
    largest = [each for each in sizes if each["frame"] == "3840x2160"]
    return Found({}, {each["backend"]: each["megabytes_beside_frames"] for each in largest})


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
    where = {name: machine_words(found["machine"]) for name, found in record["int8"].items()}
    values = {
        "pictures": next(iter(record["fp16"].values()))["pictures"],
        "onnxruntime": record["software"]["onnxruntime"],
        "machines": ", ".join(f"`{name}` on {words}" for name, words in where.items()),
    }
    return Found({"": rows}, values)


def card(block: str, name: str) -> str:
    """Return a block of a model's card."""
    if block == "speed":
        report = part("bench")
        (made,) = (each for each in report["measurements"] if each["model"]["name"] == name)
        values = {
            "ms": made["derived"]["p50_ms"],
            "threads": report["machine"]["threads"],
            "processor": processor(report["machine"]),
            "file": MACHINE,
            "where": "the " * (made["backend"] == "native") + named(made["backend"]),
        }
        return render("card_speed", Found({}, values))
    cases = results(f"model_{name}")["cases"]
    base = next(iter(cases.values()))["baseline"]
    if block == "lettering":
        columns = {
            f"{who}, {read}": f"{{case[totals][{who}][{key}]:.3f}}"
            for key, read in (("cer_page", "page"), ("cer", "lines"))
            for who in (base, name)
        }
        rows = [{"name": pictures, "case": case} for pictures, case in cases.items()]
        return render("card_lettering", Found({"": rows}, {}, columns))
    key = {"quality": "psnr_y", "sharpness": "niqe"}[block]
    whose = (base, name) if block == "quality" else (base, name.removesuffix("-gan"), name)
    rows = []
    for pictures, case in cases.items():
        told = label(pictures, case)
        row: Record = {"counted": told if told != pictures else f"{told} ({case['pictures']})"}
        for who in whose:
            of = name if who == base else who
            row[who] = results(f"model_{of}")["cases"][pictures]["totals"][who][key]
        rows.append(row)
    return render("card_quality", Found({"": rows}, {}, {who: f"{{{who}:.2f}}" for who in whose}))
