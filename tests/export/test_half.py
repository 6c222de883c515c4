from __future__ import annotations

import copy
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from restore_rt.export import ExportError, half
from restore_rt.export.conversion import Conversion, convert, open_session, run
from restore_rt.export.cost import measure_cost, psnr
from restore_rt.export.half import keep_what_needs_it, simulate, to_half
from restore_rt.export.samples import synthetic_samples
from restore_rt.training.networks import build

SAMPLES = [sample[:, :, :24, :40] for sample in synthetic_samples(1)]
# Beyond 65,504, the largest number of fp16.
HUGE = 1e6


class Scaled(nn.Module):
    """Computes what any network might, but in the middle with values that fp16 does not hold."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Conv2d(1, 4, 3, padding=1)
        self.after = nn.Conv2d(4, 1, 3, padding=1)
        nn.init.constant_(self.before.weight, 1 / 9)
        nn.init.constant_(self.after.weight, 1 / 36)

    def forward(self, x: Tensor) -> Tensor:
        features = torch.relu(self.before(x)) * HUGE
        return self.after(features) / HUGE  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Return a small network that needs nothing in fp32."""
    torch.manual_seed(4)
    made = build("compact", width=4, depth=3, scale=2, colour="luma").eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made


@pytest.fixture(scope="module")
def compact(network: nn.Module) -> Conversion:
    """Return its graph."""
    return convert(network, 1)


@pytest.fixture(scope="module")
def scaled() -> Conversion:
    """Return a network some of whose nodes must stay in fp32."""
    torch.manual_seed(4)
    return convert(Scaled().eval(), 1)


def types(model: onnx.ModelProto) -> dict[str, int]:
    """Return the type of every value, by name, as inferred."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    graph = inferred.graph
    return {v.name: v.type.tensor_type.elem_type for v in (*graph.value_info, *graph.output)}


def test_all_of_an_ordinary_network_becomes_fp16(compact: Conversion) -> None:
    assert keep_what_needs_it(compact, SAMPLES, floor=60, say=pytest.fail) == ()
    made = to_half(compact.model)
    onnx.checker.check_model(made, full_check=True)
    found = types(made)
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    convolutions = [node.output[0] for node in made.graph.node if node.op_type == "Conv"]
    assert {found[name] for name in convolutions} == {half}
    assert found["y"] == single
    assert {t.data_type for t in made.graph.initializer} == {half}
    both = to_half(compact.model, float_io=False)
    assert types(both)["y"] == half
    assert [value.type.tensor_type.elem_type for value in both.graph.input] == [half]
    for x in SAMPLES:
        expected = run(open_session(compact.model), x)
        assert psnr(run(open_session(made), x), expected) > 60
        assert psnr(run(open_session(both), x), expected) > 60


def test_the_simulation_rounds_weights_and_values(network: nn.Module, compact: Conversion) -> None:
    (x, *_) = SAMPLES
    everything = {node.name for node in compact.model.graph.node}
    with torch.no_grad():
        exact = network(torch.from_numpy(x)).numpy()
        native = copy.deepcopy(network).half()(torch.from_numpy(x).half()).float().numpy()
    assert np.array_equal(simulate(compact, everything, x), exact)
    half = simulate(compact, (), x)
    assert not np.array_equal(half, exact)
    assert np.array_equal(half, half.astype(np.float16))
    # PyTorch's own fp16 sums in another order, and may round in between.
    assert psnr(half, native) > psnr(native, exact) - 6


def test_nodes_with_values_that_fp16_does_not_hold_stay(scaled: Conversion) -> None:
    kept = keep_what_needs_it(scaled, SAMPLES, floor=60, say=lambda line: None)
    kinds = {node.name: node.op_type for node in scaled.model.graph.node}
    assert sorted(kinds[name] for name in kept) == ["Conv", "Div", "Mul"]
    made = to_half(scaled.model, keep=kept)
    onnx.checker.check_model(made, full_check=True)
    x = SAMPLES[0]
    expected = scaled.values(x)["y"]
    assert not np.isfinite(simulate(scaled, (), x)).all()
    assert psnr(simulate(scaled, kept, x), expected) >= 60
    assert psnr(run(open_session(made), x), expected) >= 60
    # None of them can be left out.
    for name in kept:
        assert psnr(simulate(scaled, set(kept) - {name}, x), expected) < 60


def test_nodes_in_fp32_pass_on_fp32(scaled: Conversion, compact: Conversion) -> None:
    x = SAMPLES[0]
    for conversion in (scaled, compact):
        made = to_half(conversion.model, keep=[node.name for node in conversion.model.graph.node])
        assert all(node.op_type != "Cast" for node in made.graph.node)
        # Weights may have been rounded, values not.
        assert psnr(run(open_session(made), x), conversion.values(x)["y"]) > 90
    for name in (node.name for node in compact.model.graph.node):
        made = to_half(compact.model, keep=[name])
        onnx.checker.check_model(made, full_check=True)
        simulated = simulate(compact, [name], x)
        assert (
            psnr(run(open_session(made), x), simulated)
            > psnr(compact.values(x)["y"], simulated) - 6
        )


def test_a_higher_floor_keeps_more_and_no_more_than_it_takes(compact: Conversion) -> None:
    outputs = [compact.values(x)["y"] for x in SAMPLES]

    def quality(keep: set[str]) -> float:
        return min(
            psnr(simulate(compact, keep, x), y) for x, y in zip(SAMPLES, outputs, strict=True)
        )

    everything = {node.name for node in compact.model.graph.node}
    low, high = quality(set()), quality(everything)
    assert high > low + 3
    floor, said = low + 1, list[str]()
    kept = set(keep_what_needs_it(compact, SAMPLES, floor=floor, say=said.append))
    assert quality(kept) >= floor
    assert 0 < len(kept) < len(everything)
    assert all(quality(kept - {name}) < floor for name in kept)
    assert "looking for nodes that need fp32" in said[0]


def test_a_sample_that_was_not_among_the_worst_counts_too(
    compact: Conversion, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = [compact.output(x) for x in SAMPLES]
    worst = min(psnr(simulate(compact, (), x), y) for x, y in zip(SAMPLES, outputs, strict=True))
    searched: list[float] = []
    search = half._search

    def nothing_at_first(*arguments: Any) -> tuple[str, ...]:
        searched.append(arguments[3])
        return () if len(searched) == 1 else search(*arguments)

    monkeypatch.setattr(half, "SEARCHED", 1)
    monkeypatch.setattr(half, "_search", nothing_at_first)
    kept = keep_what_needs_it(compact, SAMPLES, floor=worst + 1, say=lambda line: None)
    assert len(searched) >= 2
    for x, y in zip(SAMPLES, outputs, strict=True):
        assert psnr(simulate(compact, kept, x), y) >= worst + 1


def test_what_no_node_can_mend_is_refused(compact: Conversion) -> None:
    with pytest.raises(ExportError, match=r"less than 250\.0 dB"):
        keep_what_needs_it(compact, SAMPLES, floor=250, say=lambda line: None)


def test_a_cost_says_what_was_lost(compact: Conversion) -> None:
    cost = measure_cost(compact.model, to_half(compact.model), SAMPLES)
    assert 60 < cost.least_psnr <= cost.psnr < 120
    assert 0 < cost.worst_pixel < 0.01
    assert 0.4 < cost.size < 1
    assert cost.time > 0
    same = measure_cost(compact.model, compact.model, SAMPLES)
    assert (same.psnr, same.worst_pixel, same.size) == (200, 0, 1)
    nothing = np.full_like(compact.values(SAMPLES[0])["y"], np.nan)
    lost = measure_cost(compact.model, compact.model, SAMPLES[:1], compute=lambda x: nothing)
    assert lost.least_psnr == 0
