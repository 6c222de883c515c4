"""The kernels on an NVIDIA GPU; ``restore_rt.reference`` says in NumPy what each of them computes.

There only where it was built with CUDA's compiler. It imports without a driver; then a call raises.

Arrays are anything in the GPU's memory that has ``__cuda_array_interface__``; they must live until
the work on them has ended. Work is queued on ``stream``, the handle of a CUDA stream other than the
default one, and nothing is allocated or waited for. Errors: ``restore_rt.errors.InputError`` for a
value, shape, dtype or layout that is not allowed, ``TypeError`` for what is no array, and
``restore_rt.errors.BackendError`` when CUDA fails, as it does without a driver. Results are
those of ``restore_rt._ext`` to the last bit.
"""

from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex, final

from restore_rt._ext import TileGrid

def split_into(
    tiles: Any,
    frame: Any,
    grid: TileGrid,
    *,
    first: SupportsIndex = 0,
    peak: float | None = None,
    shift: SupportsIndex = 0,
    black: float = 0.0,
    white: float = 1.0,
    stream: SupportsIndex,
) -> None:
    """Fill ``tiles[k]`` from tile ``first + k`` of a frame.

    Parameters
    ----------
    tiles, frame, grid, first, peak
        As in ``restore_rt._ext.split_into``.
    shift
        Low bits of a uint16 sample that are no part of it, 0 to 8: 6 in P010. The default of
        ``peak`` is then ``2**(16 - shift) - 1``.
    black, white
        What 0 and ``peak`` become in the tiles.
    """

def merge_into(
    frame: Any,
    tiles: Any,
    grid: TileGrid,
    *,
    flag: Any,
    rows: Sequence[SupportsIndex] | None = None,
    peak: float | None = None,
    shift: SupportsIndex = 0,
    black: float = 0.0,
    white: float = 1.0,
    stream: SupportsIndex,
) -> None:
    """Write the part of a frame that some rows of tiles complete.

    Parameters
    ----------
    frame, tiles, grid, rows, peak
        As in ``restore_rt._ext.merge_into``.
    flag
        One uint32, which becomes 1 if a value that went into the frame was NaN or infinite: do not
        use the frame then. It never becomes 0.
    shift, black, white
        As in ``split_into``.
    """

def upsample_into(
    dst: Any,
    src: Any,
    *,
    scale: SupportsIndex,
    phase: Sequence[float] = (0.5, 0.5),
    peak: float | None = None,
    shift: SupportsIndex = 0,
    stream: SupportsIndex,
) -> None:
    """Enlarge a plane, or two that are interleaved as (h, w, 2), by a whole number.

    Parameters
    ----------
    dst, src, scale, phase, peak
        As in ``restore_rt._ext.upsample_plane_into``.
    shift
        As in ``split_into``.
    """

@final
class Graph:
    """Work on a stream, recorded once and queued again as a whole."""

    @staticmethod
    def capture(stream: SupportsIndex, work: Callable[[], None]) -> Graph:
        """Record what ``work()`` queues on the stream; it does not run meanwhile.

        What ``work`` raises goes on, nothing is recorded, and the stream can be used as before.
        """

    def launch(self, stream: SupportsIndex) -> None:
        """Queue the recorded work. The graph must live until it has run."""

@final
class DlpackMemory:
    """Memory that ``from_dlpack`` took; given back when this is released."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]: ...

def to_dlpack(array: Any, device: int) -> Any:
    """Return a capsule that offers an array's memory, which is kept until the taker lets go.

    Parameters
    ----------
    array
        Integers or floats.
    device
        The number of the GPU.
    """

def from_dlpack(capsule: Any) -> DlpackMemory:
    """Take the memory of an NVIDIA GPU that a capsule, from ``__dlpack__``, offers; once only."""

def architectures() -> tuple[int, ...]:
    """Return the compute capabilities that it has code for, as in 75, 80."""
