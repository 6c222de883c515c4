"""Puts what was measured on this machine into one file, ``results/<processor>.json``.

Each benchmark writes a part of its own; a part that is there already is replaced, the others stay
as they are, and each tells when it was made. Parts of another machine are refused.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from pathlib import Path
from typing import Any

from results_file import folder

from restore_rt.bench.machine import describe_machine, same_machine

RESULTS = Path(__file__).parent / "results"
PARTS = (
    *("startup", "frame", "kernels", "bench", "scaling", "engines", "avx2", "clip", "systems"),
    *("quality_cost", "agreement", "plan", "native"),
)


def main() -> None:
    """Collect what lies in the folder that ``RESTORE_RT_RESULTS`` names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=RESULTS, help="a folder")
    options = parser.parse_args()
    machine = describe_machine()
    target = options.into / f"{name_of(machine)}.json"
    found = parts(folder(), machine)
    if not found:
        raise SystemExit(f"nothing was measured: {folder()} has none of {', '.join(PARTS)}.json")
    before = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {"parts": {}}
    check_same(target, before.get("machine", {}), machine)
    kept = {name: part for name, part in before["parts"].items() if name not in found}
    together = {name: part for name in PARTS if (part := {**kept, **found}.get(name)) is not None}
    target.parent.mkdir(parents=True, exist_ok=True)
    minutes = minutes_since_start()
    if minutes is None:
        minutes = before.get("minutes_of_make_bench")
    record = {"machine": stable(machine), "minutes_of_make_bench": minutes, "parts": together}
    text = json.dumps(record, indent=1)
    target.write_text(text + "\n", encoding="utf-8")
    print(f"written: {target}: {', '.join(found)}" + (f"; kept: {', '.join(kept)}" * bool(kept)))


def parts(where: Path, machine: dict[str, Any]) -> dict[str, Any]:
    """Read what a folder has, without the machine, which is the same for all."""
    found = {}
    for name in PARTS:
        path = where / f"{name}.json"
        if not path.exists():
            continue
        part = json.loads(path.read_text(encoding="utf-8"))
        differing = same_machine(part.get("machine", {}), machine)
        if differing:
            raise SystemExit(
                f"{path} is of another machine than this ({'; '.join(differing)}): measure again, "
                "or remove it"
            )
        part["clocks"] = part.pop("machine").get("clocks")
        found[name] = part
    return found


def check_same(target: Path, before: dict[str, Any], machine: dict[str, Any]) -> None:
    """Refuse to mix machines of one name; what a former record does not tell is no matter."""
    known = {key: machine.get(key) for key in before}
    differing = same_machine(before, known)
    if differing:
        raise SystemExit(
            f"{target} is of another machine of that name ({'; '.join(differing)}): give a folder "
            "with --into"
        )


def minutes_since_start() -> float | None:
    """Return how long all took, if ``make bench`` said when it began; it is told once."""
    started = folder() / "started"
    if not started.exists():
        return None
    seconds = time.time() - float(started.read_text(encoding="ascii"))
    started.unlink()
    return round(seconds / 60, 1)


def stable(machine: dict[str, Any]) -> dict[str, Any]:
    """Return a machine without what differs from run to run."""
    return {key: value for key, value in machine.items() if key != "clocks"}


def name_of(machine: dict[str, Any]) -> str:
    """Return a name for a file: the processor, and what it computes with."""
    plain = re.sub(r"\((R|TM)\)|Processor|CPU|@.*|\d+-Core", " ", machine["processor"])
    words = [plain, machine["instructions"], *machine["extensions"]]
    return re.sub(r"[^a-z0-9]+", "-", " ".join(words).lower()).strip("-")


if __name__ == "__main__":
    main()
