"""Cut ONNX Runtime's wheel for GPUs down to one architecture, so that it can be carried.

    python tests/packaging/slim_onnxruntime.py WHEEL FOLDER --architecture 90

The CUDA provider holds its device code once for each architecture in "fat binaries", one for each
source file. What other architectures would run is overwritten with zeros, and so is the code of
source files whose kernels serve language models (attention, mixtures of experts, 4-bit weights):
nine tenths of the rest. Nothing moves, so no address changes. A network that asks for a kernel that
was cut fails with "no kernel image is available". TensorRT's provider and the library for C are
left out. Needs the program zstd.
"""

from __future__ import annotations

import argparse
import re
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROVIDER = "onnxruntime/capi/libonnxruntime_providers_cuda.so"
LEFT_OUT = ("libonnxruntime_providers_tensorrt.so", "libonnxruntime.so.")
# Kernels of language models, by their mangled names.
CUT = re.compile(
    rb"cutlass|flash|[aA]ttention|[mM]oe|fpA_intB|3llm7kernels|kernel_mha|gated_delta|"
    rb"MatMulNBits|matmul_block_scaled|matmul_\dbits|[48]bits_batched|BeamSearch"
)
FAT, ELF = 0xBA55ED50, 2
# Among an entry's flags: compressed by zstd; for this very architecture, as sm_90a is.
COMPRESSED, EXACT = 0x8000, 0x100000
# What was cut is declared to be for this architecture, so that the driver passes over it.
OTHER = 75


class Code(NamedTuple):
    """One architecture's code of one source file: its header's place, and its contents' place."""

    header: int
    architecture: int
    start: int
    size: int
    used: int
    flags: int


def main() -> None:
    """Unpack a wheel without what is cut, and say what is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--architecture", type=int, default=90)
    chosen = parser.parse_args()
    if shutil.which("zstd") is None:
        raise SystemExit("zstd is missing, which unpacks device code: apt install zstd")
    with zipfile.ZipFile(chosen.wheel) as wheel:
        names = [n for n in wheel.namelist() if not Path(n).name.startswith(LEFT_OUT)]
        wheel.extractall(chosen.folder, names)
    path = chosen.folder / PROVIDER
    image = bytearray(path.read_bytes())
    kept, cut = slim(image, chosen.architecture)
    if not kept:
        raise SystemExit(f"{chosen.wheel} has no code for architecture {chosen.architecture}")
    path.write_bytes(image)
    print(f"{PROVIDER}: {kept / 1e6:.1f} MB of device code kept, {cut / 1e6:.1f} MB cut")


def slim(image: bytearray, architecture: int) -> tuple[int, int]:
    """Zero what is not needed, in place; return the bytes of code kept and cut."""
    kept = cut = 0
    for code in codes(image):
        if code.architecture == architecture and not _serves_language(_names(image, code)):
            kept += code.size
            continue
        image[code.start : code.start + code.size] = bytes(code.size)
        if code.architecture == architecture:
            struct.pack_into("<I", image, code.header + 28, OTHER)
            struct.pack_into("<Q", image, code.header + 40, code.flags & ~EXACT)
        cut += code.size
    return kept, cut


def codes(image: bytes | bytearray) -> Iterator[Code]:
    """Give all device code of a library's section ``.nv_fatbin``."""
    at, end = _section(image, b".nv_fatbin")
    while at + 16 <= end:
        magic, _, header, size = struct.unpack_from("<IHHQ", image, at)
        if magic != FAT:
            at += 8
            continue
        entry, at = at + header, at + header + size
        while entry < at:
            kind, _, header, size = struct.unpack_from("<HHIQ", image, entry)
            (used,) = struct.unpack_from("<I", image, entry + 16)
            (architecture,) = struct.unpack_from("<I", image, entry + 28)
            (flags,) = struct.unpack_from("<Q", image, entry + 40)
            if kind == ELF:
                yield Code(entry, architecture, entry + header, size, used, flags)
            entry += header + size


def _section(image: bytes | bytearray, wanted: bytes) -> tuple[int, int]:
    """Return where a section of a 64-bit ELF file begins and ends."""
    (table,) = struct.unpack_from("<Q", image, 40)
    size, count, named_by = struct.unpack_from("<HHH", image, 58)
    headers = [struct.unpack_from("<IIQQQQ", image, table + i * size) for i in range(count)]
    for name, _, _, _, start, length in headers:
        text = headers[named_by][4] + name
        if image[text : text + len(wanted) + 1] == wanted + b"\0":
            return start, start + length
    raise SystemExit(f"the provider has no section {wanted.decode()}: its layout has changed")


def _names(image: bytes | bytearray, code: Code) -> set[bytes]:
    """Return the mangled names of the kernels in a piece of code."""
    found = bytes(image[code.start : code.start + (code.used or code.size)])
    if code.flags & COMPRESSED:
        unpacked = subprocess.run(["zstd", "-dcq"], input=found, capture_output=True, check=True)
        found = unpacked.stdout
    return set(re.findall(rb"\.text\.([\w$]+)", found))


def _serves_language(names: set[bytes]) -> bool:
    """Return whether most kernels of a source file are such as language models alone need."""
    return sum(bool(CUT.search(name)) for name in names) > len(names) / 2


if __name__ == "__main__":
    main()
