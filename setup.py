"""What is compiled, and the folders that install under another name; else see pyproject.toml."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension, build_ext
from setuptools import find_namespace_packages, find_packages, setup
from setuptools.errors import CompileError

ROOT = Path(__file__).parent
STAGES = {"restore_rt.export": "export", "restore_rt.training": "training"}
# Contraction to fused multiply-adds would make results depend on the CPU.
# Without debug information, which Python's own flags ask for, compiling takes a third less time.
FLAGS = ["-O3", "-g0", "-ffp-contract=off", "-fvisibility=hidden", "-pthread"]

# One compiler for each core that this process may use.
JOBS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

# Code for each GPU since Turing, and PTX of the last for those to come.
ARCHITECTURES = ("75", "80", "86", "89", "90", "100", "120")


def packages() -> list[str]:
    """Return the runtime's packages, and the stages' under the names that they import by."""
    found: list[str] = find_packages(include=["restore_rt", "restore_rt.*"])
    for name, folder in STAGES.items():
        # A folder without __init__.py is a package to setuptools, too.
        children = find_namespace_packages(folder, exclude=["*__pycache__*"])
        found += [name, *(f"{name}.{child}" for child in children)]
    return found


def sources(*patterns: str) -> list[str]:
    """Return the sources that match, relative to this folder."""
    found = [path for pattern in patterns for path in (ROOT / "csrc").glob(pattern)]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def extensions() -> list[Pybind11Extension]:
    """Return the extension of the CPU's kernels, and that of the GPU's where it is wanted."""
    options = {
        "include_dirs": ["csrc"],
        "cxx_std": 17,
        "extra_link_args": ["-pthread"],
    }
    bindings = sources("python/*.cpp")
    cpu = [joined(bindings), *sources("nn/*.cpp", "cpu/*.cpp")]
    depends = [*sources("**/*.[hi]*"), *bindings]
    found = [
        Pybind11Extension(
            "restore_rt._ext", cpu, extra_compile_args=FLAGS, depends=depends, **options
        )
    ]
    if wants_cuda():
        bindings = sources("python/cuda/*.cpp", "python/arrays.cpp", "python/jobs.cpp")
        bindings.remove("csrc/python/cuda/host_queue.cpp")
        flags = [*FLAGS, f"-DRRT_CUDA={','.join(architectures())}"]
        gpu = Pybind11Extension(
            "restore_rt._cuda", bindings, extra_compile_args=flags, depends=depends, **options
        )
        # Where nobody asked for it, a compiler that cannot build it is no hindrance.
        gpu.optional = os.environ.get("RESTORE_RT_CUDA") != "1"
        found.append(gpu)
    return found


def joined(bindings: list[str]) -> str:
    """Write a source file that includes the bindings, and return its path.

    pybind11's headers take most of the time that a file of bindings takes to compile, so they are
    read once for all of them.
    """
    path = ROOT / "build" / "bindings.cpp"
    text = "".join(f'#include "{Path(source).relative_to("csrc")}"\n' for source in bindings)
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return str(path.relative_to(ROOT))


def architectures() -> list[str]:
    """Return the compute capabilities to build for: what is asked for, else what nvcc knows."""
    wanted = os.environ.get("RESTORE_RT_CUDA_ARCHITECTURES")
    if wanted:
        if not re.fullmatch(r"[0-9]{2,3}(,[0-9]{2,3})*", wanted):
            raise SystemExit(
                f"RESTORE_RT_CUDA_ARCHITECTURES is {wanted!r}; give numbers as in 75,86"
            )
        return wanted.split(",")
    asked = [nvcc(), "--list-gpu-arch"]
    known = subprocess.run(asked, capture_output=True, text=True).stdout
    return [number for number in ARCHITECTURES if f"compute_{number}\n" in known + "\n"]


def wants_cuda() -> bool:
    """Return whether the GPU's kernels are built: where a GPU is present, or RESTORE_RT_CUDA is 1.

    A CUDA toolkit alone is no reason: its kernels take minutes to compile.
    """
    wanted = os.environ.get("RESTORE_RT_CUDA", "auto")
    if wanted not in ("0", "1", "auto"):
        raise SystemExit(f"RESTORE_RT_CUDA is {wanted!r}; allowed are 0, 1 and auto")
    if wanted == "0" or (wanted == "auto" and not any(Path("/dev").glob("nvidia[0-9]*"))):
        return False
    if shutil.which(nvcc()) and architectures():
        return True
    lacking = (
        f"there is no {nvcc()} that knows one of the GPUs {', '.join(ARCHITECTURES)}: install "
        "NVIDIA's CUDA toolkit, 11.1 or later, and put its bin folder on PATH, or name the "
        "compiler in NVCC"
    )
    if wanted == "1":
        raise SystemExit(f"RESTORE_RT_CUDA is 1, but {lacking}")
    print(f"A GPU is present, but {lacking}. Building for the CPU alone.", flush=True)
    return False


def nvcc() -> str:
    """Return CUDA's compiler; it may be a wrapper, so nothing is concluded from its path."""
    return os.environ.get("NVCC", "nvcc")


class BuildExtensions(build_ext):
    """Kernels in .cu files go through nvcc first; CUDA's runtime is linked statically."""

    def build_extension(self, extension: Pybind11Extension) -> None:
        """Compile and link one extension."""
        if extension.name == "restore_rt._cuda":
            with ThreadPoolExecutor(JOBS) as pool:
                made = list(pool.map(self._compile, map(Path, sources("cuda/*.cu"))))
            extension.extra_objects = [str(path) for path, _ in made]
            # setuptools looks at the dates of other files alone.
            self.force = self.force or any(anew for _, anew in made)
            extension.library_dirs = cuda_libraries()
            # The driver's library is opened when it is needed, so that the module imports without.
            extension.libraries = ["cudart_static", "dl", "rt"]
        super().build_extension(extension)

    def _compile(self, source: Path) -> tuple[Path, bool]:
        """Return an object, and whether it had to be made."""
        # Not in the temporary folder of an editable build: this takes minutes.
        target = ROOT / "build" / "cuda" / source.with_suffix(".o").name
        parts = [path for part in ("core", "cuda") for path in (ROOT / "csrc" / part).iterdir()]
        newest = max(path.stat().st_mtime for path in parts)
        wanted = architectures()
        # For those who develop it: other compilers warn of other things.
        strict = os.environ.get("RESTORE_RT_REQUIRE_ALL") == "1"
        command = [
            *(nvcc(), "-std=c++17", "-O3", "-Icsrc", "-Xcompiler", "-fPIC,-fvisibility=hidden"),
            # As on the CPU: the same results to the last bit.
            *("-fmad=false", "-Xfatbin", "-compress-all", "--threads", "1"),
            *(("-Werror", "all-warnings") if strict else ()),
            *(f"-gencode=arch=compute_{number},code=sm_{number}" for number in wanted),
            f"-gencode=arch=compute_{wanted[-1]},code=compute_{wanted[-1]}",
            *("-c", str(source), "-o", str(target)),
        ]
        stamp = target.with_suffix(".txt")
        fresh = target.exists() and target.stat().st_mtime > newest
        if fresh and stamp.exists() and stamp.read_text() == str(command):
            return target, False
        target.parent.mkdir(parents=True, exist_ok=True)
        print(" ".join(command), flush=True)
        if subprocess.run(command, cwd=ROOT).returncode:
            raise CompileError(f"{nvcc()} cannot compile {source}, see above")
        stamp.write_text(str(command))
        return target, True


def cuda_libraries() -> list[str]:
    """Return the folders that nvcc itself links from."""
    plan = subprocess.run(
        [nvcc(), "--dryrun", "-x", "cu", os.devnull], capture_output=True, text=True, check=True
    )
    return re.findall(r'"-L([^"]+)"', plan.stdout + plan.stderr)


# setuptools alone compiles one file after another.
ParallelCompile(default=JOBS).install()
setup(
    packages=packages(),
    package_dir=STAGES,
    package_data={
        "restore_rt": ["py.typed", "*.pyi", "zoo/**/*.onnx", "zoo/*.json", "zoo/**/*.md"],
        "restore_rt.training.features": ["*.safetensors", "*.md"],
        "restore_rt.training.recipes": ["*.toml"],
        "restore_rt.training.metrics": ["*.npz"],
    },
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildExtensions},
)
