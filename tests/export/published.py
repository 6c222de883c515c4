"""Weights by the names that others publish them under, and what they compute, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

State = dict[str, Tensor]


def saved(content: Any, path: Path, **options: Any) -> Path:
    """Write what a checkpoint holds."""
    torch.save(content, path, **options)
    return path


def srvgg_state(*, width: int, convs: int, scale: int, channels: int = 3) -> State:
    """Make weights of an SRVGGNetCompact with `convs` layers between the first and the last."""
    state: State = {}
    sizes = [channels] + [width] * (convs + 1) + [channels * scale**2]
    for index in range(convs + 2):
        _add(state, f"body.{2 * index}", sizes[index], sizes[index + 1])
        if index <= convs:
            state[f"body.{2 * index + 1}.weight"] = torch.rand(width) * 0.5
    return state


def run_srvgg(state: State, x: Tensor, scale: int) -> Tensor:
    features, last = x, max(int(key.split(".")[1]) for key in state)
    for index in range(0, last + 1, 2):
        features = _conv(state, f"body.{index}", features)
        if index < last:
            features = F.prelu(features, state[f"body.{index + 1}.weight"])
    base = x.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    return base + F.pixel_shuffle(features, scale)


def rrdb_state(
    *, filters: int, growth: int, blocks: int, doublings: int = 2, taken: int = 3, made: int = 3
) -> State:
    """Make weights of an RRDBNet by BasicSR's names."""
    state: State = {}
    _add(state, "conv_first", taken, filters)
    for block in range(blocks):
        for dense in (1, 2, 3):
            for conv in range(1, 6):
                inputs = filters + (conv - 1) * growth
                name = f"body.{block}.rdb{dense}.conv{conv}"
                _add(state, name, inputs, growth if conv < 5 else filters)
    _add(state, "conv_body", filters, filters)
    for index in range(doublings):
        _add(state, f"conv_up{index + 1}", filters, filters)
    _add(state, "conv_hr", filters, filters)
    _add(state, "conv_last", filters, made)
    return state


def run_rrdb(state: State, x: Tensor, unshuffle: int = 1) -> Tensor:
    n, c, h, w = x.shape
    u = unshuffle
    x = x.reshape(n, c, h // u, u, w // u, u).permute(0, 1, 3, 5, 2, 4)
    shallow = _conv(state, "conv_first", x.reshape(n, c * u * u, h // u, w // u))
    deep = shallow
    blocks = {int(key.split(".")[1]) for key in state if key.startswith("body.")}
    for block in sorted(blocks):
        inner = deep
        for dense in (1, 2, 3):
            found = [inner]
            for conv in range(1, 6):
                name = f"body.{block}.rdb{dense}.conv{conv}"
                made = _conv(state, name, torch.cat(found, 1))
                found.append(made if conv == 5 else _bent(made))
            inner = inner + 0.2 * found[-1]
        deep = deep + 0.2 * inner
    features = shallow + _conv(state, "conv_body", deep)
    for index in range(sum(key.startswith("conv_up") for key in state) // 2):
        larger = features.repeat_interleave(2, 2).repeat_interleave(2, 3)
        features = _bent(_conv(state, f"conv_up{index + 1}", larger))
    return _conv(state, "conv_last", _bent(_conv(state, "conv_hr", features)))


def as_esrgan(state: State) -> State:
    """Rename weights of BasicSR's names to those of ESRGAN's repository."""
    words = {"conv_body": "trunk_conv", "body.": "RRDB_trunk.", "rdb": "RDB"}
    words |= {"conv_up": "upconv", "conv_hr": "HRconv"}
    return {_replaced(key, words): tensor for key, tensor in state.items()}


def as_old_esrgan(state: State) -> State:
    """Rename weights of BasicSR's names to those of ESRGAN's first models."""
    blocks = len({key.split(".")[1] for key in state if key.startswith("body.")})
    ups = sum(key.startswith("conv_up") for key in state) // 2
    old: State = {}
    for key, tensor in state.items():
        layer, part = key.rsplit(".", 1)
        if layer.startswith("body."):
            _, block, dense, conv = layer.split(".")
            layer = f"model.1.sub.{block}.{dense.upper()}.{conv}.0"
        elif layer.startswith("conv_up"):
            layer = f"model.{3 * int(layer[-1])}"
        else:
            places = {"conv_first": "0", "conv_body": f"1.sub.{blocks}"}
            places |= {"conv_hr": f"{3 * ups + 2}", "conv_last": f"{3 * ups + 4}"}
            layer = f"model.{places[layer]}"
        old[f"{layer}.{part}"] = tensor
    return old


def _add(state: State, name: str, inputs: int, outputs: int) -> None:
    state[f"{name}.weight"] = torch.randn(outputs, inputs, 3, 3) * (inputs * 9) ** -0.5
    state[f"{name}.bias"] = torch.randn(outputs) * 0.1


def _conv(state: State, name: str, x: Tensor) -> Tensor:
    return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)


def _bent(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def _replaced(text: str, words: dict[str, str]) -> str:
    for old, new in words.items():
        text = text.replace(old, new)
    return text
