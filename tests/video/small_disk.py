"""Runs Python in another process, with little room to write to."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]

LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))"
"""What a script does first so that its files stay below 150 kB."""


def lines_of(code: str, *arguments: object) -> list[str]:
    """Return the lines that a script prints."""
    return _run([sys.executable, "-c", code, *map(str, arguments)])


def lines_on_small_disk(code: str, folder: Path, size: str, *arguments: object) -> list[str]:
    """Return the lines that a script prints while ``folder`` is a disk of a size, such as 200k."""
    unshare = shutil.which("unshare") or ""
    command = [unshare, "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size={size} none '{folder}'"
    if not unshare or subprocess.run([*command, mount], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    run = f'{mount} && exec "$@"'
    return _run([*command, run, "sh", sys.executable, "-c", code, *map(str, arguments)])


def _run(command: list[str]) -> list[str]:
    done = subprocess.run(
        command,
        cwd=_ROOT,
        env={"PYTHONPATH": str(_ROOT), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]
