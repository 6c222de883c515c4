from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
import torch
from torch import nn

from restore_rt.errors import InputError
from restore_rt.training import precision
from restore_rt.training.faults import TrainingError
from restore_rt.training.precision import OVERFLOWS, Precision, whole_float32


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> Precision:
    """Return a precision of float16 on the CPU, which scales the loss as on an older GPU."""
    monkeypatch.setattr(precision, "lower_dtype", lambda *, gpu: torch.float16)
    return Precision("mixed", "cpu")


def layer() -> tuple[nn.Linear, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    return network, torch.optim.SGD(network.parameters(), lr=0.1)


def push(where: Precision, network: nn.Linear, optimiser: torch.optim.Optimizer, by: float) -> None:
    """Take a step whose gradients are of the size `by`."""
    optimiser.zero_grad()
    where.backward(network(torch.full((1, 3), by)).sum(), optimiser)
    where.descend(network, optimiser, clip=1.0)


@pytest.mark.parametrize(("hardware", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_gpu_that_emulates_bfloat16_gets_float16(
    monkeypatch: pytest.MonkeyPatch, hardware: bool, dtype: torch.dtype
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return hardware or including_emulation

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    mixed = Precision("mixed")
    assert (mixed.device.type, mixed.dtype) == ("cuda", dtype)
    assert bool(mixed.state()) == (not hardware)
    assert str(mixed) == f"a GPU in {'bfloat16' if hardware else 'float16'}"
    assert Precision("fp32", "cuda").dtype is None
    assert str(Precision("fp32", "cpu")) == "the CPU in float32"


@pytest.mark.parametrize(("fast", "dtype"), [(True, torch.bfloat16), (False, None)])
def test_a_cpu_computes_in_bfloat16_where_it_is_faster(
    monkeypatch: pytest.MonkeyPatch, fast: bool, dtype: torch.dtype | None
) -> None:
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: fast)
    mixed = Precision("mixed", "cpu")
    assert mixed.dtype is dtype
    assert mixed.state() == {}
    with mixed.autocast():
        assert layer()[0](torch.ones(1, 3)).dtype is (dtype or torch.float32)


def test_devices_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device is 'gpu'; there are auto, cpu, cuda"):
        Precision("fp32", "gpu")
    with pytest.raises(InputError, match="PyTorch finds no GPU"):
        Precision("fp32", "cuda")
    assert Precision("fp32").device.type == "cpu"


def test_gradients_are_clipped_together() -> None:
    network, sgd = layer()
    before = [p.detach().clone() for p in network.parameters()]
    push(Precision("fp32", "cpu"), network, sgd, 100.0)
    moved = [(a - b).norm() for a, b in zip(network.parameters(), before, strict=True)]
    assert torch.stack(moved).norm().item() == pytest.approx(0.1)


def test_a_gradient_that_is_no_number_is_named_and_not_spread() -> None:
    network, sgd = layer()
    before = network.weight.detach().clone()
    where = Precision("fp32", "cpu")
    sgd.zero_grad()
    network(torch.ones(1, 3)).sum().backward()
    assert network.bias.grad is not None
    network.bias.grad[1] = float("nan")
    with pytest.raises(TrainingError, match="norm is nan, first in the gradient of bias"):
        where.descend(network, sgd, clip=1.0)
    assert network.weight.grad is not None
    assert network.weight.grad.isfinite().all()
    assert torch.equal(network.weight, before)


def test_an_overflow_of_float16_is_skipped_and_scaled_less(half: Precision) -> None:
    network, sgd = layer()
    before = network.weight.detach().clone()
    scale = half.state()["scale"]
    push(half, network, sgd, 1e35)
    assert torch.equal(network.weight, before)
    assert half.state()["scale"] == scale / 2
    assert half.state()["overflows"] == 1
    push(half, network, sgd, 1.0)
    assert not torch.equal(network.weight, before)
    assert half.state()["overflows"] == 0


def test_overflows_without_end_are_an_error(half: Precision) -> None:
    network, sgd = layer()
    for _ in range(OVERFLOWS - 1):
        push(half, network, sgd, float("inf"))
    # A resumed run counts on.
    other = half.twin()
    assert other.state()["overflows"] == 0
    other.load(half.state())
    for one in (half, other):
        with pytest.raises(TrainingError, match=f"overflowed float16 {OVERFLOWS} steps in a row"):
            push(one, network, sgd, float("inf"))


def test_a_scale_of_another_precision_does_no_harm(half: Precision) -> None:
    plain = Precision("fp32", "cpu")
    plain.load(half.state())
    assert plain.state() == {}
    state = half.state()
    half.load({})
    assert half.state() == state


def test_float32_is_whole_within_the_block_alone() -> None:
    def settings() -> tuple[Any, ...]:
        return torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()

    before = settings()
    try:
        torch.backends.cudnn.allow_tf32 = True
        torch.set_float32_matmul_precision("high")
        with ExitStack() as stack:
            stack.enter_context(pytest.raises(KeyError))
            stack.enter_context(whole_float32())
            assert settings() == (False, "highest")
            raise KeyError
        assert settings() == (True, "high")
    finally:
        torch.backends.cudnn.allow_tf32 = before[0]
        torch.set_float32_matmul_precision(before[1])
