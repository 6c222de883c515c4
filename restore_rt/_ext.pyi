"""The compiled kernels; ``restore_rt.reference`` says in NumPy what each of them computes.

Errors: ``restore_rt.errors.InputError`` (a ``ValueError``) for a value, shape, dtype or layout
that is not allowed, ``TypeError`` for what is not an array or a number at all. All arguments are
checked before any array is touched, and the GIL is released while a kernel runs. Results do not
depend on the instruction set or on ``threads``.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, SupportsIndex

import numpy as np
from numpy.typing import NDArray

class TileGrid:
    """Where tiles lie on a frame, and over which pixels they are joined.

    Along each axis the length is rounded up to ``multiple``. If that fits in the tile there is
    one tile; else the fewest whose neighbours share at least ``overlap``, spread evenly from the
    frame's begin to its end. What lies outside the frame is its reflection, or its edge repeated
    where it is too small to reflect.

    Parameters
    ----------
    height, width
        The frame, in input pixels, each 1 to 2**20.
    tile
        The network's input window, or (height, width) of it; multiples of ``multiple``.
    overlap
        Input pixels that neighbours share at least: 0 to tile - 1, a multiple of ``multiple``.
    halo
        Input pixels that are discarded on each inner side.
    feather
        Input pixels over which one tile takes over from the other, at most ``overlap - 2 * halo``,
        which is the default; 0 is a hard cut.
    scale
        Output pixels for each input pixel along an axis, 1 to 16.
    multiple
        The network's size rule.

    Raises
    ------
    InputError
        If an argument is out of range, or if some pixel would need three tiles along an axis.
    """

    def __init__(
        self,
        height: SupportsIndex,
        width: SupportsIndex,
        tile: SupportsIndex | Sequence[SupportsIndex],
        *,
        overlap: SupportsIndex,
        halo: SupportsIndex,
        feather: SupportsIndex | None = None,
        scale: SupportsIndex = 1,
        multiple: SupportsIndex = 1,
    ) -> None: ...
    @staticmethod
    def fit(
        length: SupportsIndex,
        tile: SupportsIndex,
        *,
        overlap: SupportsIndex,
        halo: SupportsIndex,
        feather: SupportsIndex,
        multiple: SupportsIndex = 1,
        step: SupportsIndex = 1,
    ) -> int:
        """Return the smallest side that needs no more tiles along an axis than ``tile`` does.

        A multiple of ``step`` (itself one of ``multiple``) unless that is more than ``tile``; where
        one tile is enough, ``length`` rounded up to ``multiple``.
        """

    @staticmethod
    def least(
        *, overlap: SupportsIndex, feather: SupportsIndex, multiple: SupportsIndex = 1
    ) -> int:
        """Return a side from which on no frame needs three tiles for one pixel."""

    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def tile(self) -> tuple[int, int]: ...
    @property
    def overlap(self) -> int: ...
    @property
    def halo(self) -> int: ...
    @property
    def feather(self) -> int: ...
    @property
    def scale(self) -> int: ...
    @property
    def multiple(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def cols(self) -> int: ...
    @property
    def count(self) -> int:
        """Tiles in all; tile ``t`` is in row ``t // cols`` and column ``t % cols``."""

    @property
    def output_shape(self) -> tuple[int, int]:
        """(height, width) in output pixels."""

    def starts_y(self) -> list[int]:
        """First input row of each row of tiles."""

    def starts_x(self) -> list[int]:
        """First input column of each column of tiles."""

def split_into(
    tiles: NDArray[Any],
    frame: NDArray[Any],
    grid: TileGrid,
    *,
    first: SupportsIndex = 0,
    peak: float | None = None,
    threads: SupportsIndex = 1,
) -> None:
    """Fill ``tiles[k]`` from tile ``first + k`` of a frame, each sample divided by ``peak``.

    Parameters
    ----------
    tiles
        (n, C, tile height, tile width), float32 or float16, C-contiguous; written.
    frame
        (H, W) or (H, W, C) with C 1, 3 or 4; uint8, uint16 or float32, any strides.
    grid
        For this height and width.
    first
        The first tile, 0 to ``grid.count - n``.
    peak
        The sample value that becomes 1; by default 255, 65535 or 1.0.
    threads
        At most so many threads, 1 to 256; small work takes fewer.
    """

def merge_into(
    frame: NDArray[Any],
    tiles: NDArray[Any],
    grid: TileGrid,
    *,
    rows: Sequence[SupportsIndex] | None = None,
    peak: float | None = None,
    threads: SupportsIndex = 1,
) -> bool:
    """Write the part of a frame that some rows of tiles complete.

    Values are multiplied by ``peak``; for integer frames then clamped to 0..peak and rounded,
    halves to even.

    Parameters
    ----------
    frame
        (H * scale, W * scale) or the same with C channels, 1, 3 or 4; uint8, uint16 or float32,
        any strides of elements that do not overlap; written.
    tiles
        (K, C, tile height * scale, tile width * scale), float32 or float16, C-contiguous. Tile
        ``t`` is in slot ``t % K``: two rows of tiles are enough for a frame merged row by row.
    grid
        For the frame's input height and width.
    rows
        Rows of tiles, (begin, end): what is written begins with the ramp that row ``begin`` shares
        with the row before, which is read too if ``feather`` is not 0, and ends where the next
        ramp begins. By default all.
    peak
        By default 255, 65535 or 1.0.
    threads
        At most so many threads, 1 to 256; small work takes fewer.

    Returns
    -------
    bool
        False if a value that went into the frame was NaN or infinite: do not use the frame then.
    """

def upsample_plane_into(
    dst: NDArray[Any],
    src: NDArray[Any],
    *,
    scale: SupportsIndex,
    phase: Sequence[float] = (0.5, 0.5),
    peak: float | None = None,
    threads: SupportsIndex = 1,
) -> None:
    """Enlarge a plane by a whole number: bicubic (Catmull-Rom, Keys 1981 with a = -0.5).

    Sample ``j`` along an axis comes from position ``(j + phase) / scale - phase`` of the source,
    whose edges are repeated. Integers are clamped to 0..peak and rounded, halves to even.

    Parameters
    ----------
    dst
        (h, w), uint8, uint16 or float32, any strides of elements that do not overlap; written.
        Each side is that of ``src`` times ``scale``, or less by less than ``scale``.
    src
        2-D, the same dtype, any strides.
    scale
        1 to 8; 1 copies.
    phase
        (vertical, horizontal), each 0 to 1: 0.5 for centred samples, 0.25 for chroma that lies on
        the first of its two luma samples.
    peak
        By default 255 or 65535; without effect on float32.
    threads
        At most so many threads, 1 to 256; small work takes fewer.
    """

def luma_into(luma: NDArray[Any], frame: NDArray[Any], *, threads: SupportsIndex = 1) -> None:
    """Make the luma of an RGB frame: BT.601 in limited range, 16/255 to 235/255.

    Parameters
    ----------
    luma
        (H, W), float32, C-contiguous; written.
    frame
        (H, W, 3), uint8, uint16 or float32, any strides. Integers span their type, floats 0 to 1.
    threads
        At most so many threads, 1 to 256; small work takes fewer.
    """

def colour_into(
    out: NDArray[Any],
    frame: NDArray[Any],
    luma: NDArray[Any],
    *,
    scale: SupportsIndex,
    threads: SupportsIndex = 1,
) -> bool:
    """Enlarge an RGB frame as ``upsample_plane_into`` does, with its luma replaced.

    The difference between ``luma`` and the enlarged frame's luma is added to all three channels.
    The order of ``frame`` and ``out``, RGB, is that of their last axis, whose stride may be
    negative: a BGR frame is given as ``frame[..., ::-1]``.

    Parameters
    ----------
    out
        (H * scale, W * scale, 3), the frame's dtype, any strides of elements that do not overlap;
        written. Integers are clamped and rounded, halves to even.
    frame
        (H, W, 3), uint8, uint16 or float32, any strides.
    luma
        (H * scale, W * scale), float32, C-contiguous, as ``luma_into`` makes it.
    scale
        1 to 16.
    threads
        At most so many threads, 1 to 256; small work takes fewer.

    Returns
    -------
    bool
        False if a value that went into ``out`` was NaN or infinite: do not use it then.
    """

def chroma_inputs_into(
    inputs: NDArray[Any],
    planes: Sequence[NDArray[Any] | None],
    *,
    bit_depth: SupportsIndex = 8,
    threads: SupportsIndex = 1,
) -> None:
    """Make what a chroma network reads of a 4:2:0 frame whose chroma lies on left luma samples.

    For each sample of chroma: the four luma samples that belong to it (channels 0 to 3); Cb and Cr
    less grey (4, 5); the detail that Cb (6 to 9) and Cr (10 to 13) have at these four places if
    they follow luma as they do around; and what Cb and Cr, less grey, then are at the sample itself
    (14, 15). Chroma follows luma by a straight line over 7x7 samples, whose slope is averaged over
    7x7; detail is what luma differs by from its mean over 3x3. After He, Sun and Tang, "Guided
    image filtering", 2010.

    Parameters
    ----------
    inputs
        (h, w, 16), float32, C-contiguous; written.
    planes
        Y (H, W), Cb and Cr (ceil(H/2), ceil(W/2)), all uint8 or all uint16, any strides.
    bit_depth
        8 for uint8, 9 to 16 for uint16; samples are divided by ``2**bit_depth - 1``.
    threads
        At most so many threads, 1 to 256; the result does not depend on them.
    """

def fill_holes(
    frame: NDArray[Any],
    mask: NDArray[np.uint8],
    *,
    sweeps: SupportsIndex = 4,
    threads: SupportsIndex = 1,
) -> None:
    """Replace a frame's pixels under a mask by push-pull, in place.

    Known pixels are averaged into a pyramid by halves (Gortler et al., "The Lumigraph", 1996, with
    weights of 0 and 1), up to the first level without holes. From there each level's holes are
    filled bilinearly from the level above and then relaxed, in Gauss and Seidel's way, towards the
    mean of their four neighbours.

    Parameters
    ----------
    frame
        (H, W) or (H, W, C) with C 1, 3 or 4; uint8, uint16 or float32, any strides of elements that
        do not overlap; written where the mask is not 0. What lies there is not looked at.
    mask
        (H, W), uint8; 0 is known. A pixel at least must be known.
    sweeps
        Passes over each level's holes, there and back: 0 to 1000.
    threads
        At most so many threads, one for each channel; the result does not depend on them.
    """

def hole_depth_into(depth: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """Tell how far each pixel whose mask is not 0 is from the nearest with 0; at most 255.

    Distances are counted along rows, columns and diagonals.

    Parameters
    ----------
    depth
        (H, W), uint8, C-contiguous; written.
    mask
        (H, W), uint8, any strides.
    """

def halve_into(
    half: NDArray[Any],
    half_mask: NDArray[np.uint8],
    frame: NDArray[Any],
    mask: NDArray[np.uint8],
) -> None:
    """Make half of a frame, each pixel the mean of the known ones among its four.

    Parameters
    ----------
    half
        (ceil(H / 2), ceil(W / 2)) with the frame's channels and dtype; written, 0 in holes.
    half_mask
        (ceil(H / 2), ceil(W / 2)), uint8; written: 255 where none of the four is known, else 0.
    frame, mask
        As for ``fill_holes``; only read.
    """

def blend_half(
    frame: NDArray[Any],
    half: NDArray[Any],
    depth: NDArray[np.uint8],
    *,
    radius: SupportsIndex,
) -> None:
    """Go over to a half of a frame, enlarged bilinearly, deep in holes; in place.

    Its weight is ``(depth - radius) / radius``, between 0 and 1.

    Parameters
    ----------
    frame
        As for ``fill_holes``; written where ``depth`` is above ``radius``.
    half
        (ceil(H / 2), ceil(W / 2)) with the frame's channels and dtype.
    depth
        (H, W), uint8, as ``hole_depth_into`` makes it.
    radius
        1 to 254.
    """

class Network:
    """A network of convolutions, over whole frames, on the CPU.

    Keeps the instruction set that was in use when it was made, on which the last bits of its
    results depend. Safe to call from several threads.

    Parameters
    ----------
    layers
        Each a dict. Values are numbered, 0 being the frame and ``i + 1`` what layer ``i`` makes.
        ``step`` is ``"convolution"``, or ``"nearest"`` or ``"bilinear"`` (half-pixel centres) with
        a ``factor`` of 2 to 4; ``source`` is the value that it reads. ``"shuffle"`` makes pixels
        of channels, those of the first place in a block of ``factor`` a side coming first;
        ``"frame"`` is the frame itself, ``factor`` times as large as value 0, of which it is made
        in smaller blocks than those of ``unshuffle``, or none. A convolution pads with
        zeros and has ``weights`` (outputs, inputs, side, side) with a side of 1 or 3, a ``bias``,
        and may have a ``residual``, a value that is added, and an ``activation``: ``"none"``,
        ``"relu"``, ``"leaky"`` with ``slopes`` for each channel, or ``"clip"`` with ``low`` and
        ``high``.

        In int8: ``"quantise"`` makes bytes of floats by ``result``, a scale and a zero point, and
        ``"dequantise"`` floats of bytes. A convolution of bytes has ``scales``, one for each
        output, and ``weights`` that are whole numbers from -128 to 127; it may round what it sums
        to a ``result``, and keep that in ``bytes`` (True), to which ``"relu"`` alone is applied and
        nothing added.
    channels
        Of the frame: 1, 3 or 4; or 16 of a chroma network, see ``run_chroma_into``.
    shuffle
        Side of the block of pixels that the last layer's channels become: 1 to 4, 6 or 8.
    unshuffle
        Side of the blocks of pixels that become value 0's channels: 1, 2 or 4. Above 1, value 0 has
        ``channels * unshuffle**2`` channels and is smaller than the frame by that factor; a frame
        that ends within a block goes on by reflection.
    precision
        ``"fp32"``; or ``"bf16"`` where ``has_bf16()``, which layers take only where it is faster.
    algorithms
        What each convolution may be made by, of those that ``algorithms()`` lists; by default any.
        One that none of them can make is made directly.
    ring_bytes
        Of the memory that a thread goes round in; by default what suits the CPU's cache.

    Raises
    ------
    InputError
        There can be no such network, or the CPU lacks what it needs.
    """

    def __init__(
        self,
        layers: Sequence[Mapping[str, Any]],
        *,
        channels: SupportsIndex,
        shuffle: SupportsIndex = 1,
        unshuffle: SupportsIndex = 1,
        precision: str = "fp32",
        algorithms: Sequence[str] | None = None,
        ring_bytes: SupportsIndex | None = None,
    ) -> None: ...
    @property
    def channels(self) -> int: ...
    @property
    def colours(self) -> int:
        """Channels of the result."""

    @property
    def scale(self) -> int:
        """Size of the result over that of the frame."""

    @property
    def plan(self) -> list[str]:
        """The algorithm of each layer; empty for a layer that is no convolution."""

    @property
    def ring_bytes(self) -> int: ...
    def run_into(
        self,
        out: NDArray[Any],
        frame: NDArray[Any],
        *,
        threads: SupportsIndex = 1,
        peak: float | None = None,
        band_rows: SupportsIndex | None = None,
        boxes: Sequence[tuple[int, int, int, int]] | None = None,
    ) -> bool:
        """Restore a frame: each sample divided by ``peak``, the results multiplied by it.

        Parameters
        ----------
        out
            (H * scale, W * scale) or the same with ``colours`` channels; the frame's dtype, any
            strides of elements that do not overlap; written.
        frame
            (H, W) or (H, W, C) with ``channels`` channels; uint8, uint16 or float32, any strides.
        threads
            At most so many threads, 1 to 256; the result does not depend on it.
        peak
            By default 255, 65535 or 1.0.
        band_rows
            Rows of the frame that a thread works on at a time, by default its whole share; the
            result does not depend on it.
        boxes
            Parts of the result to make, by default the whole: top, left, bottom and right in its
            pixels, multiples of the scale (times ``unshuffle``) or the result's edges. They must
            not overlap. What lies outside of them is left as it is.

        Returns
        -------
        bool
            False if a value that went into ``out`` was NaN or infinite: do not use it then.
        """

    def run_colour_into(
        self,
        out: NDArray[Any],
        frame: NDArray[Any],
        *,
        threads: SupportsIndex = 1,
        band_rows: SupportsIndex | None = None,
        boxes: Sequence[tuple[int, int, int, int]] | None = None,
    ) -> bool:
        """Restore the luma of an RGB frame and enlarge its chroma, in one pass.

        For networks that take and make one channel. The result is that of ``luma_into``,
        ``run_into`` and ``colour_into``.

        Parameters
        ----------
        out
            (H * scale, W * scale, 3); the frame's dtype, any strides of elements that do not
            overlap; written.
        frame
            (H, W, 3), uint8, uint16 or float32, any strides.
        threads, band_rows, boxes
            As for ``run_into``.

        Returns
        -------
        bool
            False if a value that went into ``out`` was NaN or infinite: do not use it then.
        """

    def run_planes_into(
        self,
        out: Sequence[NDArray[Any]],
        planes: Sequence[NDArray[Any]],
        *,
        phase: Sequence[float] = (0.5, 0.5),
        threads: SupportsIndex = 1,
        peak: float | None = None,
        band_rows: SupportsIndex | None = None,
        boxes: Sequence[tuple[int, int, int, int]] | None = None,
        chroma_rows: Sequence[Sequence[tuple[int, int]] | None] = (None, None),
    ) -> bool:
        """Restore luma, and enlarge chroma as ``upsample_plane_into`` does, in one pass.

        For networks that take and make one channel.

        Parameters
        ----------
        out
            Luma and both planes of chroma, as for ``run_into`` and ``upsample_plane_into``.
        planes
            The same of the frame.
        phase
            Of chroma, as for ``upsample_plane_into``.
        threads, peak, band_rows, boxes
            As for ``run_into``; the boxes are those of luma.
        chroma_rows
            For Cb and Cr the rows of the result to make, as (begin, end); by default all.

        Returns
        -------
        bool
            False if luma was NaN or infinite: do not use ``out`` then.
        """

    def run_chroma_into(
        self,
        out: Sequence[NDArray[Any]],
        inputs: NDArray[Any],
        *,
        bit_depth: SupportsIndex = 8,
        threads: SupportsIndex = 1,
        band_rows: SupportsIndex | None = None,
        boxes: Sequence[tuple[int, int, int, int]] | None = None,
    ) -> bool:
        """Enlarge chroma, for networks that take 16 channels and make two colours.

        Parameters
        ----------
        out
            Cb and Cr, uint8 (``bit_depth`` 8) or uint16; written. Sides are those of ``inputs``
            times the scale, or less by less than the scale.
        inputs
            What ``chroma_inputs_into`` made.
        bit_depth
            Of the samples, 8 to 16; grey, half of their range, is added to what the network makes.
        threads, band_rows, boxes
            As for ``run_into``.

        Returns
        -------
        bool
            False if a value was NaN or infinite: do not use ``out`` then.
        """

def find_changes(
    network: Network, frame: NDArray[Any], before: NDArray[Any]
) -> list[tuple[int, int, int, int]]:
    """Find what of a frame's result may differ, in any bit, from that of the frame before.

    Parameters
    ----------
    network
        Makes the results.
    frame, before
        As ``Network.run_into`` or ``Network.run_colour_into`` takes them, of one shape and dtype.

    Returns
    -------
    list
        Boxes as ``Network.run_into`` takes them; one with the whole result where leaving out the
        rest would gain less than a twentieth of the work.
    """

def find_chroma_changes(
    network: Network,
    planes: Sequence[NDArray[Any]],
    before: Sequence[NDArray[Any]],
    *,
    height: SupportsIndex,
    width: SupportsIndex,
) -> list[tuple[int, int, int, int]]:
    """Find the same of what a chroma network makes.

    Parameters
    ----------
    network
        The chroma network.
    planes, before
        Luma, Cb and Cr, as ``chroma_inputs_into`` takes them.
    height, width
        Of its result.

    Returns
    -------
    list
        Boxes as ``Network.run_chroma_into`` takes them.
    """

def find_row_changes(
    plane: NDArray[Any], before: NDArray[Any], *, scale: SupportsIndex, height: SupportsIndex
) -> list[tuple[int, int]]:
    """Find rows in which the bicubic enlargements of two planes may differ.

    Parameters
    ----------
    plane, before
        As ``upsample_plane_into`` takes them, of one shape and dtype.
    scale, height
        Of the enlargement.

    Returns
    -------
    list
        Spans of its rows, (begin, end), in order.
    """

def has_bf16() -> bool:
    """Tell whether networks can run in bf16 with the instruction set in use."""

def has_vnni() -> bool:
    """Tell whether int8 networks multiply bytes in fours, with the instruction set in use."""

def cpu_adds_bytes_in_16_bits() -> bool:
    """Tell whether ONNX Runtime's int8 sums can saturate here: on x86 without VNNI.

    RESTORE_RT_ISA does not matter. The kernels of this package never saturate.
    """

def algorithms(precision: str = "fp32") -> list[str]:
    """List what can make convolutions here, in a precision or a higher one; or those of int8.

    ``"direct"`` computes them as they are written, ``"winograd"`` and ``"winograd_bf16"`` by
    Winograd's F(4x4, 3x3), ``"tail"`` likewise those of up to four outputs, ``"direct_amx"`` on
    tiles in bf16. Of bytes ``"direct_vnni"`` makes them where ``has_vnni()``, and ``"direct_int8"``
    anywhere, with the same result. Not listed: ``"direct_fp64"``, which in a network with int8
    layers takes the place of those in fp32.
    """

def isa() -> Literal["portable", "neon", "avx2", "avx2-only", "avx512", "avx512-only"]:
    """Name the instruction set in use: the best that the CPU has, or RESTORE_RT_ISA.

    With ``-only`` it is used without VNNI, bf16 and AMX, as on a CPU that lacks them.
    """

def isas() -> list[str]:
    """List the instruction sets that ``set_isa`` takes on this CPU, the best last."""

def set_isa(name: str) -> None:
    """Use another instruction set, for tests; an error names what the CPU has."""
