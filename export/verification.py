"""An exported graph compared with the trained network, and where the two depart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from restore_rt.export.conversion import Conversion, Values, open_session, run_model
from restore_rt.export.faults import ExportError

__all__ = ["TOLERANCE", "compare", "fitting", "sizes_to_try"]

# On the scale of 0 to 1: about an eightieth of a step of 8-bit video.
TOLERANCE = 5e-5
# Of a sample on which a departing node is looked for: what each node gives is kept in memory.
PROBE = 64
Batch = NDArray[np.float32]


def sizes_to_try(samples: Sequence[Batch], multiple: int) -> list[Batch]:
    """Cut the samples to several sizes, odd ones if allowed, tiny ones, and batches of several."""
    batches: list[Batch] = []
    sizes = [(1, 1), (1, 37), (17, 5), (63, 95), (96, 64)]
    for sample in samples:
        batches.append(_cut(sample, sample.shape[2], sample.shape[3], multiple))
        batches += [_cut(sample, h * multiple, w * multiple, multiple) for h, w in sizes]
    height = min(s.shape[2] for s in samples)
    width = min(s.shape[3] for s in samples)
    together = np.concatenate([s[:1, :, :height, :width] for s in samples])
    batches += [_cut(together, height, width, multiple), _cut(together[:3], 31, 45, multiple)]
    return batches


def fitting(samples: Sequence[Batch], size: tuple[int, int]) -> list[Batch]:
    """Cut or mirror samples to one size, and add a batch of three of them."""
    fitted = []
    for sample in samples:
        fits = sample[:, :, : size[0], : size[1]]
        below, right = (wanted - side for wanted, side in zip(size, fits.shape[2:], strict=True))
        fitted.append(np.pad(fits, ((0, 0), (0, 0), (0, below), (0, right)), mode="symmetric"))
    return [*fitted, np.concatenate(fitted[:3])]


def _cut(sample: Batch, height: int, width: int, multiple: int) -> Batch:
    height, width = min(height, sample.shape[2]), min(width, sample.shape[3])
    height = max(multiple, height - height % multiple)
    width = max(multiple, width - width % multiple)
    return np.ascontiguousarray(sample[:, :, :height, :width])


@torch.no_grad()
def compare(network: nn.Module, conversion: Conversion, batches: Sequence[Batch]) -> float:
    """Run both on every batch and return the largest difference.

    Raises `ExportError` if shapes differ, an output is not finite, or the difference exceeds the
    tolerance; it names the first node whose values depart.
    """
    session = open_session(conversion.model)
    worst = 0.0
    for x in batches:
        expected = network(torch.from_numpy(x)).numpy()
        (actual,) = session.run(["y"], {"x": x})
        where = f"on an input of {x.shape}"
        if actual.shape != expected.shape:
            raise ExportError(
                f"{where} ONNX Runtime gives {actual.shape}, PyTorch {expected.shape}; "
                "the file was not written"
            )
        if not (np.isfinite(actual).all() and np.isfinite(expected).all()):
            raise ExportError(
                f"{where} the output is not finite{_first_departure(conversion, x)}; the file was "
                "not written"
            )
        worst = max(worst, float(np.abs(actual - expected).max()))
        if worst > TOLERANCE:
            raise ExportError(
                f"{where} ONNX Runtime and PyTorch differ by {worst:.2e}; allowed is "
                f"{TOLERANCE:.0e}{_first_departure(conversion, x)}; the file was not written"
            )
    return worst


def _first_departure(conversion: Conversion, x: Batch) -> str:
    """Name the first node of the graph that gives something else than PyTorch; empty if none."""
    free = all(d.dim_param for d in conversion.model.graph.input[0].type.tensor_type.shape.dim[2:])
    # Cut so that sides stay multiples of what the network needs, up to 64.
    probes = [x[:1, :, :PROBE, :PROBE], x] if free and min(x.shape[2:]) > PROBE else [x]
    for probe in probes:
        probe = np.ascontiguousarray(probe)
        expected, actual = conversion.values(probe), run_model(conversion.model, probe)
        for node in conversion.model.graph.node:
            fault = _fault(node, expected, actual)
            if fault:
                return f", first at the node {node.name} ({node.op_type}), {fault}"
    return ""


def _fault(node: onnx.NodeProto, expected: Values, actual: Values) -> str:
    for name in node.output:
        if name not in expected:
            continue
        ours, theirs = actual[name], expected[name]
        if ours.shape != theirs.shape:
            return f"which gives {ours.shape} in place of {theirs.shape}"
        if not np.isfinite(ours).all():
            return "which gives NaN or infinity"
        largest = max(float(np.abs(theirs).max(initial=0)), 1.0)
        difference = float(np.abs(ours - theirs).max(initial=0))
        if not difference <= TOLERANCE * largest:
            return f"by {difference:.2e} of values up to {largest:.2e}"
    return ""
