"""What tells whether a run would give the same frames as another."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import av

from restore_rt import __version__
from restore_rt.errors import InputError, MediaError
from restore_rt.model.manifest import Manifest
from restore_rt.video.encoding import Encoding

__all__ = ["run_identity"]

# So much of the source is read to recognize it: as many pieces, of so many bytes.
_PIECES, _PIECE = 16, 1 << 16
# Options of encoders that have another name on the command line.
_OPTIONS = {"crf": "quality", "x265-params": "list of x265's parameters"}


def run_identity(
    source: Path, manifest: Manifest, network: str, encoding: Encoding, deinterlace: str
) -> dict[str, Any]:
    """Return all that the frames of a result depend on, by names for people.

    Parameters
    ----------
    source
        The file that is read.
    manifest, network
        The model, and what runs it in words.
    encoding
        How frames are encoded.
    deinterlace
        How interlaced frames become pictures.

    Raises
    ------
    InputError
        The source is no regular file.
    MediaError
        It cannot be read.
    """
    settings = encoding.settings
    return {
        "version of restore-rt": __version__,
        "version of PyAV": av.__version__,
        **_source_identity(source),
        "model": f"{manifest.name} {manifest.version}",
        "model's checksum": f"{manifest.sha256} {manifest.checksum}".strip(),
        "network": network,
        "size": f"{encoding.width}x{encoding.height}",
        "codec": settings.codec,
        **{_OPTIONS.get(name, name): value for name, value in settings.options.items()},
        "pixel format": encoding.pixel_format,
        "deinterlacing": deinterlace,
        "number of threads": encoding.threads,
    }


def _source_identity(path: Path) -> dict[str, Any]:
    """Return a file's size, its time of change and the checksum of some parts."""
    if not path.is_file():
        raise InputError(f"--resume needs a source that is one file, and {path} is not")
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            for piece in range(_PIECES):
                file.seek(max(0, state.st_size - _PIECE) * piece // (_PIECES - 1))
                digest.update(file.read(_PIECE))
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror}") from error
    return {
        "source's size": state.st_size,
        "source's time of change": state.st_mtime_ns,
        "source's checksum": digest.hexdigest(),
    }
