"""Run the tests that depend on the CPU as on CPUs with less; `make test-isa` calls this.

RESTORE_RT_ISA chooses the kernels of this package. ONNX Runtime asks the CPU itself, so a second
part masks what the CPU says. What cannot be run on this machine is printed, with the reason.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from restore_rt import _ext

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SETS = ("portable", "avx2-only", "avx512-only")
INT8 = ["tests/isa", "tests/export/test_quantization.py", "tests/native/test_native_int8.py"]
ALL = [*INT8, "tests/kernels", "tests/native/test_native.py", "tests/test_unchanged.py"]
PARALLEL = ["-n", "logical", "--dist", "loadscope"]
# A fault's handler is how the mask answers, and pytest would set one of its own.
MASKED = ["-p", "no:faulthandler", "-n", "0"]
LOOKS = ("rrt_sees_vnni", "rrt_sees_avx512")
LOOK = "import ctypes, os; raise SystemExit(ctypes.CDLL(os.environ['RESTORE_RT_MASK']).{}())"


def main() -> int:
    """Run everything that this machine can; return 1 if a test failed."""
    failed, missing = [], []
    for isa in SETS:
        if isa not in _ext.isas():
            missing.append(f"not run here: {isa}: this CPU has {', '.join(_ext.isas())}")
            continue
        print(f"== RESTORE_RT_ISA={isa}", flush=True)
        if not passes([*PARALLEL, *ALL], {"RESTORE_RT_ISA": isa}):
            failed.append(isa)
    with tempfile.TemporaryDirectory() as folder:
        mask = Path(folder) / "mask_cpuid.so"
        environment = {"LD_PRELOAD": str(mask), "RESTORE_RT_MASK": str(mask)}
        reason = why_no_mask(mask, environment)
        if reason:
            missing.append(f"the mask did not take effect: {reason}")
            print("== int8 against the oracle, with weights that could saturate", flush=True)
            done = passes(["tests/isa"], {})
        else:
            print("== CPUID masked: no AVX-512, no VNNI", flush=True)
            done = passes([*MASKED, "tests/isa/masked.py", *INT8], environment)
        if not done:
            failed.append("int8 against the oracle" if reason else "CPUID masked")
    for line in missing:
        print(line)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def passes(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Run pytest and return whether all tests passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not long", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment).returncode == 0


def why_no_mask(mask: Path, environment: Mapping[str, str]) -> str:
    """Build the mask and look through it; return why it hides nothing, or an empty text."""
    compiler = os.environ.get("CC", "cc").split()
    flags = ["-O2", "-shared", "-fPIC", str(HERE / "mask_cpuid.c"), "-o", str(mask)]
    try:
        subprocess.run([*compiler, *flags], check=True, capture_output=True, text=True)
    except OSError as error:
        return f"it needs a C compiler: {error}"
    except subprocess.CalledProcessError as error:
        return f"it is for Linux on x86-64, and does not compile here: {error.stderr.strip()}"
    for what in LOOKS:
        looked = subprocess.run(
            [sys.executable, "-c", LOOK.format(what)],
            env=os.environ | environment,
            capture_output=True,
            text=True,
        )
        if looked.returncode:
            return looked.stderr.strip() or f"CPUID still shows it ({what})"
    return ""


if __name__ == "__main__":
    sys.exit(main())
