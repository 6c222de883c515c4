from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "onnx", "onnxruntime", "av", "PIL", "pycuda", "tensorrt", "typer", "rich")

SETTINGS = ("ORT_DISABLE_TELEMETRY",)


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_import_loads_no_heavy_library() -> None:
    loaded = run(
        f"import sys, restore_rt\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert loaded.strip() == "[]"


def test_import_works_where_heavy_libraries_are_missing() -> None:
    run(f"import sys\nfor name in {HEAVY!r}: sys.modules[name] = None\nimport restore_rt")


def test_onnxruntime_leaves_no_files(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        environment[name] = str(tmp_path)
    code = "import restore_rt; restore_rt.load('video-x2', backend='onnxruntime')"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert not list(tmp_path.rglob("*"))


def test_stages_are_not_imported_by_the_runtime() -> None:
    loaded = run(
        "import sys, restore_rt, restore_rt.restorer, restore_rt.tiled.session\n"
        "print([name for name in sys.modules if name.startswith("
        "('restore_rt.training', 'restore_rt.export'))])"
    )
    assert loaded.strip() == "[]"


def test_missing_onnxruntime_says_what_to_install() -> None:
    message = run(
        "import sys; sys.modules['onnxruntime'] = None\n"
        "import restore_rt\n"
        "print(restore_rt.load('video-x2').description)\n"
        "try: restore_rt.load('comic-x2')\n"
        "except restore_rt.RestoreError as error: print(error)"
    )
    assert "video-x2 on native backend" in message
    assert "restore-rt[cpu]" in message
    assert "cannot run the node 'node_max_pool2d' (MaxPool)" in message
