"""The timing cache: a file with TensorRT's measurements of earlier builds."""

from __future__ import annotations

import hashlib
from pathlib import Path

from restore_rt.errors import EngineError, InputError
from restore_rt.files import check_target, whole_file
from restore_rt.gpu.properties import Gpu
from restore_rt.tensorrt.library import Library

__all__ = ["check_timing_cache", "read_timing_cache", "write_timing_cache"]

_MAGIC = b"restore_rt timing cache 1"
_MOST_BYTES = 2**30
_FIX = "remove it or name another file"


def check_timing_cache(path: Path, library: Library) -> None:
    """Refuse, before any work, a cache that cannot be used or written.

    Raises
    ------
    InputError, OutputError
        The cache cannot be used or written.
    """
    if library.name == "rtx":
        raise InputError(
            f"{library} measures nothing while it builds, so it has no timing cache; leave "
            "--timing-cache out"
        )
    check_target(path, overwrite=True)


def read_timing_cache(path: Path, library: Library, gpu: Gpu | None) -> bytes:
    """Return the argument of ``create_timing_cache``; empty if there is no file yet.

    A damaged cache may crash TensorRT, so only an intact one is returned.

    Raises
    ------
    EngineError
        The file is damaged, or is of another version or GPU.
    """
    try:
        if not path.exists():
            return b""
        if path.stat().st_size > _MOST_BYTES:
            raise EngineError(f"the timing cache {path} has more than {_MOST_BYTES} bytes; {_FIX}")
        data = path.read_bytes()
    except OSError as error:
        raise EngineError(f"the timing cache {path} cannot be read: {error.strerror}") from error
    magic, checksum, rest = (*data.split(b"\n", 2), b"", b"")[:3]
    if magic != _MAGIC or checksum.decode(errors="replace") != hashlib.sha256(rest).hexdigest():
        raise EngineError(f"the timing cache {path} is damaged, or is none of restore-rt's; {_FIX}")
    header, _, blob = rest.partition(b"\n")
    wanted = _header(library, gpu)
    if header != wanted:
        was, now = (text.decode(errors="replace") for text in (header, wanted))
        raise EngineError(f"the timing cache {path} is of {was}, and this is {now}; {_FIX}")
    return blob


def write_timing_cache(path: Path, blob: bytes, library: Library, gpu: Gpu | None) -> None:
    """Write the measurements, replacing an existing file.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    rest = _header(library, gpu) + b"\n" + blob
    checksum = hashlib.sha256(rest).hexdigest().encode()
    with whole_file(path, overwrite=True) as temporary:
        temporary.write_bytes(b"\n".join((_MAGIC, checksum, rest)))


def _header(library: Library, gpu: Gpu | None) -> bytes:
    return f"{library} on {gpu}".encode()
