"""The CUDA kernels compiled for the host, from the same sources: memory of the GPU is then ours."""

from __future__ import annotations

import fcntl
import importlib.machinery
import importlib.util
import os
import subprocess
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from types import ModuleType

import pybind11

from restore_rt import _ext

__all__ = ["load"]

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "csrc"
BUILD = ROOT / "build" / "host_kernels"
# A name of its own: the real one may be loaded beside it.
NAME = "_cuda_on_host"
FLAGS = (
    "-std=c++17",
    # More would take half as long again to compile, and the tests' frames are small.
    "-O1",
    "-ffp-contract=off",
    "-fPIC",
    "-fvisibility=hidden",
    "-Wall",
    "-Wextra",
    "-Werror",
    # What nvcc is told to unroll.
    "-Wno-unknown-pragmas",
    f"-DRRT_MODULE={NAME}",
    f"-I{SOURCES}",
    f"-I{pybind11.get_include()}",
    f"-I{sysconfig.get_paths()['include']}",
)


@lru_cache
def load() -> ModuleType:
    """Compile what has changed and import it; the API is that of ``restore_rt._cuda``."""
    target = BUILD / (NAME + sysconfig.get_config_var("EXT_SUFFIX"))
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        # Of several processes that run the tests, one compiles and the others wait for it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        _build(target)
    assert _ext  # it defines TileGrid
    loader = importlib.machinery.ExtensionFileLoader(NAME, str(target))
    spec = importlib.util.spec_from_file_location(NAME, target, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def _build(target: Path) -> None:
    sources = [
        *SOURCES.glob("cuda/*.c*"),
        *SOURCES.glob("python/cuda/*.cpp"),
        *(SOURCES / "python" / name for name in ("arrays.cpp", "jobs.cpp")),
    ]
    sources.remove(SOURCES / "cuda" / "graph.cu")  # host.cpp has another
    headers = max(path.stat().st_mtime for path in SOURCES.rglob("*.[hi]*"))
    objects = [BUILD / f"{path.parent.name}_{path.stem}.o" for path in sources]
    stale = [
        (path, made)
        for path, made in zip(sources, objects, strict=True)
        if not made.exists() or made.stat().st_mtime < max(headers, path.stat().st_mtime)
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda pair: _compile(*pair), stale))
    if stale or not target.exists():
        linked = target.with_suffix(f".{os.getpid()}")
        _run("-shared", *map(str, objects), "-o", str(linked))
        linked.replace(target)


def _compile(source: Path, target: Path) -> None:
    made = target.with_suffix(f".{os.getpid()}")
    _run("-c", "-x", "c++", str(source), "-o", str(made))
    made.replace(target)


def _run(*arguments: str) -> None:
    compiler = os.environ.get("CXX", "g++")
    done = subprocess.run([compiler, *FLAGS, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
