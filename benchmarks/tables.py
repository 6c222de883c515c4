"""Writes the blocks of ``blocks.toml``, with the figures of ``benchmarks/results``."""

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

# Metrics of compressed clips, and how many digits they are told with.
DIGITS = {"psnr_y": 2, "vmaf": 2, "vmaf_neg": 2, "niqe": 2, "flicker": 3}

Record = dict[str, Any]
# An engine and a precision.
Key = tuple[str, str]


class Found(NamedTuple):
    """What a block shows: rows by title, values for its text, and further columns."""

    rows: Mapping[str, Iterable[Mapping[str, Any]]] = {}
    values: Mapping[str, Any] = {}
    columns: Mapping[str, str] = {}


@functools.cache
def toml(name: str) -> Any:
    """Return the content of a TOML file of this folder."""
    return tomllib.loads((ROOT / "benchmarks" / f"{name}.toml").read_text(encoding="utf-8"))


@functools.cache
def results(name: str) -> Any:
    """Return the content of a file of results."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def part(name: str, machine: str = MACHINE) -> Record:
    """Return a part of what was measured on a machine, with that machine."""
    record = results(machine)
    return {**record["parts"][name], "machine": record["machine"]}


def timed(model: str) -> tuple[Record, Record]:
    """Return how long a frame takes a shipped model, and the report: newer models are of EPYC."""
    for machine in (MACHINE, EPYC):
        report = {**part("bench", machine), "file": machine}
        for made in report["measurements"]:
            if made["model"]["name"] == model:
                return made, report
    raise KeyError(f"no frame of {model} was timed: make bench")


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
        if spec == "count":
            return str(len(value))
        if spec.startswith("span"):
            return span(value, spec.removeprefix("span"))
        if spec == "x":
            return f"{value[1]}x{value[0]}"
        if spec.startswith("to"):
            ends = (value["p10"], value["p90"]) if isinstance(value, dict) else value
            return " to ".join(format(end, spec[2:]) for end in ends)
        return str(super().format_field(value, spec))


class _Values(dict[str, Any]):
    """The values for a text; other names are parts or files of the results that are quoted."""

    def __missing__(self, name: str) -> Any:
        return results(name) if (RESULTS / f"{name}.json").exists() else part(name)


def render(name: str, found: Found) -> str:
    """Return a block as Markdown."""
    block, cells = toml("blocks")[name], _Cells()
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


def span(values: Sequence[float], spec: str = ".2f") -> str:
    """Return the least and the most of some values."""
    return f"{min(values):{spec}} to {max(values):{spec}}"


def cells(entry: Record) -> dict[str, str]:
    """Return a cell for each metric: the mean, and the difference with its interval."""
    told = {}
    for metric, digits in DIGITS.items():
        value = entry.get(metric)
        told[metric] = "" if value is None else f"{value['mean']:.{digits}f}"
        if value is not None and "difference" in value:
            told[metric] += f"; {value['difference']:+.{digits}f}"
        if value is not None and "low" in value:
            told[metric] += f" ({value['low']:+.{digits}f} to {value['high']:+.{digits}f})"
        if value is not None and value["clips"] < entry["clips"]:
            told[metric] += f", {value['clips']} clips"
    return told


def label(name: str, case: Record) -> str:
    """Return the name of a set of pictures, which says how much of BSD100 is used."""
    return name.replace("BSD100", f"BSD100 ({case['pictures']} of 100)")


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
