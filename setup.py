"""The compiled part and the folders that install under another name; the rest is pyproject.toml."""

from __future__ import annotations

from pathlib import Path

from pybind11.setup_helpers import Pybind11Extension
from setuptools import find_namespace_packages, find_packages, setup

ROOT = Path(__file__).parent
STAGES = {"restore_rt.export": "export", "restore_rt.training": "training"}


def packages() -> list[str]:
    """Return the runtime's packages, and the stages' under the names that they import by."""
    found: list[str] = find_packages(include=["restore_rt", "restore_rt.*"])
    for name, folder in STAGES.items():
        # Recipes are a folder of data: to setuptools that is a package too.
        children = find_namespace_packages(folder, exclude=["*__pycache__*"])
        found += [name, *(f"{name}.{child}" for child in children)]
    return found


def extensions() -> list[Pybind11Extension]:
    """Return the CPU kernels with their bindings; other devices' extensions join this list."""
    sources = [p for part in ("cpu", "python") for p in (ROOT / "csrc" / part).glob("*.cpp")]
    return [
        Pybind11Extension(
            "restore_rt._ext",
            sorted(str(path.relative_to(ROOT)) for path in sources),
            include_dirs=["csrc"],
            depends=[str(p.relative_to(ROOT)) for p in (ROOT / "csrc").rglob("*.[hi]*")],
            cxx_std=17,
            # Contraction to fused multiply-adds would make results depend on the CPU.
            extra_compile_args=["-O3", "-ffp-contract=off", "-fvisibility=hidden", "-pthread"],
            extra_link_args=["-pthread"],
        )
    ]


setup(
    packages=packages(),
    package_dir=STAGES,
    package_data={
        "restore_rt": ["py.typed", "*.pyi", "zoo/*.onnx", "zoo/*.md"],
        "restore_rt.training": ["*.npz"],
        "restore_rt.training.recipes": ["*.toml"],
        "restore_rt.training.weights": ["*.safetensors", "*.md"],
    },
    ext_modules=extensions(),
)
