"""Writes the figures of the README, the docs and the models' cards, from ``benchmarks/results``.

Whatever stands between ``<!-- figures: NAME -->`` and ``<!-- end of figures -->`` is written here:
run ``python benchmarks/figures.py`` after anything was measured. Two documents may use the same
name for different blocks. ``blocks.toml`` has the text and the columns of the blocks.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import benchmark_tables as own
import tables
from harness import ROOT
from tables import Found, part, render

ZOO = ROOT / "restore_rt" / "zoo"
README = ROOT / "README.md"
BENCHMARKS = ROOT / "benchmarks" / "README.md"
DOCS = tuple(ROOT / "docs" / f"{name}.md" for name in ("performance", "quality", "export"))
_BLOCK = re.compile(
    r"(?<=<!-- figures: )(\w+)( -->\n\n).*?(?=\n\n<!-- end of figures -->)", re.DOTALL
)

# By the name of a marker: the block in blocks.toml, and what finds its rows and values.
Blocks = Mapping[str, Callable[[], str]]


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
    return int(check and bool(old))


def documents() -> list[Path]:
    """Return the documents that have figures."""
    return [
        path for path in (README, BENCHMARKS, *DOCS, *sorted(ZOO.glob("*.md"))) if path.exists()
    ]


def written(path: Path) -> str:
    """Return a document with the figures of today's results."""
    blocks = blocks_of(path)

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


def blocks_of(path: Path) -> Blocks:
    """Return the blocks that a document may have."""
    if path.parent == ZOO:
        names = ("quality", "lettering", "sharpness", "speed")
        return {name: functools.partial(tables.card, name, path.stem) for name in names}
    return {README: _README, BENCHMARKS: _BENCHMARKS}.get(path, _DOCS)


def _block(name: str, find: Callable[[], Found]) -> Callable[[], str]:
    return lambda: render(name, find())


def _part(name: str, find: Callable[[tables.Record], Found], source: str) -> Callable[[], str]:
    return lambda: render(name, find(part(source)))


_README: Blocks = {
    "speed": _block("speed", tables.speed),
    "quality": _block("headlines", functools.partial(tables.quality, headlines=True)),
}
_DOCS: Blocks = {
    **{
        name: _block(name, getattr(tables, name))
        for name in (
            *("models", "quality", "sharpness", "video_speed"),
            *("engine_speed", "other_speed", "precisions"),
        )
    },
    "frame_speed": _part("frame_speed", own.frames, "bench"),
}
_BENCHMARKS: Blocks = {
    "machine": _block("machine", own.machine),
    "machines": _block("machines", own.machines),
    "frames": _part("frames", own.frames, "bench"),
    "masked": _part("engines", own.masked, "avx2"),
    **{
        name: _part(name, getattr(own, name), name)
        for name in ("agreement", "engines", "kernels", "quality_cost", "scaling", "systems")
    },
}


if __name__ == "__main__":
    sys.exit(main())
