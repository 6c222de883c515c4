"""Networks whose file says nothing of itself: what they are is found by looking and by trying."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError, ModelError
from restore_rt.model.graph import dimensions, inputs_of
from restore_rt.model.manifest import COLOURS, MOST_SCALE, Manifest, weights_sha256
from restore_rt.model.tensors import type_name
from restore_rt.model.validation import one_line
from restore_rt.tiled.session import import_onnxruntime

if TYPE_CHECKING:
    import onnx

__all__ = ["Interface", "describe", "read_interface"]

# The halo of a deep plain network, and a safe tile.
_ASSUMED_HALO = 32
_ASSUMED_TILE = (256, 256)
_UNKNOWN = "unknown"

# onnx.TensorProto.FLOAT, known before onnx is imported.
_FLOAT = 1

# Operators that ONNX defines, and those that ONNX Runtime has besides.
_DOMAINS = frozenset(["", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"])

_CHANNELS = {"rgb": 3, "luma": 1}
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
# Least side of an input that is tried: real networks pad by less.
_LEAST_SIDE = 17

# What stands for mid-grey, and what no network makes of it whose white is 1.
_GREY = 0.5
_FAR_FROM_GREY = 4.0


@dataclass(frozen=True)
class Interface:
    """Sizes of a network's input that are not dynamic; ``None`` where they are."""

    count: int | None
    channels: int | None
    height: int | None
    width: int | None


def read_interface(network: onnx.ModelProto, path: Path) -> Interface:
    """Check that a network takes and gives planes of float32, and return what it takes.

    Raises
    ------
    ModelError
        It does not, or needs a library of operators.
    """
    own = {function.domain for function in network.functions}
    foreign = sorted(
        {f"{n.domain}.{n.op_type}" for n in network.graph.node if n.domain not in _DOMAINS | own}
    )
    if foreign:
        raise ModelError(
            f"{path} has operators that ONNX does not define ({', '.join(foreign[:4])}): export "
            "the network alone, without what reads or writes pictures around it"
        )
    inputs, outputs = inputs_of(network), network.graph.output
    shape = dimensions(inputs[0]) if inputs else ()
    if len(inputs) != 1 or len(outputs) != 1 or len(shape) != 4:
        raise ModelError(
            f"{path} has {len(inputs)} inputs and {len(outputs)} outputs; a model has one of "
            "each, of shape (N, C, H, W)"
        )
    for value in (inputs[0], outputs[0]):
        kind = value.type.tensor_type.elem_type
        if kind != _FLOAT:
            raise ModelError(
                f"{value.name!r} of {path} is {type_name(kind)}; networks on the CPU take and give "
                "float32: export the model with --io float32"
            )
    return Interface(*(side if isinstance(side, int) else None for side in shape))


def describe(
    network: onnx.ModelProto,
    path: Path,
    *,
    scale: int | None = None,
    colour: str | None = None,
    threads: int = 1,
) -> Manifest:
    """Describe a network that has no manifest, by running it once or twice on the CPU.

    It is taken for RGB with three channels, for luma with one, and for RGB where it takes both.
    What height and width must be multiples of is found too. That its values are 0 to 1 cannot be
    found, so it is assumed; one that makes hundreds of mid-grey is refused.

    Parameters
    ----------
    network, path
        What was read, and where.
    scale, colour
        What the caller knows of it.
    threads
        CPU threads to use.

    Raises
    ------
    InputError
        `scale` or `colour` is not allowed.
    ModelError
        It restores no pictures, or is something else than the caller says.
    BackendError
        ONNX Runtime is not installed.
    """
    if scale is not None and (not isinstance(scale, int) or not 1 <= scale <= MOST_SCALE):
        raise InputError(f"scale is {scale!r}; it must be a whole number from 1 to {MOST_SCALE}")
    if colour is not None and colour not in COLOURS:
        raise InputError(f"colour is {colour!r}; allowed are {', '.join(COLOURS)}")
    interface = read_interface(network, path)
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
