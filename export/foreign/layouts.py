"""Third-party networks, detected from the names and shapes of their weights."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from restore_rt.errors import InputError

__all__ = ["TITLES", "Layout", "recognise"]

# By the name that our network of this layout has.
TITLES = {"rrdb": "RRDBNet", "srvgg": "SRVGGNetCompact"}

_CHANNELS = {3: "rgb", 1: "luma"}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which network of ours has the place of someone else's, as `build` takes it.

    `weights` are theirs by the names of ours.
    """

    name: str
    scale: int
    colour: str
    params: dict[str, int]
    weights: dict[str, Tensor]


def recognise(state: Mapping[str, Tensor]) -> Layout | None:
    """Tell the network that `state` is of; None if it is none of ours.

    RRDBNet is known by the names of BasicSR, of ESRGAN's repository and of the models before it.
    Raises `InputError` if it is one of ours, but with something that we do not have.
    """
    return _srvgg(state) or _rrdb(state)


def _srvgg(state: Mapping[str, Tensor]) -> Layout | None:
    weights: dict[str, Tensor] = {}
    count = 0
    for key, tensor in state.items():
        found = re.fullmatch(r"body\.(\d{1,4})\.(weight|bias)", key)
        if not found or tensor.dim() not in (1, 4):
            return None
        index = int(found.group(1))
        weights[f"{'bends' if index % 2 else 'layers'}.{index // 2}.{found.group(2)}"] = tensor
        count = max(count, index // 2 + 1)
    if "layers.0.weight" not in weights:
        return None
    if count > 1 and not any(name.startswith("bends.") for name in weights):
        raise InputError(
            "it is an SRVGGNetCompact without weights between its convolutions; which function is "
            "there (ReLU, LeakyReLU) cannot be told: those with PReLU can be read"
        )
    if count < 2 or sum(name.endswith(".weight") for name in weights) != 2 * count - 1:
        return None
    for part in ("weight", "bias"):
        if f"layers.{count - 1}.{part}" in weights:
            weights[f"last.{part}"] = weights.pop(f"layers.{count - 1}.{part}")
    first, last = weights["layers.0.weight"], weights["last.weight"]
    channels = _kernel_sides(first)[1]
    scale = math.isqrt(last.shape[0] // channels)
    if scale < 1 or channels * scale**2 != last.shape[0]:
        raise InputError(
            f"its last layer makes {last.shape[0]} channels, which are no block of pixels for each "
            f"of the {channels} that it takes"
        )
    _check_scale(scale, range(1, 9))
    return Layout(
        name="srvgg",
        scale=scale,
        colour=_colour(channels),
        params={"width": first.shape[0], "depth": count},
        weights=weights,
    )


def _rrdb(state: Mapping[str, Tensor]) -> Layout | None:
    weights = _renamed(state, _NAMES) or _renamed(state, _old_names(state))
    needed = [f"{name}.weight" for name in ("first", "after", "refine", "last")]
    needed.append("blocks.0.dense.0.layers.0.weight")
    if weights is None or any(name not in weights for name in needed):
        return None
    first, dense, last = (weights[name] for name in (needed[0], needed[4], needed[3]))
    blocks = {name.split(".")[1] for name in weights if name.startswith("blocks.")}
    doublings = {name.split(".")[1] for name in weights if name.startswith("enlarge.")}
    out, taken = _kernel_sides(last)[0], _kernel_sides(first)[1]
    unshuffle = math.isqrt(taken // out)
    if unshuffle not in (1, 2, 4) or out * unshuffle**2 != taken:
        raise InputError(
            f"it takes {taken} channels and makes {out}; allowed are as many, or 4 or 16 times as "
            "many, of blocks of pixels"
        )
    _check_scale(2 ** len(doublings) / unshuffle, (1, 2, 4, 8))
    params = {
        "blocks": len(blocks),
        "filters": first.shape[0],
        "growth": _kernel_sides(dense)[0],
        "unshuffle": unshuffle,
    }
    scale = 2 ** len(doublings) // unshuffle
    return Layout(name="rrdb", scale=scale, colour=_colour(out), params=params, weights=weights)


# Of BasicSR and Real-ESRGAN, and of ESRGAN's repository.
_NAMES = {
    r"conv_first": "first",
    r"(?:body|RRDB_trunk)\.(\d{1,4})\.(?:rdb|RDB)(\d)\.conv(\d)": "blocks",
    r"conv_body|trunk_conv": "after",
    r"(?:conv_up|upconv)(\d)": "enlarge",
    r"conv_hr|HRconv": "refine",
    r"conv_last": "last",
}


def _old_names(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the names in ESRGAN's first models, which number all layers in a row."""
    found = [re.fullmatch(r"model\.(\d{1,4})\.weight", key) for key in state]
    numbers = sorted(int(match.group(1)) for match in found if match)
    doublings = len(numbers) - 3
    # After the blocks an upsample, a convolution and a LeakyReLU for each doubling.
    ups = [3 * index for index in range(1, doublings + 1)]
    end = 3 * max(doublings, 0) + 2
    if numbers != [0, *ups, end, end + 2]:
        return {}
    names = {
        r"model\.0": "first",
        r"model\.1\.sub\.(\d{1,4})\.RDB(\d)\.conv(\d)\.0": "blocks",
        r"model\.1\.sub\.\d+": "after",
        rf"model\.{end}": "refine",
        rf"model\.{end + 2}": "last",
    }
    return names | {rf"model\.{number}": f"enlarge.{i}" for i, number in enumerate(ups)}


def _renamed(state: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor] | None:
    """Return the weights by our names; None if one has no equivalent."""
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        layer, _, part = key.rpartition(".")
        matches = ((re.fullmatch(pattern, layer), ours) for pattern, ours in names.items())
        found, ours = next(((match, ours) for match, ours in matches if match), (None, ""))
        if found is None or part not in ("weight", "bias"):
            return None
        if ours == "blocks":
            block, dense, conv = (int(number) for number in found.groups())
            ours = f"blocks.{block}.dense.{dense - 1}.layers.{conv - 1}"
        elif ours == "enlarge":
            ours = f"enlarge.{int(found.group(1)) - 1}"
        renamed[f"{ours}.{part}"] = tensor
    return renamed


def _kernel_sides(weight: Tensor) -> tuple[int, int]:
    if weight.dim() != 4 or 0 in weight.shape:
        raise InputError(f"a convolution of it has weights of the shape {tuple(weight.shape)}")
    return weight.shape[0], weight.shape[1]


def _colour(channels: int) -> str:
    if channels not in _CHANNELS:
        raise InputError(f"it makes {channels} channels; allowed are 3 (RGB) and 1 (luma)")
    return _CHANNELS[channels]


def _check_scale(scale: float, allowed: Iterable[int]) -> None:
    allowed = tuple(allowed)
    if scale not in allowed:
        raise InputError(f"it enlarges {scale:g} times; allowed are {', '.join(map(str, allowed))}")
