"""Lay out the packages so that mypy checks the calls of TensorRT against NVIDIA's own signatures.

``python lay_out.py FOLDER`` puts into FOLDER, a neighbour of ``typed``, the packages with
``api.pyi`` in the place of ``restore_rt.tensorrt.api``, and the stubs of TensorRT 10.13. These
cannot be installed, since they require TensorRT itself, nor parsed before they are mended.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

STUBS = "tensorrt-stubs==10.13.0.35.1"
# What no parser takes, and a conversion that pybind11 makes and the signatures do not have.
MENDED = (
    (r"\bin: ", "in_: "),
    (r"channel_axis: int\)", "channel_axis: int = ...)"),
    (r"\b(min|opt|max): Dims\b", r"\1: Dims | tuple[int, ...]"),
)


def main(folder: Path) -> None:
    """Write the folder anew; what was downloaded is kept beside it."""
    wheels = folder.with_name("stubs")
    if not any(wheels.glob("*.whl")):
        line = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", wheels]
        subprocess.run([*map(str, line), STUBS], check=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        wheel.extractall(folder)
    mend(folder / "tensorrt_bindings" / "tensorrt.pyi")
    package = folder / "restore_rt"
    tensorrt = package / "tensorrt"
    tensorrt.mkdir(parents=True)
    for source in (folder.with_name("typed") / "restore_rt").resolve().iterdir():
        if source.name != "tensorrt":
            (package / source.name).symlink_to(source.resolve())
            continue
        for file in source.iterdir():
            if file.name != "api.py":
                (tensorrt / file.name).symlink_to(file.resolve())
    shutil.copy(Path(__file__).with_name("api.pyi"), tensorrt)


def mend(stub: Path) -> None:
    """Mend signatures, each on a line of its own."""
    lines = stub.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.lstrip().startswith("def "):
            for wrong, right in MENDED:
                line = re.sub(wrong, right, line)
            lines[number] = line
    stub.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
