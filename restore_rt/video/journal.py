"""What an interrupted run had finished, in a hidden folder beside its target."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from restore_rt.errors import InputError, OutputError
from restore_rt.files import journal_folder, output_error

__all__ = ["SEGMENT", "Journal", "Segment", "open_journal"]

SEGMENT = 250
"""Frames of a segment: as many as x264 and x265 put between two key frames at most."""

_NAME = "journal.jsonl"
_SCHEMA = 1
_READ_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Segment:
    """A finished one.

    Attributes
    ----------
    number
        From 0 on.
    first, last
        Times of its first and last frame.
    size, sha256
        Of its file.
    """

    number: int
    first: int
    last: int
    size: int
    sha256: str

    def __post_init__(self) -> None:
        """Refuse what a damaged journal may say."""
        numbers = (self.number, self.first, self.last, self.size)
        if not all(isinstance(value, int) for value in numbers):
            raise TypeError(f"{numbers} are not four whole numbers")


class Journal:
    """The segments that are finished, and what their frames depend on.

    Parameters
    ----------
    folder
        Where it lies; made if it is missing.
    identity
        See ``run_identity``.
    length
        Frames of a segment.

    Attributes
    ----------
    segments
        By their numbers.

    Raises
    ------
    InputError
        The folder holds a journal of another source, or of other options.
    OutputError
        The folder cannot be written, or another run is at work on it.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], length: int) -> None:
        self.folder = folder
        self.length = length
        self.segments: dict[int, Segment] = {}
        head = {"journal": _SCHEMA, **identity, "frames of a segment": length}
        try:
            folder.mkdir(exist_ok=True)
            self._file: BinaryIO = (folder / _NAME).open("a+b")
        except FileExistsError as error:
            raise OutputError(f"{folder} is a file; remove it, it is in the way") from error
        except OSError as error:
            raise output_error(error, folder) from error
        with ExitStack() as stack:
            stack.callback(self._file.close)
            self._lock()
            lines = self._whole_lines()
            try:
                if lines:
                    self._read(lines, head)
                else:
                    stack.callback(self.close, remove=True)  # there is nothing to lose
                    self._write(head)
                    _sync_folder(folder)
                    _sync_folder(folder.parent)
                self._remove_strays()
            except OSError as error:
                raise output_error(error, folder) from error
            stack.pop_all()

    @property
    def frames(self) -> int:
        """How many are in finished segments."""
        return len(self.segments) * self.length

    @property
    def end(self) -> int:
        """The number of frames up to the end of the last finished segment."""
        return (max(self.segments, default=-1) + 1) * self.length

    def path(self, number: int) -> Path:
        """Return where the packets of a segment lie."""
        return self.folder / f"segment-{number:06}"

    def holds(self, number: int, pts: int) -> bool:
        """Whether a frame, by its number and time, is in a finished segment whose file is whole.

        To be called for each frame in turn. The file is read at the first one of a segment; a
        segment that is damaged, or whose time is another, is forgotten.
        """
        segment = self.segments.get(number // self.length)
        if segment is None:
            return False
        if number % self.length:
            return True
        whole = segment.first == pts and _is_whole(self.path(segment.number), segment)
        if not whole:
            del self.segments[segment.number]
        return whole

    def add(self, segment: Segment) -> None:
        """Note that a segment is finished; its file must be on the disk."""
        try:
            _sync_folder(self.folder)
            self._write(asdict(segment))
        except OSError as error:
            raise output_error(error, self.folder) from error
        self.segments[segment.number] = segment

    def close(self, *, remove: bool) -> None:
        """Let go of it, and remove it with its segments if it is of no use any more."""
        with suppress(OSError), self._file:
            if remove:
                (self.folder / _NAME).unlink()
                self.segments.clear()
                self._remove_strays()
        with suppress(OSError):
            if remove:
                self.folder.rmdir()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"another run is at work in {self.folder}; wait for it or stop it"
            ) from error
        except OSError:
            pass  # a file system without locks

    def _whole_lines(self) -> list[bytes]:
        """Return the file's lines, without one that was being written when the power failed."""
        try:
            self._file.seek(0)
            lines = [line for line in self._file.readlines() if line.endswith(b"\n")]
            self._file.truncate(sum(map(len, lines)))
        except OSError as error:
            raise output_error(error, self.folder) from error
        return lines

    def _read(self, lines: list[bytes], head: Mapping[str, Any]) -> None:
        try:
            found = dict(json.loads(lines[0]))
            segments = [Segment(**json.loads(line)) for line in lines[1:]]
        except (ValueError, TypeError) as error:
            raise self._refusal("its journal is damaged") from error
        if found.get("journal") != _SCHEMA:
            raise self._refusal("its journal has another form")
        # Through JSON, so that both have its types.
        if (wanted := json.loads(json.dumps(head))) != found:
            raise self._refusal(_differences(found, wanted))
        self.segments = {segment.number: segment for segment in segments}

    def _write(self, entry: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _refusal(self, why: str) -> InputError:
        return InputError(
            f"{self.folder} is left of another run: {why}; give the same source, model and "
            "options, or remove that folder to begin anew"
        )

    def _remove_strays(self) -> None:
        """Remove files of segments that are not finished."""
        wanted = {self.path(number).name for number in self.segments}
        for path in self.folder.glob("segment-*"):
            if path.name not in wanted:
                path.unlink()


@contextmanager
def open_journal(
    target: Path, identity: Mapping[str, Any], on_note: Callable[[str], None]
) -> Iterator[Journal]:
    """Open the journal beside a target; it is removed when the block succeeds.

    After an error it stays if any segment is finished, and ``on_note`` is told of it.

    Raises
    ------
    InputError, OutputError
        As ``Journal``.
    """
    journal = Journal(journal_folder(target), identity, SEGMENT)
    try:
        yield journal
    except BaseException:
        if journal.frames:
            on_note(
                f"{journal.frames} restored frames are kept in {journal.folder}: the same command "
                "with --resume goes on from there"
            )
        journal.close(remove=not journal.frames)
        raise
    journal.close(remove=True)


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Say in what two runs differ."""
    names = [name for name in {**found, **wanted} if found.get(name) != wanted.get(name)]
    return ", ".join(
        f"the {name} was {found.get(name)} and is {wanted.get(name)}" for name in names
    )


def _is_whole(path: Path, segment: Segment) -> bool:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size != segment.size:
                return False
            while data := file.read(_READ_AT_ONCE):
                digest.update(data)
    except OSError:
        return False
    return digest.hexdigest() == segment.sha256


def _sync_folder(folder: Path) -> None:
    """Bring the names of a folder's files to the disk, where its file system can do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
