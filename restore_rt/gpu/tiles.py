"""Tiles and results in device memory: the network's type and the checks of arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from restore_rt.errors import BackendError, InputError
from restore_rt.model.graph import dimensions, inputs_of
from restore_rt.model.tensors import type_name

if TYPE_CHECKING:
    import onnx

    from restore_rt.gpu.array import DeviceArray
    from restore_rt.model.manifest import Manifest

__all__ = ["check_arrays", "tile_dtype"]

# What TensorRT wants of every address, and the driver gives.
_ALIGNED = 256


def tile_dtype(model: onnx.ModelProto, manifest: Manifest) -> np.dtype[Any]:
    """Return the type of a network's input and output.

    Raises
    ------
    BackendError
        Tiles cannot have this type, or input and output differ in type.
    """
    source, result = inputs_of(model)[0], model.graph.output[0]
    kinds = [type_name(value.type.tensor_type.elem_type) for value in (source, result)]
    if kinds[0] != kinds[1] or kinds[0] not in ("float32", "float16"):
        raise BackendError(
            f"{manifest.name} takes {kinds[0]} and gives {kinds[1]}; on a GPU both must be float32 "
            "or both float16: export it again"
        )
    channels = dimensions(source)[1]
    if channels not in (manifest.channels, None) and not isinstance(channels, str):
        raise BackendError(
            f"{manifest.name} takes {channels} channels where tiles have {manifest.channels}, as "
            "(N, C, h, w): export it again"
        )
    return np.dtype(kinds[0])


def check_arrays(tiles: DeviceArray, out: DeviceArray, *, dtype: np.dtype[Any], scale: int) -> None:
    """Refuse arrays that ``DeviceBackend.enqueue`` does not accept.

    Raises
    ------
    InputError
        A shape, type, layout or address is not allowed.
    """
    count, channels, height, width = tiles.shape
    expected = (count, channels, height * scale, width * scale)
    if tuple(out.shape) != expected:
        raise InputError(f"results have the shape {out.shape}; for these tiles it is {expected}")
    for name, array in (("tiles", tiles), ("results", out)):
        if array.dtype != dtype:
            raise InputError(f"{name} are {array.dtype}; this network has {dtype}")
        if not array.is_contiguous:
            raise InputError(
                f"{name} have strides of {array.strides} bytes; allowed is C-contiguous alone"
            )
        if array.pointer % _ALIGNED:
            raise InputError(
                f"{name} lie at {array.pointer:#x}; allowed are multiples of {_ALIGNED}"
            )
