"""What all figures are made of: results, tables, and words for a machine."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "processor", "results", "table"]

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
INSTRUCTIONS = {"avx512": "AVX-512", "avx2": "AVX2", "neon": "NEON"}


@functools.cache
def results(name: str) -> Any:
    """Return what a benchmark measured."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def processor(name: str, instructions: str) -> str:
    """Return words for a processor and the instructions that were used."""
    plain = re.sub(r"\((R|TM)\)| Processor| CPU.*| \d+-Core", "", name).strip()
    article = "an" if plain[0] in "AEIO" else "a"
    return f"{article} {plain} with {INSTRUCTIONS.get(instructions, instructions)}"
