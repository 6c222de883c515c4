"""The cut of ONNX Runtime's CUDA provider, on a library made by hand."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).parent / "slim_onnxruntime.py"
# Of the parts of the file below.
ELF_HEADER, SECTION = 64, 64
NAMES = b"\0.shstrtab\0.nv_fatbin\0"
CONVOLUTION, ATTENTION = b".text._ZN4cuda7resizeEv", b".text._ZN5flash9attentionEv"


@pytest.fixture(scope="module")
def cut() -> Any:
    spec = importlib.util.spec_from_file_location("slim_onnxruntime", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entry(architecture: int, contents: bytes) -> bytes:
    """Return one architecture's code, uncompressed, exactly for it."""
    contents += b"\0" * (-len(contents) % 8)
    header = struct.pack(
        "<HHIQIIIIQQQ", 2, 0x101, 64, len(contents), 0, 0, 0, architecture, 0, 0, 0
    )
    header = header[:40] + struct.pack("<QQQ", 0x100011, 0, 0)
    return header + contents


def binary(*entries: bytes) -> bytes:
    """Return a fat binary, as there is one for each source file."""
    body = b"".join(entries)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


def library(*binaries: bytes) -> bytearray:
    """Return a 64-bit ELF file with a table of names and the section of device code."""
    code = b"".join(each + b"\0" * (-len(each) % 16) for each in binaries)
    names_at = ELF_HEADER
    code_at = names_at + len(NAMES) + (-len(NAMES) % 8)
    table = code_at + len(code)
    header = bytearray(ELF_HEADER)
    struct.pack_into("<Q", header, 40, table)
    struct.pack_into("<HHH", header, 58, SECTION, 2, 0)
    made = bytes(header) + NAMES.ljust(code_at - names_at, b"\0") + code
    for name, start, size in ((1, names_at, len(NAMES)), (11, code_at, len(code))):
        made += struct.pack("<IIQQQQ", name, 1, 0, 0, start, size).ljust(SECTION, b"\0")
    return bytearray(made)


def test_what_is_kept_is_one_architecture_without_language_models(cut: Any) -> None:
    image = library(
        binary(entry(80, CONVOLUTION), entry(90, CONVOLUTION)),
        binary(entry(80, ATTENTION), entry(90, ATTENTION)),
        # Most of this source file's kernels are others.
        binary(entry(90, CONVOLUTION + b"0\0" + CONVOLUTION + b"1\0" + ATTENTION)),
    )
    size, before = len(image), [*cut.codes(image)]
    kept, gone = cut.slim(image, 90)
    after = [*cut.codes(image)]
    assert len(image) == size
    assert [each.start for each in after] == [each.start for each in before]
    assert kept + gone == sum(each.size for each in before)
    assert [bytes(image[c.start : c.start + c.size]).strip(b"\0") != b"" for c in after] == [
        *(False, True, False, False, True)
    ]
    # The driver would choose what is still declared to be for its GPU, and fail on zeros.
    assert [each.architecture for each in after] == [80, 90, 80, cut.OTHER, 90]
    assert not after[3].flags & cut.EXACT


def test_another_layout_is_an_error(cut: Any) -> None:
    image = library(binary(entry(90, CONVOLUTION)))
    image[image.index(b".nv_fatbin") + 1] = ord("x")
    with pytest.raises(SystemExit, match=r"has no section \.nv_fatbin"):
        cut.slim(image, 90)
