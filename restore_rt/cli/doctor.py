"""``restore-rt doctor``: what this machine can run, and why not."""

from __future__ import annotations

import importlib
import os
import platform
import time
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from restore_rt.cli import options
from restore_rt.cli.console import emit, parts_table, progress

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["doctor"]

# Import name, distributions that bring it, what it is for, what to install.
_LIBRARIES = (
    ("numpy", ("numpy",), "arrays", "numpy"),
    ("onnx", ("onnx",), "reading models", "onnx"),
    ("PIL", ("pillow",), "pictures", "pillow"),
    ("imagecodecs", ("imagecodecs",), "16-bit pictures", "imagecodecs"),
    ("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "networks", "restore-rt[cpu]"),
    ("av", ("av",), "video", "restore-rt[video]"),
    ("onnxscript", ("onnxscript",), "exporting models", "restore-rt[export]"),
    ("torch", ("torch",), "training and exporting models", "restore-rt[train]"),
    ("tensorrt", ("tensorrt",), "building engines on a GPU", "restore-rt[tensorrt]"),
    (
        "tensorrt_rtx_bindings",
        ("tensorrt_rtx_cu13_bindings",),
        "building engines without a GPU",
        "restore-rt[rtx]",
    ),
)
# Heavy to import and not needed to run a model: being installed is enough.
_NOT_IMPORTED = ("torch", "onnxscript", "tensorrt", "tensorrt_rtx_bindings")
_TEST_SHAPE = (48, 64, 3)
_TRIED = "video-x2"
# Of a reason in the summary.
_MOST_LETTERS = 150


def doctor(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show everything that was found.")
    ] = False,
    as_json: options.JsonOption = False,
) -> int:
    """Show what this machine can run, and what is missing for the rest.

    Restores a tiny picture on the CPU with each shipped model, and with one model on each GPU
    backend that can run here. The exit code is 1 if none of the models runs.
    """
    libraries = [_library(*entry) for entry in _LIBRARIES]
    tests = _self_test()
    report: dict[str, Any] = {
        "system": _system(),
        "libraries": libraries,
        "warnings": _conflicts(),
        "backends": _backends(libraries),
        "engine": _engine(),
        "encoders": _encoders(),
        "self_test": tests,
        "ok": any("error" not in test for test in tests),
    }
    emit(report, _table(report) if verbose else _summary(report), as_json=as_json)
    return 0 if report["ok"] else 1


def _system() -> dict[str, str]:
    from restore_rt import __version__, _ext
    from restore_rt.bench.machine import processor
    from restore_rt.threads import available_threads

    sets = [_ext.isa(), *("bf16",) * _ext.has_bf16(), *("vnni",) * _ext.has_vnni()]
    return {
        "restore_rt": f"{__version__} in {Path(__file__).parents[1]}",
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": platform.platform(),
        "processor": processor(),
        "threads": f"{available_threads()} for this process, {os.cpu_count()} in the machine",
        "instructions": f"{', '.join(sets)} (RESTORE_RT_ISA chooses another)",
    }


def _library(name: str, distributions: tuple[str, ...], use: str, package: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": distributions[0], "for": use}
    versions = [(dist, version) for dist in distributions if (version := _version(dist))]
    if not versions:
        return {**entry, "fix": f"pip install '{package}'"}
    entry["name"], entry["version"] = versions[0]
    if name not in _NOT_IMPORTED:
        try:
            importlib.import_module(name)
        except Exception as error:  # a broken binary raises anything
            return {**entry, "error": f"cannot be imported: {error}"}
    return entry


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _conflicts() -> list[str]:
    if not (_version("onnxruntime") and _version("onnxruntime-gpu")):
        return []
    both = "onnxruntime and onnxruntime-gpu overwrite each other's files"
    return [f"{both}: pip uninstall both, then install one"]


def _backends(libraries: list[dict[str, Any]]) -> dict[str, str]:
    runtime = next(entry for entry in libraries if entry["for"] == "networks")
    missing = runtime.get("fix") or runtime.get("error")
    networks = "native backend for plain networks"
    if not missing:
        networks += f", {runtime['name']} {runtime['version']} for all others"
    found = {"cpu": f"yes, {networks}{f'; for others {missing}' if missing else ''}"}
    from restore_rt.gpu_opening import GPU_BACKENDS

    return found | {f"{name} on cuda": _on_gpu(name) for name in GPU_BACKENDS}


def _on_gpu(backend: str) -> str:
    from restore_rt.gpu_opening import missing_here

    try:
        pieces = missing_here(backend)
    except Exception as error:  # whatever it is, it is the diagnosis
        pieces = [str(error)]
    return f"no: {'; '.join(pieces)}" if pieces else _trial(backend)


def _trial(backend: str) -> str:
    import numpy as np

    from restore_rt import load

    try:
        with load(
            _TRIED,
            device="cuda",
            backend=backend,  # type: ignore[arg-type]
            progress=partial(progress, total=None, unit="steps"),
        ) as restorer:
            restorer(np.zeros(_TEST_SHAPE[:2], np.uint8))
            return f"yes, {restorer.description}"
    except Exception as error:  # whatever it is, it is the diagnosis
        return f"no: {type(error).__name__}: {error}"


def _engine() -> dict[str, str]:
    """Return what the native backend's planner picked for each model that it can run, and why."""
    import onnx

    from restore_rt import _ext
    from restore_rt.model import registry as zoo
    from restore_rt.native.network import UnsupportedError, open_native

    ways = _ext.algorithms("bf16" if _ext.has_bf16() else "fp32") + _ext.algorithms("int8")
    found = {"algorithms": f"{', '.join(ways)}; for each layer the one that should be the fastest"}
    try:
        for manifest in zoo.models():
            model = onnx.load(zoo.path_of(manifest.name))
            try:
                network = open_native(model)
            except UnsupportedError as error:
                found[manifest.name] = f"ONNX Runtime: {error}"
                continue
            found["rings"] = f"{network.ring_bytes >> 10} KiB a thread, by the second-level cache"
            found[manifest.name] = f"{network.plan}; {network.description}"
    except Exception as error:  # whatever it is, it is the diagnosis
        found["error"] = f"{type(error).__name__}: {error}"
    return found


def _encoders() -> dict[str, str]:
    try:
        from restore_rt.video.codecs import CODECS
    except Exception as error:  # a broken binary raises anything
        return {"all": f"no: {error}"}
    from av.codec import Codec

    found: dict[str, str] = {}
    for name, codec in CODECS.items():
        try:
            Codec(codec.encoder, "w")
        except ValueError:
            found[name] = f"no: this build of av lacks {codec.encoder}"
        else:
            found[name] = f"yes, {codec.encoder}"
    return found


def _self_test() -> list[dict[str, Any]]:
    from restore_rt import load
    from restore_rt.model import registry as zoo

    try:
        names = [manifest.name for manifest in zoo.models()]
    except Exception as error:
        return [{"model": "", "error": f"the shipped models cannot be read: {error}"}]
    if not names:
        return [{"model": "", "error": "no model is shipped: reinstall restore-rt"}]
    tests: list[dict[str, Any]] = []
    for name in names:
        try:
            begin = time.perf_counter()
            with load(name, device="cpu") as restorer:
                loaded = time.perf_counter()
                restorer.warmup(_TEST_SHAPE)
                done = time.perf_counter()
                backend = restorer.backend
        except Exception as error:  # whatever it is, it is the diagnosis
            tests.append({"model": name, "error": f"{type(error).__name__}: {error}"})
        else:
            times = {"load_ms": 1e3 * (loaded - begin), "first_frame_ms": 1e3 * (done - loaded)}
            tests.append(
                {"model": name, "backend": backend}
                | {key: round(ms, 1) for key, ms in times.items()}
            )
    return tests


def _summary(report: dict[str, Any]) -> Table:
    """Return what fits on one screen; a long reason is cut, and ``-v`` shows it whole."""
    system, tests = report["system"], report["self_test"]
    rows = [(key, system[key]) for key in ("processor", "threads", "instructions")]
    for backend in dict.fromkeys(test["backend"] for test in tests if "backend" in test):
        names = [test["model"] for test in tests if test.get("backend") == backend]
        rows.append((f"{backend} runs", ", ".join(names)))
    failed = [test for test in tests if "error" in test]
    if failed:
        unable = ", ".join(test["model"] for test in failed)
        rows.append(("cannot run", f"{unable}: {_cut(failed[0]['error'])}"))
    gpu = [text for name, text in report["backends"].items() if name != "cpu"]
    works = [text for text in gpu if text.startswith("yes")]
    rows.append(("GPU", works[0] if works else _cut(gpu[0].split("; ")[0])))
    encoders = report["encoders"]
    usable = [name for name, text in encoders.items() if text.startswith("yes")]
    rows.append(("video", ", ".join(usable) or _cut(next(iter(encoders.values())))))
    libraries = [
        f"{each['name']} {each['version']}"
        for each in report["libraries"][:6]
        if "version" in each and "error" not in each
    ]
    versions = [f"restore_rt {system['restore_rt'].split()[0]}"]
    versions += [f"Python {system['Python'].split()[0]}", *libraries]
    rows.append(("versions", ", ".join(versions)))
    rows += [("warning", _cut(text)) for text in report["warnings"]]
    verdict = "ready" if report["ok"] else "no model runs here"
    rows.append(("verdict", f"{verdict} (restore-rt doctor -v shows everything)"))
    return parts_table([("This machine", rows)])


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]} ..."


def _table(report: dict[str, Any]) -> Table:
    table = parts_table(_parts(report))
    table.add_row("[bold]Verdict[/]", "ready" if report["ok"] else "no model runs here, see above")
    return table


def _parts(report: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    yield "This machine", list(report["system"].items())
    yield "Libraries", [(entry["name"], _state(entry)) for entry in report["libraries"]]
    if report["warnings"]:
        yield "Warnings", [("", text) for text in report["warnings"]]
    yield "Backends", list(report["backends"].items())
    yield "Native backend", list(report["engine"].items())
    yield "Video encoders", list(report["encoders"].items())
    height, width, _ = _TEST_SHAPE
    rows = [
        (
            test["model"],
            f"failed: {test['error']}"
            if "error" in test
            else f"works: loaded in {test['load_ms']} ms, first {width}x{height} picture in "
            f"{test['first_frame_ms']} ms",
        )
        for test in report["self_test"]
    ]
    yield "Self-test", rows


def _state(entry: dict[str, Any]) -> str:
    if "version" not in entry:
        return f"missing, for {entry['for']}: {entry['fix']}"
    state = f"{entry['version']}, for {entry['for']}"
    return f"{state}; {entry['error']}" if "error" in entry else state
