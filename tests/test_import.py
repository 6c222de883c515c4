from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "onnx", "onnxruntime", "av", "PIL", "pycuda", "tensorrt", "typer", "rich")


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
