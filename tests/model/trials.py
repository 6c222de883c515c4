"""Try files as models, each in a process of its own that is forked and measured: run as a script.

``python trials.py load,info,build MODEL...`` writes a line of JSON for each file.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx  # noqa: F401  # before the fork, so that it is imported once
import onnxruntime  # noqa: F401

import restore_rt
from restore_rt.cli import run

SECONDS = 60
# Address space, not memory: what keeps a test that fails from taking the machine along.
MOST_BYTES = 8 << 30


def frame() -> Any:
    """Return a small frame with something in it."""
    return np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def try_loading(path: str) -> dict[str, Any]:
    """Load a model and restore a frame."""
    try:
        with restore_rt.load(path, threads=1) as restorer:
            out = restorer(frame())
    except restore_rt.RestoreError as error:
        return {"error": str(error)}
    except BaseException as error:
        return {"raw": f"{type(error).__name__}: {error}"}
    return {"picture": hashlib.sha256(out.tobytes()).hexdigest(), "shape": out.shape}


def try_info(path: str) -> dict[str, Any]:
    """Run ``restore-rt info``."""
    out, said = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            code = run(["info", path, "--json"])
    except BaseException as error:
        return {"raw": f"{type(error).__name__}: {error}"}
    found = {"code": code, "said": said.getvalue()}
    if code == 0:
        found["intact"] = json.loads(out.getvalue())["intact"]
    return found


def try_building(path: str) -> dict[str, Any]:
    """Run ``restore-rt build`` for a GPU that need not be there."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "model.engine")
        line = ["build", path, "-o", str(out), "--library", "rtx", "--target", "sm86"]
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
                code = run([*line, "--profile", "1x32x32:1x48x64:1x64x64"])
        except BaseException as error:
            return {"raw": f"{type(error).__name__}: {error}"}
        left = sorted(file.name for file in Path(folder).iterdir())
    lines = said.getvalue().splitlines()
    errors = [line for line in lines if "building" not in line or ": error: " in line]
    return {"code": code, "said": errors, "left": left}


def measured(work: Any, path: str) -> dict[str, Any]:
    """Do work in a forked process; the result, with how it ended, its memory and its CPU time."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
        result = json.dumps(work(path)).encode()
        os.write(writer, result)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read()
    _, status, used = os.wait4(child, 0)
    return {
        **(json.loads(text) if text else {}),
        "status": status,
        "megabytes": used.ru_maxrss / 1024,
        "seconds": used.ru_utime + used.ru_stime,
    }


TRIALS = {"load": try_loading, "info": try_info, "build": try_building}


def main() -> None:
    """Try each file."""
    # What ONNX Runtime writes of its own accord is no part of the results.
    sys.stderr.flush()
    for path in sys.argv[2:]:
        results = {verb: measured(TRIALS[verb], path) for verb in sys.argv[1].split(",")}
        print(json.dumps({"path": path, **results}), flush=True)


if __name__ == "__main__":
    main()
