"""Run the command as a user does, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import typer

from restore_rt.cli.app import app

START = "from restore_rt.cli import main; main()"


def restore_rt(
    *arguments: str | Path, before: str = "", folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``restore-rt`` to its end; ``before`` is Python that goes first."""
    line = [sys.executable, "-c", f"{before}\n{START}", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, cwd=folder, timeout=60, check=False)


def only_line(text: str) -> str:
    """Return the text, which must be one line."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]


def names_in(folder: Path) -> list[str]:
    """Return the names of all files in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


def command_of(*names: str) -> Any:
    """Return the verb of these names, as Typer knows it."""
    command: Any = typer.main.get_command(app)
    for name in names:
        command = command.commands[name]
    return command
