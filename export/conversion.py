"""Conversion from PyTorch to an ONNX graph, and the values of both at every node."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn
from torch.export import Dim

from restore_rt.export.faults import ExportError

__all__ = [
    "OPSET",
    "OPSETS",
    "Conversion",
    "Values",
    "convert",
    "measure_multiple",
    "open_session",
    "run",
    "run_model",
]

# The first that torch.onnx writes without a conversion, so the one that the most runtimes read.
OPSET = 18
# What it writes without one at all.
OPSETS = range(18, 26)
Array = NDArray[Any]
Values = dict[str, Array]
Alter = Callable[[str, Tensor], Tensor]


@dataclass(frozen=True)
class Conversion:
    """An ONNX graph and the PyTorch program that it was converted from, with the same names."""

    model: onnx.ModelProto
    program: Any

    def values(self, x: Array, alter: Alter | None = None) -> Values:
        """Run the program in PyTorch on `x` (N, C, H, W): what each node gave, by its name.

        Names are those of the ONNX graph; ``y`` is the output. `alter` gets the name of a node's
        value and each tensor that the node takes or gives, and gives the tensor to go on with.
        """
        return _Tracer(self.program.module(), alter).values(torch.from_numpy(x))

    def output(self, x: Array, alter: Alter | None = None) -> Array:
        """Return the output ``y`` of `values`, without keeping the rest in memory."""
        return _Tracer(self.program.module(), alter, only="y").values(torch.from_numpy(x))["y"]


class _Tracer(fx.Interpreter):
    def __init__(self, program: fx.GraphModule, alter: Alter | None, only: str = "") -> None:
        super().__init__(program)
        self._alter, self._only = alter, only
        self._values: dict[str, Tensor] = {}
        (result,) = program.graph.output_node().args
        last = result[0] if isinstance(result, tuple | list) else result
        # It alone has another name in the ONNX graph.
        self._last = last.name if isinstance(last, fx.Node) else ""

    def fetch_args_kwargs_from_env(self, n: fx.Node) -> tuple[Any, Any]:
        args, kwargs = super().fetch_args_kwargs_from_env(n)
        if self._alter is None or n.op == "output":
            return args, kwargs
        return fx.node.map_aggregate((args, kwargs), lambda value: self._altered(n, value))

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.op == "output":
            return value
        value = self._altered(n, value)
        if isinstance(value, Tensor) and self._only in ("", self._name(n)):
            self._values[self._name(n)] = value
        return value

    def _name(self, node: fx.Node) -> str:
        return "y" if node.name == self._last else node.name

    def _altered(self, node: fx.Node, value: Any) -> Any:
        if self._alter is None or not isinstance(value, Tensor) or node.op != "call_function":
            return value
        return self._alter(self._name(node), value)

    @torch.no_grad()
    def values(self, x: Tensor) -> Values:
        self.run(x)
        return {name: value.numpy() for name, value in self._values.items()}


def convert(
    network: nn.Module,
    channels: int,
    *,
    opset: int = OPSET,
    multiple: int = 1,
    static: tuple[int, int] | None = None,
) -> Conversion:
    """Convert `network` to an ONNX graph, ``x`` (N, C, H, W) to ``y``, constants folded.

    The network is folded and in eval mode and takes C `channels`; H and W must be multiples of
    `multiple`, and are those of `static` if they are not to be free. N always is.
    """
    height, width = static or (24 * multiple, 40 * multiple)
    sizes: dict[int, Any] = {0: Dim("n")}
    if static is None:
        sizes |= {2: multiple * Dim("h"), 3: multiple * Dim("w")}
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # The exporter's own libraries warn of each other's deprecations.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            program = torch.onnx.export(
                network,
                (torch.zeros(2, channels, height, width),),
                dynamo=True,
                verbose=False,
                opset_version=opset,
                input_names=["x"],
                output_names=["y"],
                dynamic_shapes={"x": sizes},
            )
    finally:
        logger.setLevel(level)
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    written = {item.domain: item.version for item in model.opset_import}
    if written.get("") != opset:
        raise ExportError(f"PyTorch wrote operator set {written.get('')}, not {opset}")
    _strip(model)
    return Conversion(model, program.exported_program)


def _strip(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes on source lines, which hold paths of this machine."""
    graph = model.graph
    del model.metadata_props[:], graph.metadata_props[:], graph.value_info[:]
    model.doc_string = graph.doc_string = ""
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for item in (*graph.input, *graph.output, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""


def measure_multiple(network: nn.Module, channels: int, scale: int) -> int:
    """Find the size multiple of height and width by trial runs.

    Raises `ExportError` if no power of two up to 64 does.
    """
    for multiple in (1, 2, 4, 8, 16, 32, 64):
        # Odd numbers of multiples, so that a larger multiple does not pass for a smaller one.
        sizes = [(multiple * a, multiple * b) for a, b in ((1, 3), (5, 7), (9, 5), (11, 13))]
        if all(_accepts(network, channels, size, scale) for size in sizes):
            return multiple
    raise ExportError("the network takes no size tried, up to multiples of 64, without an error")


@torch.no_grad()
def _accepts(network: nn.Module, channels: int, size: tuple[int, int], scale: int) -> bool:
    try:
        shape = network(torch.zeros(1, channels, *size)).shape
    except RuntimeError:
        return False
    # A chroma network has fewer channels out than in.
    return tuple(shape[2:]) == (size[0] * scale, size[1] * scale)


def open_session(model: onnx.ModelProto, *, threads: int = 2) -> onnxruntime.InferenceSession:
    """Open a graph in ONNX Runtime on the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run(session: onnxruntime.InferenceSession, x: Array) -> Array:
    """Run a graph of float planes on `x` (N, C, H, W), float32, and give its output in float32.

    A graph with a mask, see `restore_rt.export.interface.take_mask`, gets the last channel as such.
    """
    inputs = session.get_inputs()
    if inputs[0].type == "tensor(float16)":
        x = x.astype(np.float16)
    feeds = {"x": x} if len(inputs) == 1 else {"image": x[:, :-1], "mask": x[:, -1:]}
    (y,) = session.run(["y"], feeds)
    return np.asarray(y, np.float32)


def run_model(model: onnx.ModelProto, x: Array) -> Values:
    """Run a graph in ONNX Runtime on `x` and return each node's output, by name."""
    open_graph = onnx.ModelProto()
    open_graph.CopyFrom(model)
    known = {output.name for output in model.graph.output}
    names = [name for node in model.graph.node for name in node.output if name]
    open_graph.graph.output.extend(
        onnx.helper.make_empty_tensor_value_info(name) for name in names if name not in known
    )
    session = open_session(open_graph)
    outputs = [output.name for output in session.get_outputs()]
    found: Mapping[str, Array] = dict(zip(outputs, session.run(outputs, {"x": x}), strict=True))
    return {name: np.asarray(found[name]) for name in names}
