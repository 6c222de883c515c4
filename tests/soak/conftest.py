"""What the soak tests share, and what they print in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.soak.trials import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Return what runs the command in processes that are measured."""
    with Server() as started:
        yield started


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what the damaged files came to, and other figures that tests recorded."""
    found: list[dict[str, Any]] = []
    lines: list[str] = []
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            recorded = dict(report.user_properties)
            found += [recorded["case"]] if "case" in recorded else []
            lines += [recorded["soak"]] if "soak" in recorded else []
    for kind in sorted({case["kind"] for case in found}):
        lines.append(_figures(kind, [case for case in found if case["kind"] == kind]))
    if lines:
        terminalreporter.section("soak")
        for line in lines:
            terminalreporter.write_line(line)


def _figures(kind: str, cases: list[dict[str, Any]]) -> str:
    codes = Counter(case["code"] for case in cases)
    ended = ", ".join(f"exit code {code}: {codes[code]}" for code in sorted(codes))
    longest = max(cases, key=lambda case: case["seconds"])
    largest = max(cases, key=lambda case: case["megabytes"])
    return (
        f"{kind}: {len(cases)} cases; {ended}; longest {longest['seconds']:.1f} s "
        f"({longest['number']}); most memory {largest['megabytes']:.0f} MB ({largest['number']})"
    )
