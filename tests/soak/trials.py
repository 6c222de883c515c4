"""Run the command many times, each time in a process of its own that is measured.

A server has imported everything and forks for each run, which then ends as the command does. Run
as a script, it reads lines of JSON from standard input and answers each with one.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import io
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from restore_rt.cli import main, run

__all__ = ["Outcome", "Server"]

# Address space, not memory: it keeps a run that fails from taking the machine along.
_MOST_BYTES = 16 << 30
# Threads of libraries that would start with the imports would not live on in the forked process.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    code
        Its exit code; of a signal, the negative number.
    seconds
        It took, by the clock on the wall.
    megabytes
        Its peak resident memory.
    stopped
        It took too long and was killed; where its threads were by then. "" if not.
    left_running
        Whether it left a process behind.
    """

    code: int
    seconds: float
    megabytes: float
    stopped: str
    left_running: bool


class Server:
    """Runs the command in forked processes, one at a time. A context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | _ENVIRONMENT,
        )

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.__exit__(kind, error, trace)  # closes its standard input, which ends it

    def run(
        self, arguments: Sequence[str], *, out: Path, said: Path, folder: Path, seconds: float
    ) -> Outcome:
        """Run the command to its end.

        Parameters
        ----------
        arguments
            After ``restore-rt``.
        out, said
            Files for its standard output and standard error.
        folder
            Where it keeps temporary files.
        seconds
            After which it is killed.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        asked = [list(arguments), str(out), str(said), str(folder), seconds]
        print(json.dumps(asked), file=process.stdin, flush=True)
        return Outcome(**json.loads(process.stdout.readline()))


def _become_the_command(arguments: list[str], out: str, said: str, folder: str) -> None:
    """Let this process have what a shell would have given the command."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    for number, path in ((1, out), (2, said)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ["TMPDIR"] = folder
    os.chdir(folder)
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    sys.argv = ["restore-rt", *arguments]


def _watch(child: int, seconds: float) -> dict[str, object]:
    """Wait for a process, for so long at most; return what an ``Outcome`` is made of."""
    begin = time.monotonic()
    watched = os.pidfd_open(child)
    stopped = ""
    if not select.select([watched], [], [], seconds)[0]:
        stopped = _threads(child)
        os.kill(child, signal.SIGUSR1)  # it writes where its Python is to its standard error
        select.select([watched], [], [], 2)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    os.close(watched)
    _, status, used = os.wait4(child, 0)
    took = time.monotonic() - begin
    left_running = True
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        left_running = False
    return {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": took,
        "megabytes": used.ru_maxrss / 1024,
        "stopped": stopped,
        "left_running": left_running,
    }


def _threads(process: int) -> str:
    """Return what each thread of a process waits for."""
    found = []
    for thread in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(OSError):
            name, place = ((thread / file).read_text().strip() for file in ("comm", "wchan"))
            found.append(f"{name} in {place}")
    return "; ".join(found) or "?"


def _serve() -> bool:
    """Fork for each request; return whether this is the forked process."""
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        arguments, out, said, folder, seconds = json.loads(line)
        child = os.fork()
        if child == 0:
            answers.close()
            _become_the_command(arguments, out, said, folder)
            return True
        print(json.dumps(_watch(child, seconds)), file=answers, flush=True)
    return False


def _import() -> None:
    """Import before the first fork what most runs need; nothing of it starts a thread."""
    from PIL import Image

    for name in ("imagecodecs", "pillow_heif", "rich.progress", "rich.table"):
        importlib.import_module(name)
    for name in ("images", "inspection", "native.runner", "tiled", "video"):
        importlib.import_module(f"restore_rt.{name}")
    Image.init()
    with contextlib.redirect_stdout(io.StringIO()):
        run(["models"])  # with it comes what reads arguments


if __name__ == "__main__":
    _import()
    if _serve():
        main()  # leaves with the command's exit code, as the command does
