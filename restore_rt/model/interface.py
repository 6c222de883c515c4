"""The input and output of a network, read from its graph without running it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from restore_rt.errors import ModelError
from restore_rt.model.graph import dimensions, inputs_of
from restore_rt.model.tensors import type_name

if TYPE_CHECKING:
    import onnx

__all__ = ["Interface", "read_interface"]

# onnx.TensorProto's numbers, known before onnx is imported.
_FLOAT, _FLOAT16, _DOUBLE, _UINT8 = 1, 10, 11, 2

# Operators that ONNX defines, and those that ONNX Runtime has besides.
_DOMAINS = frozenset(["", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc"])


@dataclass(frozen=True)
class Interface:
    """A network's input and output.

    Attributes
    ----------
    count, channels, height, width
        Fixed sizes of the input; ``None`` for dynamic ones.
    kinds
        Element types of input and output, in ONNX's numbers.
    """

    count: int | None
    channels: int | None
    height: int | None
    width: int | None
    kinds: tuple[int, int] = (_FLOAT, _FLOAT)

    @staticmethod
    def plain_kinds() -> tuple[int, int]:
        """Return the element types that the runtime gives and takes."""
        return _FLOAT, _FLOAT

    @property
    def types(self) -> str:
        """What it takes and gives, for people: ``"takes float16 and gives uint8"``."""
        taken, given = map(type_name, self.kinds)
        return f"takes {taken} and gives {given}"

    @property
    def is_plain(self) -> bool:
        """Whether input and output are float32."""
        return self.kinds == (_FLOAT, _FLOAT)

    @property
    def is_ready(self) -> bool:
        """Whether the runtime runs it as it is: float32, and any number of pictures or one."""
        return self.is_plain and self.count in (None, 1)

    @property
    def has_double(self) -> bool:
        """Whether input or output is float64."""
        return _DOUBLE in self.kinds

    @property
    def has_integers(self) -> tuple[bool, bool]:
        """Whether the input is uint8, and whether the output is."""
        return self.kinds[0] == _UINT8, self.kinds[1] == _UINT8


def read_interface(network: onnx.ModelProto, path: Path, *, described: bool = False) -> Interface:
    """Check that input and output are planes of pixels, and return what is fixed of them.

    Parameters
    ----------
    network, path
        The network and the file that it was read from.
    described
        Whether the file has a manifest: the export stage writes uint8 with channels last, for
        GPUs alone.

    Raises
    ------
    ModelError
        Input or output differ, or the network needs a library of operators.
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
    kinds = []
    for value in (inputs[0], outputs[0]):
        kind = value.type.tensor_type.elem_type
        if described and kind == _UINT8:
            raise ModelError(
                f"{value.name!r} of {path} is uint8; networks on the CPU take and give float32: "
                "export the model with --io float32"
            )
        if kind not in (_FLOAT, _FLOAT16, _DOUBLE, _UINT8):
            raise ModelError(
                f"{value.name!r} of {path} is {type_name(kind)}; allowed are float32, float16, "
                "float64 and uint8: export the model with float32"
            )
        kinds.append(kind)
    count, channels, height, width = (side if isinstance(side, int) else None for side in shape)
    return Interface(count, channels, height, width, (kinds[0], kinds[1]))
