"""Files without a manifest: a trial run finds the scale, the colour and the size multiple."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import ModelError
from restore_rt.model.interface import Interface
from restore_rt.model.manifest import COLOURS, MOST_SCALE, Manifest, weights_sha256
from restore_rt.model.validation import one_line
from restore_rt.tiled.session import import_onnxruntime

if TYPE_CHECKING:
    import onnx

__all__ = ["describe"]

# The halo of a deep plain network, and a safe tile.
_ASSUMED_HALO = 32
_ASSUMED_TILE = (256, 256)
_UNKNOWN = "unknown"

_CHANNELS = {"rgb": 3, "luma": 1}
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
# Least side of an input that is tried: real networks pad by less.
_LEAST_SIDE = 17

# What stands for mid-grey, and what no network makes of it whose white is 1.
_GREY = 0.5
_FAR_FROM_GREY = 4.0


def describe(
    network: onnx.ModelProto,
    path: Path,
    interface: Interface,
    *,
    scale: int | None = None,
    colour: str | None = None,
    threads: int = 1,
) -> Manifest:
    """Return a manifest for a network without one, found by trial runs on the CPU.

    A network with three channels is taken for RGB, one with a single channel for luma, and one
    that takes both for RGB. The number that height and width must be multiples of is found by
    trial too. Values are assumed to range from 0 to 1: a network that turns mid-grey into
    hundreds is refused.

    Parameters
    ----------
    network, path
        The network and the file that it was read from.
    interface
        The network's input, see ``read_interface``.
    scale, colour
        The values that the caller expects; None to find them.
    threads
        CPU threads to use.

    Raises
    ------
    ModelError
        The network does not restore pictures, or does not fit `scale` or `colour`.
    BackendError
        ONNX Runtime is not installed.
    """
    colours = _possible_colours(interface, path, colour)
    trial = _Trial(network, interface, threads)
    reasons = []
    for candidate in colours:
        for multiple in trial.multiples:
            found = trial.scale_at(candidate, multiple)
            if isinstance(found, str):
                reasons.append(found)
                continue
            if scale not in (None, found):
                raise ModelError(
                    f"{path} cannot be run as a model of scale {scale}: it enlarges {found} times; "
                    "leave scale out"
                )
            return _manifest(network, path, found, candidate, multiple)
    raise ModelError(
        f"{path} has no manifest, and a trial does not tell what it is: {reasons[0]}; a model "
        f"takes float32 (N, C, H, W) with C of 3 or 1, values 0 to 1, and gives the same 1 to "
        f"{MOST_SCALE} times as high and wide"
    )


def _possible_colours(interface: Interface, path: Path, colour: str | None) -> list[str]:
    channels = interface.channels
    if interface.width in (1, 3) and channels not in (1, 3):
        raise ModelError(f"{path} takes channels last, (N, H, W, C); export it with (N, C, H, W)")
    if colour is not None:
        if channels not in (None, _CHANNELS[colour]):
            raise ModelError(
                f"{path} takes {channels} channels, but is said to be {colour}, which has "
                f"{_CHANNELS[colour]}"
            )
        return [colour]
    colours = [name for name in COLOURS if channels in (None, _CHANNELS[name])]
    if not colours:
        raise ModelError(
            f"{path} takes {channels} channels; allowed are 3, which are RGB, and 1, which is luma"
        )
    return colours


class _Trial:
    """Runs a network of which only the type of the input is known."""

    def __init__(self, network: onnx.ModelProto, interface: Interface, threads: int) -> None:
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Failures are told in an error of ours.
        options.log_severity_level = 4
        self._interface = interface
        self._failure = ""
        self._session: Any = None
        try:
            self._session = onnxruntime.InferenceSession(
                network.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            self._failure = f"ONNX Runtime cannot open it: {one_line(error)}"

    @property
    def multiples(self) -> tuple[int, ...]:
        """What sides may have to be multiples of."""
        free = None in (self._interface.height, self._interface.width)
        return _MULTIPLES if free and not self._failure else (1,)

    def scale_at(self, colour: str, multiple: int) -> int | str:
        """Return the scale at sides that are odd multiples of one number, or why there is none."""
        if self._failure:
            return self._failure
        scales = set()
        for height, width in self._sizes(multiple):
            shape = (self._interface.count or 1, _CHANNELS[colour], height, width)
            try:
                (made,) = self._session.run(None, {self._name: np.full(shape, _GREY, np.float32)})
            except Exception as error:
                return f"it fails on an input of {shape} ({one_line(error)})"
            scale = made.shape[2] // height if made.ndim == 4 else 0
            wanted = (*shape[:2], scale * height, scale * width)
            if made.shape != wanted or not 1 <= scale <= MOST_SCALE:
                return f"of an input of {shape} it makes {made.shape}"
            fault = _fault(made)
            if fault:
                return fault
            scales.add(scale)
        return scales.pop() if len(scales) == 1 else f"it enlarges by {sorted(scales)}"

    @property
    def _name(self) -> str:
        return str(self._session.get_inputs()[0].name)

    def _sizes(self, multiple: int) -> Iterator[tuple[int, int]]:
        """Give two sizes, since a network may give one size whatever it gets."""
        # Odd, so that a larger multiple does not pass for a smaller one.
        times = -(-_LEAST_SIDE // multiple) | 1
        short, long = multiple * times, multiple * (times + 2)
        height, width = self._interface.height, self._interface.width
        yield height or short, width or long
        if None in (height, width):
            yield height or long, width or short


def _fault(made: NDArray[Any]) -> str:
    middle = float(np.median(made))
    if not np.isfinite(made).all():
        return "of mid-grey it makes NaN or infinity"
    if abs(middle) > _FAR_FROM_GREY:
        return f"of mid-grey, {_GREY}, it makes {middle:.4g}, so its values are not 0 to 1"
    return ""


def _manifest(
    network: onnx.ModelProto, path: Path, scale: int, colour: str, multiple: int
) -> Manifest:
    return Manifest(
        name=path.stem,
        version=_UNKNOWN,
        task="upscale" if scale > 1 else "repair",
        content="photo",
        scale=scale,
        colour=colour,
        halo=_ASSUMED_HALO,
        multiple=multiple,
        tile=_ASSUMED_TILE,
        sha256=weights_sha256(network),
        trained_on=_UNKNOWN,
        licence=_UNKNOWN,
        recipe="",
    )
