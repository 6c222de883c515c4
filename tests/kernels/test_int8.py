"""Networks of bytes: integers are exact, so every instruction set must give the oracle's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from restore_rt import _ext
from restore_rt._ext import Network
from restore_rt.errors import InputError
from tests.kernels import network_oracle
from tests.kernels.test_network import random_activation, random_frame, run

Array = NDArray[Any]
Layers = list[dict[str, Any]]


def made_by(vnni: bool) -> list[str]:
    """Name the algorithms of bytes, and those of all else; without VNNI where that is asked for."""
    names = [*_ext.algorithms(), *_ext.algorithms("int8")]
    return names if vnni else [name for name in names if name != "direct_vnni"]


def random_result(rng: np.random.Generator, spread: float = 2.0) -> tuple[float, int]:
    """Draw a scale and a zero point for values of this spread."""
    zero = int(rng.choice([0, 255, int(rng.integers(1, 255))]))
    return float(np.float32(spread * rng.uniform(0.3, 1) / 255)), zero


def int8_layer(
    rng: np.random.Generator, source: int, inputs: int, outputs: int, side: int = 3
) -> dict[str, Any]:
    weights = rng.integers(-128, 128, (outputs, inputs, side, side))
    spread = 1 / np.sqrt(inputs * side * side) / 74
    return {
        "step": "convolution",
        "source": source,
        "weights": weights.astype(np.float32),
        "scales": (spread * rng.uniform(0.5, 2, outputs)).astype(np.float32),
        "bias": rng.normal(0, 0.1, outputs).astype(np.float32),
    }


def random_int8_network(
    rng: np.random.Generator, channels: int, outputs: int, depth: int
) -> Layers:
    """Make convolutions of bytes; some round to bytes themselves, some add and activate."""
    layers: Layers = [
        {"step": "quantise", "source": 0, "result": random_result(rng, 1.0)},
        {"step": "dequantise", "source": 1},
    ]
    in_bytes, inputs = 1, channels
    floats = {0: channels, 2: channels}
    for index in range(depth):
        last = index == depth - 1
        width = outputs if last else int(rng.choice([1, 2, 4, 5, 16, 19, 40]))
        layer = int8_layer(rng, in_bytes, inputs, width, int(rng.choice([1, 3, 3, 3])))
        layers.append(layer)
        value, inputs = len(layers), width
        kind = rng.choice(
            ["floats", "rounded"] if last else ["bytes", "bytes", "floats", "rounded"]
        )
        if kind == "bytes":
            layer |= {"result": random_result(rng), "bytes": True}
            layer["activation"] = str(rng.choice(["none", "relu"]))
            in_bytes = value
            continue
        if kind == "rounded":
            layer["result"] = random_result(rng)
        fitting = [v for v, made in floats.items() if made in (1, width)]
        if fitting and rng.random() < 0.5:
            layer["residual"] = int(rng.choice(fitting))
        layer |= random_activation(rng, width)
        floats[value] = width
        if not last:
            layers.append({"step": "quantise", "source": value, "result": random_result(rng)})
            in_bytes = len(layers)
    return layers


@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 40),
    width=st.integers(1, 60),
    channels=st.sampled_from([1, 3, 4]),
    colours=st.sampled_from([1, 3, 4]),
    shuffle=st.integers(1, 3),
    depth=st.integers(1, 5),
    vnni=st.booleans(),
    threads=st.integers(1, 3),
    band=st.none() | st.integers(1, 50),
)
def test_random_networks_equal_the_oracle_bit_for_bit(
    isa: str,
    seed: int,
    height: int,
    width: int,
    channels: int,
    colours: int,
    shuffle: int,
    depth: int,
    vnni: bool,
    threads: int,
    band: int | None,
) -> None:
    rng = np.random.default_rng(seed)
    layers = random_int8_network(rng, channels, colours * shuffle**2, depth)
    network = Network(layers, channels=channels, shuffle=shuffle, algorithms=made_by(vnni))
    frame = random_frame(rng, (height, width, channels), np.float32)
    result = run(network, frame, threads=threads, band_rows=band)
    expected = network_oracle.run(layers, frame, shuffle=shuffle)
    np.testing.assert_array_equal(result, expected.astype(np.float32))


def deep_network(zero: int = 7) -> Layers:
    """Make what real time needs: luma, 16 channels, x2; a float layer first, bytes behind it."""
    rng = np.random.default_rng(0)
    first = int8_layer(rng, 0, 1, 16)
    del first["scales"]
    first["weights"] /= 300
    result = (float(np.float32(0.01)), zero)
    layers: Layers = [first, {"step": "quantise", "source": 1, "result": result}]
    for source in (2, 3, 4):
        layer = int8_layer(rng, source, 16, 16)
        layers.append(layer | {"activation": "relu", "result": result, "bytes": True})
    return [*layers, int8_layer(rng, 5, 16, 4) | {"residual": 0}]


@pytest.mark.parametrize("vnni", [True, False])
@pytest.mark.long
def test_neither_threads_nor_bands_change_a_bit(isa: str, vnni: bool) -> None:
    network = Network(deep_network(), channels=1, shuffle=2, algorithms=made_by(vnni))
    frame = random_frame(np.random.default_rng(1), (101, 1517), np.float32)
    expected = run(network, frame)
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(run(network, frame, threads=threads), expected)
    for band in (1, 3, 4, 16, 50, 100, 101):
        np.testing.assert_array_equal(run(network, frame, threads=2, band_rows=band), expected)


def test_ties_are_rounded_as_onnx_divides(isa: str) -> None:
    levels = np.arange(256, dtype=np.uint8)[np.newaxis]
    samples = (levels / np.float32(255)).astype(np.float32)
    ties = 0
    for level in range(1, 256, 7):
        # This level lies in the middle of two steps, or the next number to it.
        scale = np.float32(samples[0, level] / np.float32(level // 3 + 0.5))
        steps = samples / scale
        ties += int((steps % 1 == 0.5).sum())
        layers: Layers = [
            {"step": "quantise", "source": 0, "result": (float(scale), 0)},
            {"step": "dequantise", "source": 1},
        ]
        made = run(Network(layers, channels=1), samples)[..., 0]
        np.testing.assert_array_equal(made, np.rint(steps).clip(0, 255) * scale)
    assert ties > 36


@pytest.mark.parametrize("vnni", [True, False])
def test_the_largest_sums_are_exact(isa: str, vnni: bool) -> None:
    """Products of bytes in pairs would saturate in 16 bits, and floats round beyond 2^24."""
    layers: Layers = [{"step": "quantise", "source": 0, "result": (1.0, 0)}]
    layers.append(int8_layer(np.random.default_rng(0), 1, 1, 1024, 1))
    layers[-1] |= {"weights": np.ones((1024, 1, 1, 1)), "scales": np.ones(1024)}
    layers[-1] |= {"bias": np.zeros(1024), "result": (1.0, 0), "bytes": True}
    for weight in (127, -128):
        weights = np.full((1, 1024, 3, 3), weight)
        weights[0, 0, 1, 1] -= np.sign(weight)
        last = int8_layer(np.random.default_rng(0), 2, 1024, 1)
        last |= {"weights": weights, "scales": [1.0], "bias": [0.0]}
        network = Network([*layers, last], channels=1, algorithms=made_by(vnni))
        result = run(network, np.full((3, 40), 255, np.float32))
        assert result[1, 20] == np.float32(255 * int(weights.sum()))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_is_no_number_is_reported_before_it_becomes_a_byte(
    isa: str, bad: float, channels: int
) -> None:
    rng = np.random.default_rng(2)
    layers: Layers = [{"step": "quantise", "source": 0, "result": (1 / 255, 0)}]
    network = Network([*layers, int8_layer(rng, 1, channels, 1)], channels=channels)
    frame = random_frame(rng, (20, 30, channels), np.float32)
    out = np.empty((20, 30), np.float32)
    assert network.run_into(out, frame)
    frame[19, 29, channels - 1] = bad
    assert not network.run_into(out, frame)


def test_vnni_is_there_with_wide_vectors_alone(isa: str) -> None:
    assert isinstance(_ext.has_vnni(), bool)
    if isa == "portable":
        assert not _ext.has_vnni()


def test_a_set_alone_is_without_what_newer_cpus_add(isa: str) -> None:
    if f"{isa}-only" not in _ext.isas():
        assert isa in ("portable", "neon")
        return
    _ext.set_isa(f"{isa}-only")
    try:
        assert not _ext.has_vnni()
        assert _ext.algorithms("int8") == ["direct_int8"]
        assert not _ext.has_bf16()
        assert not {"winograd_bf16", "direct_amx"}.intersection(_ext.algorithms("bf16"))
    finally:
        _ext.set_isa(isa)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (21, 37)])
@pytest.mark.parametrize(("channels", "side"), [(1, 3), (3, 3), (3, 1), (4, 3)])
def test_floats_before_bytes_are_summed_as_the_oracle_does(
    isa: str, size: tuple[int, int], channels: int, side: int
) -> None:
    """Two layers of floats, then bytes: of no sum may the last bit depend on the CPU."""
    rng = np.random.default_rng(0)
    layers: Layers = []
    for source, (inputs, outputs) in enumerate([(channels, 19), (19, 5)]):
        layer = int8_layer(rng, source, inputs, outputs, side)
        del layer["scales"]
        layer["weights"] /= 300
        layers.append(layer | random_activation(rng, outputs))
    layers.append({"step": "quantise", "source": 2, "result": random_result(rng)})
    layers.append(int8_layer(rng, 3, 5, channels))
    network = Network(layers, channels=channels)
    assert network.plan[:2] == ["direct_fp64"] * 2
    frame = random_frame(rng, (*size, channels), np.float32)
    expected = network_oracle.run(layers, frame, shuffle=1)
    np.testing.assert_array_equal(run(network, frame), expected.astype(np.float32))


def changed(index: int, **changes: Any) -> Layers:
    layers = deep_network()
    layers[index] |= changes
    return layers


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (changed(1, result=None), "layer 1 quantises, and does not say to what scale"),
        (changed(1, result=(0.0, 3)), "layer 1's result has a scale of 0"),
        (changed(1, result=(-1.0, 3)), "layer 1 has a result of scale -1"),
        (changed(1, result=(np.nan, 3)), "layer 1 has a result of scale nan"),
        (changed(1, result=(1.0, 256)), "layer 1's zero point is 256; allowed are 0 to 255"),
        (changed(1, source=0, step="dequantise"), "layer 1 reads floats, and dequantises them"),
        (changed(2, source=1), "layer 2 has int8 weights, and reads no bytes"),
        (changed(2, scales=[]), "layer 2 has no scales"),
        (changed(2, scales=np.ones(3)), "layer 2 has 3 scales; it needs 16"),
        (changed(2, scales=np.zeros(16)), "layer 2 has a scale that is not positive"),
        (changed(2, scales=np.full(16, 1e-39)), "layer 2 has a scale that is not positive"),
        (changed(2, bias=np.full(16, 1e9)), "layer 2 has a bias that is too large"),
        (changed(2, weights=np.full((16, 16, 3, 3), 128)), "weights that are not -128 to 127"),
        (changed(2, weights=np.full((16, 16, 3, 3), 0.5)), "weights that are not -128 to 127"),
        (changed(2, result=None), "layer 2 makes bytes, and does not say of what scale"),
        (changed(2, residual=1), "layer 2 makes bytes, to which only relu is applied"),
        (changed(2, activation="clip", low=0, high=1), "to which only relu is applied"),
        (changed(2, bytes=False), "layer 3 has int8 weights, and reads no bytes"),
        (changed(5, residual=2), "layer 5 adds bytes"),
        (changed(5, result=(1.0, 0), bytes=True, residual=None), "the last layer makes bytes"),
        (changed(3, step="nearest", factor=2), "layer 3 reads bytes"),
        ([deep_network()[0] | {"result": (1.0, 0)}], "layer 0 rounds its result"),
    ],
)
def test_what_cannot_be_is_refused(layers: Layers, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Network(layers, channels=1, shuffle=2)


def test_a_float_layer_does_not_read_bytes() -> None:
    layers = deep_network()
    del layers[3]["scales"]
    with pytest.raises(InputError, match="layer 3 reads bytes, for which its weights need scales"):
        Network(layers, channels=1, shuffle=2)


@pytest.mark.parametrize("result", [3, "ab", (1.0,), ("x", 0)])
def test_a_result_is_a_pair_of_numbers(result: Any) -> None:
    with pytest.raises(TypeError):
        Network(changed(1, result=result), channels=1, shuffle=2)
