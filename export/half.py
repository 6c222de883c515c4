"""fp16 graphs: measurement of the nodes that must stay in fp32."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from torch import Tensor

from restore_rt.export.conversion import Conversion
from restore_rt.export.cost import psnr
from restore_rt.export.faults import ExportError
from restore_rt.model.precision import to_half

__all__ = ["keep_what_needs_it", "simulate", "to_half"]

Batch = NDArray[np.float32]
# Samples, the worst, on which each node is measured; others join them if they turn out to matter.
SEARCHED = 4


def keep_what_needs_it(
    conversion: Conversion, samples: Sequence[Batch], *, floor: float, say: Callable[[str], None]
) -> tuple[str, ...]:
    """Find the nodes that must stay in fp32 for every sample's PSNR against fp32 to be `floor` dB.

    fp16 is simulated on samples (N, C, H, W): weights and values are rounded to it, and sums are
    made in fp32, as matrix units do; outputs are limited to 0 and 1. ONNX Runtime on a CPU would
    leave out much of the rounding, and all overflows. Nodes with values that fp16 does not hold are
    kept first, then, if need be, those that gain the most; none of the set can be left out alone.
    Returns the nodes' names in the graph's order.

    Raises `ExportError` if even keeping all nodes does not reach the floor.
    """
    expected = [conversion.output(x) for x in samples]

    def qualities(keep: Collection[str], which: Sequence[int]) -> list[float]:
        return [psnr(simulate(conversion, keep, samples[n]), expected[n]) for n in which]

    everywhere = range(len(samples))
    found = qualities((), everywhere)
    if min(found) >= floor:
        return ()
    say(
        f"fp16 throughout gives {min(found):.1f} dB, below {floor:.1f}: looking for nodes that "
        "need fp32"
    )
    probes = sorted(everywhere, key=found.__getitem__)[:SEARCHED]
    while True:
        kept = _search(
            conversion,
            _overflowing(conversion, [samples[n] for n in probes]),
            lambda keep: min(qualities(keep, probes)),
            floor,
        )
        found = qualities(kept, everywhere)
        if min(found) >= floor:
            return kept
        # It is none of the probes, all of which reach the floor.
        probes.append(found.index(min(found)))


def _search(
    conversion: Conversion,
    needed: set[str],
    measured: Callable[[Collection[str]], float],
    floor: float,
) -> tuple[str, ...]:
    nodes = [node.name for node in conversion.model.graph.node]
    kept = needed
    if measured(kept) < floor:
        if measured(nodes) < floor:
            raise ExportError(
                f"weights and input in fp16 alone give less than {floor:.1f} dB against fp32; "
                "lower --tolerance, or export in fp32"
            )
        rest = [name for name in nodes if name not in kept]
        gains = {name: measured(kept | {name}) for name in rest}
        order = sorted(rest, key=lambda name: -gains[name])
        low, high = 0, len(order)
        while low < high:
            middle = (low + high) // 2
            if measured(kept | set(order[:middle])) >= floor:
                high = middle
            else:
                low = middle + 1
        kept = kept | set(order[:low])
    before = None
    while kept != before:
        before = set(kept)
        for name in sorted(kept, key=nodes.index):
            if measured(kept - {name}) >= floor:
                kept = kept - {name}
    return tuple(sorted(kept, key=nodes.index))


def _overflowing(conversion: Conversion, samples: Sequence[Batch]) -> set[str]:
    """Return the names of nodes with inputs or outputs that are not finite in fp16."""
    largest = float(np.finfo(np.float16).max)
    beyond: set[str] = set()
    for x in samples:
        computed = conversion.values(x)
        beyond |= {
            name for name, value in computed.items() if np.abs(value).max(initial=0) > largest
        }
    beyond |= {
        tensor.name
        for tensor in conversion.model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT
        and np.abs(onnx.numpy_helper.to_array(tensor)).max(initial=0) > largest
    }
    return {
        node.name for node in conversion.model.graph.node if beyond & {*node.input, *node.output}
    }


def simulate(conversion: Conversion, keep: Collection[str], x: Batch) -> Batch:
    """Compute what the fp16 graph does where sums are made in fp32: it rounds weights and values.

    The nodes called in `keep` take and give fp32; `x` is (N, C, H, W).
    """
    names = {node.output[0]: node.name for node in conversion.model.graph.node}

    def rounded(name: str, value: Tensor) -> Tensor:
        if value.dtype != torch.float32 or names.get(name) in keep:
            return value
        return value.half().float()

    return conversion.output(x, rounded)
