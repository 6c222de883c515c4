"""What all figures are made of: results, tables, and words for a machine."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "MACHINE",
    "RESULTS",
    "ROOT",
    "engine_name",
    "machine_words",
    "part",
    "processor",
    "results",
    "table",
]

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
# Whose figures the README and the cards tell: a file of results.
MACHINE = "intel-xeon-avx512-bf16-vnni"
ENGINES = {
    "native": "native engine",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "ncnn": "ncnn",
    "torch": "PyTorch",
    "torch.compile": "PyTorch, compiled",
    "opencv dnn": "OpenCV dnn",
}
INSTRUCTIONS = {"avx512": "AVX-512", "avx2": "AVX2", "neon": "NEON"}


@functools.cache
def results(name: str) -> Any:
    """Return what a file of results holds."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def part(name: str, machine: str = MACHINE) -> Any:
    """Return what a benchmark measured on a machine, which stands beside it."""
    record = results(machine)
    return {**record["parts"][name], "machine": record["machine"]}


def machine_words(machine: dict[str, Any]) -> str:
    """Return words for a machine and the threads that were used."""
    name = processor(machine["processor"], machine["instructions"])
    # Former records do not tell.
    extensions = machine.get("extensions")
    amx = "" if extensions is None else " and AMX" if "amx" in extensions else ", without AMX"
    return f"{machine['threads']} threads of {name}{amx}"


def engine_name(name: str) -> str:
    """Return an engine's name as it is known; what follows a comma stays."""
    first, comma, rest = name.partition(",")
    return f"{ENGINES.get(first, first)}{comma}{rest}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def processor(name: str, instructions: str) -> str:
    """Return words for a processor and the instructions that were used."""
    plain = re.sub(r"\((R|TM)\)| Processor| CPU.*| \d+-Core", "", name).strip()
    article = "an" if plain[0] in "AEIO" else "a"
    return f"{article} {plain} with {INSTRUCTIONS.get(instructions, instructions)}"
