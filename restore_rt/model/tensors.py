"""Sizes of tensors in bytes, and checks of their data against their shapes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from restore_rt.errors import ModelError

if TYPE_CHECKING:
    import onnx

__all__ = ["check_tensor", "is_float", "size_in_bytes", "type_name"]

_MOST_DIMENSIONS = 32
_MOST_VALUES = 2**31 - 1

_BITS = {
    **dict.fromkeys(("UINT2", "INT2"), 2),
    **dict.fromkeys(("UINT4", "INT4", "FLOAT4E2M1"), 4),
    **dict.fromkeys(("UINT8", "INT8", "BOOL"), 8),
    **dict.fromkeys(
        ("FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "FLOAT8E8M0"), 8
    ),
    **dict.fromkeys(("UINT16", "INT16", "FLOAT16", "BFLOAT16"), 16),
    **dict.fromkeys(("UINT32", "INT32", "FLOAT"), 32),
    **dict.fromkeys(("UINT64", "INT64", "DOUBLE", "COMPLEX64"), 64),
    "COMPLEX128": 128,
}
# Where values lie that are not in raw_data, and how many of the field's make one; all other types
# lie in int32_data.
_FIELDS = {
    "FLOAT": ("float_data", 1),
    "COMPLEX64": ("float_data", 2),
    "DOUBLE": ("double_data", 1),
    "COMPLEX128": ("double_data", 2),
    "INT64": ("int64_data", 1),
    "UINT32": ("uint64_data", 1),
    "UINT64": ("uint64_data", 1),
}


def type_name(kind: int) -> str:
    """Return NumPy's name of an ONNX element type: ``"float32"``."""
    from onnx import TensorProto

    names: dict[int, str] = {number: name for name, number in TensorProto.DataType.items()}
    name = names.get(kind, f"type {kind}").lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def is_float(kind: int) -> bool:
    """Return whether an ONNX element type is a floating-point type."""
    return type_name(kind).startswith(("float", "bfloat"))


def size_in_bytes(kind: int, count: int) -> int | None:
    """Return the bytes of values of an ONNX element type; None if not fixed."""
    from onnx import TensorProto

    names: dict[int, str] = {number: name for name, number in TensorProto.DataType.items()}
    bits = _BITS.get(names.get(kind, ""))
    return None if bits is None else -(-count * bits // 8)


def check_tensor(tensor: onnx.TensorProto) -> None:
    """Refuse a tensor whose data is in another file, or does not fit its shape.

    Raises
    ------
    ModelError
        The data does not fit; the message names the tensor.
    """
    from onnx import TensorProto

    name = f"the tensor {tensor.name[:80]!r}"
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        places = [entry.value for entry in tensor.external_data if entry.key == "location"]
        raise ModelError(
            f"{name} has its data in another file, {', '.join(places)[:200]!r}, which is not read: "
            "save the model with all its weights inside (external_data=False)"
        )
    dims = list(tensor.dims)
    if len(dims) > _MOST_DIMENSIONS or any(not 0 <= side <= _MOST_VALUES for side in dims):
        shown = dims[:_MOST_DIMENSIONS]
        raise ModelError(
            f"{name} is said to have the shape {shown}; allowed are up to {_MOST_DIMENSIONS} "
            f"sides of 0 to {_MOST_VALUES}"
        )
    count = math.prod(dims)
    # Sides beside a zero are not held by the data, and NumPy multiplies them.
    if math.prod(side for side in dims if side) > _MOST_VALUES:
        raise ModelError(f"{name} is said to have {dims} values; allowed are {_MOST_VALUES}")
    kinds: dict[int, str] = {number: kind for kind, number in TensorProto.DataType.items()}
    kind = kinds.get(tensor.data_type, "")
    if kind == "STRING":
        held, wanted, unit = len(tensor.string_data), count, "strings"
    elif kind not in _BITS:
        raise ModelError(f"{name} has the element type {tensor.data_type}, which is not known")
    elif tensor.HasField("raw_data"):
        held, wanted, unit = len(tensor.raw_data), -(-count * _BITS[kind] // 8), "bytes"
    else:
        field, each = _FIELDS.get(kind, ("int32_data", 1))
        packed = max(1, 8 // _BITS[kind])
        held, wanted, unit = len(getattr(tensor, field)), -(-count * each // packed), "values"
    if held != wanted:
        raise ModelError(
            f"{name} has {held} {unit} of data, and its shape {dims} needs {wanted}: the file is "
            "damaged; get it again"
        )
