from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
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

Array = NDArray[Any]
Layers = list[dict[str, Any]]
Layout = Callable[[Array], Array]

# Of a result of about 1; bf16 keeps 8 bits of each factor.
TOLERANCE = {"fp32": 2e-5, "bf16": 3e-2}


def random_layer(
    rng: np.random.Generator, source: int, inputs: int, outputs: int, side: int = 3
) -> dict[str, Any]:
    spread = 1 / np.sqrt(inputs * side * side)
    return {
        "step": "convolution",
        "source": source,
        "weights": rng.normal(0, spread, (outputs, inputs, side, side)).astype(np.float32),
        "bias": rng.normal(0, 0.1, outputs).astype(np.float32),
    }


def random_activation(rng: np.random.Generator, channels: int) -> dict[str, Any]:
    choices: list[dict[str, Any]] = [
        {},
        {"activation": "relu"},
        {"activation": "leaky", "slopes": rng.uniform(-0.2, 0.3, channels).astype(np.float32)},
        {"activation": "clip", "low": -0.5, "high": 0.75},
    ]
    return choices[rng.integers(4)]


def random_network(
    rng: np.random.Generator, channels: int, colours: int, shuffle: int, depth: int
) -> Layers:
    """Make convolutions of random widths, with residuals, activations and an enlargement."""
    layers: Layers = []
    shapes = [(channels, 1)]
    for index in range(depth):
        source = len(layers)
        inputs, scale = shapes[source]
        if scale == 1 and rng.random() < 0.15:
            step = str(rng.choice(["nearest", "bilinear"]))
            factor = int(rng.integers(2, 4))
            layers.append({"step": step, "source": source, "factor": factor})
            shapes.append((inputs, factor))
            source, scale = len(layers), factor
        last = index == depth - 1
        widths = [1, 3, 4, 8, 16, 19, 32, 40]
        outputs = colours * shuffle**2 if last else int(rng.choice(widths))
        layer = random_layer(rng, source, inputs, outputs, int(rng.choice([1, 3, 3, 3])))
        fitting = [v for v, shape in enumerate(shapes) if shape in ((outputs, scale), (1, scale))]
        if fitting and rng.random() < 0.5:
            layer["residual"] = int(rng.choice(fitting))
        layers.append(layer | random_activation(rng, outputs))
        shapes.append((outputs, scale))
    return layers


def enlargement(layers: Layers) -> int:
    return int(np.prod([layer.get("factor", 1) for layer in layers]))


def random_frame(rng: np.random.Generator, shape: tuple[int, ...], dtype: type) -> Array:
    if dtype is np.float32:
        return rng.uniform(0, 1, shape).astype(np.float32)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def run(network: Network, frame: Array, **options: Any) -> Array:
    height, width = (side * network.scale for side in frame.shape[:2])
    out = np.empty((height, width, network.colours), frame.dtype)
    assert network.run_into(out, frame, **options)
    return out


@given(
    seed=st.integers(0, 10**6),
    height=st.integers(1, 40),
    width=st.integers(1, 60),
    channels=st.sampled_from([1, 3, 4]),
    colours=st.sampled_from([1, 3, 4]),
    shuffle=st.integers(1, 4),
    depth=st.integers(1, 5),
    which=st.integers(0, 9),
    threads=st.integers(1, 3),
    band=st.none() | st.integers(1, 50),
)
def test_random_networks_equal_the_oracle(
    isa: str,
    seed: int,
    height: int,
    width: int,
    channels: int,
    colours: int,
    shuffle: int,
    depth: int,
    which: int,
    threads: int,
    band: int | None,
) -> None:
    rng = np.random.default_rng(seed)
    layers = random_network(rng, channels, colours, shuffle, depth)
    # Either what is chosen, or one of them wherever it can.
    choices = [None, *([name] for name in _ext.algorithms())]
    chosen = choices[which % len(choices)]
    network = Network(layers, channels=channels, shuffle=shuffle, algorithms=chosen)
    assert network.scale == shuffle * enlargement(layers)
    assert (network.channels, network.colours) == (channels, colours)
    frame = random_frame(rng, (height, width, channels), np.float32)
    result = run(network, frame, threads=threads, band_rows=band)
    expected = network_oracle.run(layers, frame, shuffle=shuffle)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(result, expected, rtol=0, atol=TOLERANCE["fp32"] * scale)


def deep_network(seed: int = 0) -> Layers:
    """Make what real time needs: luma, 16 channels, x2."""
    rng = np.random.default_rng(seed)
    widths = [1, 16, 16, 16, 16, 4]
    layers = [random_layer(rng, index, *sides) for index, sides in enumerate(pairwise(widths))]
    for layer in layers[:-1]:
        layer["activation"] = "relu"
    layers[-1]["residual"] = 0
    return layers


def test_what_the_cpu_lacks_is_refused(isa: str) -> None:
    lacking = {"winograd_bf16", "direct_amx"} - set(_ext.algorithms("bf16"))
    for name in lacking:
        with pytest.raises(InputError, match=f"'{name}' cannot run"):
            Network(deep_network(), channels=1, shuffle=2, algorithms=[name])
    assert _ext.has_bf16() == ("winograd_bf16" not in lacking)
    if not _ext.has_bf16():
        with pytest.raises(InputError, match="AVX512_BF16"):
            Network(deep_network(), channels=1, shuffle=2, precision="bf16")
    with pytest.raises(InputError, match="no algorithm 'fft'"):
        Network(deep_network(), channels=1, shuffle=2, algorithms=["fft"])


def test_neither_threads_nor_bands_change_a_bit(isa: str) -> None:
    for algorithm in (None, *_ext.algorithms("bf16")):
        check_that_nothing_changes_a_bit(algorithm)


def check_that_nothing_changes_a_bit(algorithm: str | None) -> None:
    precision = "fp32" if algorithm in (None, *_ext.algorithms()) else "bf16"
    chosen = None if algorithm is None else [algorithm]
    network = Network(deep_network(), channels=1, shuffle=2, precision=precision, algorithms=chosen)
    if algorithm is not None:
        assert algorithm in network.plan
    frame = random_frame(np.random.default_rng(1), (101, 517), np.float32)
    expected = run(network, frame)
    oracle = network_oracle.run(deep_network(), frame, shuffle=2)
    np.testing.assert_allclose(expected, oracle, rtol=0, atol=TOLERANCE[precision])
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(run(network, frame, threads=threads), expected)
    for band in (1, 3, 4, 16, 50, 100, 101):
        bands = run(network, frame, threads=2, band_rows=band)
        np.testing.assert_array_equal(bands, expected)
    for ring in (1, 1 << 17, 1 << 30):
        other = Network(
            deep_network(),
            channels=1,
            shuffle=2,
            precision=precision,
            algorithms=chosen,
            ring_bytes=ring,
        )
        np.testing.assert_array_equal(run(other, frame), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("shuffle", [1, 2, 3, 4])
def test_every_type_and_layout(
    isa: str, layout: Layout, dtype: type, channels: int, shuffle: int
) -> None:
    rng = np.random.default_rng(shuffle)
    layers = [
        random_layer(rng, 0, channels, 16) | {"activation": "relu"},
        random_layer(rng, 1, 16, channels * shuffle**2),
    ]
    network = Network(layers, channels=channels, shuffle=shuffle)
    frame = random_frame(rng, (13, 37, channels), dtype)
    result = layout(np.zeros((13 * shuffle, 37 * shuffle, channels), dtype))
    assert network.run_into(result, layout(frame), threads=2, band_rows=5)
    expected = network_oracle.run(layers, frame, shuffle=shuffle)
    if dtype is np.float32:
        np.testing.assert_allclose(result, expected, rtol=0, atol=2e-5)
    else:
        # One step where the sum lies on the boundary of two.
        rounded = network_oracle.rounded(expected, dtype).astype(int)
        assert np.abs(result.astype(int) - rounded).max() <= 1


def test_a_peak_is_white(isa: str) -> None:
    layers = [random_layer(np.random.default_rng(0), 0, 1, 1)]
    network = Network(layers, channels=1)
    frame = np.random.default_rng(1).integers(0, 1024, (20, 30), np.uint16)
    out = np.empty_like(frame)
    assert network.run_into(out, frame, peak=1023)
    expected = network_oracle.run(layers, frame, shuffle=1, peak=1023)[..., 0]
    wanted = network_oracle.rounded(expected, np.uint16, 1023).astype(int)
    assert np.abs(out.astype(int) - wanted).max() <= 1
    assert out.max() <= 1023


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (300, 1), (2, 3), (5, 2000)])
def test_narrow_and_flat_frames(isa: str, size: tuple[int, int]) -> None:
    network = Network(deep_network(), channels=1, shuffle=2)
    frame = random_frame(np.random.default_rng(2), size, np.float32)
    expected = network_oracle.run(deep_network(), frame, shuffle=2)
    np.testing.assert_allclose(run(network, frame, threads=2), expected, rtol=0, atol=2e-5)


def test_nan_is_reported_and_stays_where_it_belongs(isa: str) -> None:
    network = Network(deep_network(), channels=1, shuffle=2)
    frame = random_frame(np.random.default_rng(3), (60, 400), np.float32)
    clean = run(network, frame)
    frame[30, 200] = np.nan
    out = np.empty_like(clean)
    assert not network.run_into(out, frame)
    # Five layers reach five pixels, and a tile spreads what lies in it over its four.
    np.testing.assert_array_equal(out[:, : 2 * 170], clean[:, : 2 * 170])
    np.testing.assert_array_equal(out[:, 2 * 230 :], clean[:, 2 * 230 :])
    frame[30, 200] = 0.5
    assert network.run_into(out, frame)


@pytest.mark.parametrize("activation", ["relu", "leaky", "clip"])
@pytest.mark.parametrize("outputs", [1, 16])
def test_no_activation_hides_nan(isa: str, activation: str, outputs: int) -> None:
    rng = np.random.default_rng(5)
    settings = {"activation": activation, "slopes": np.ones(outputs), "low": 0, "high": 1}
    layers = [
        random_layer(rng, 0, 1, 16),
        random_layer(rng, 1, 16, outputs) | settings,
        random_layer(rng, 2, outputs, 1),
    ]
    frame = random_frame(rng, (20, 30), np.uint8).astype(np.float32)
    broken = frame.copy()
    broken[0, 29] = np.nan
    out = np.empty_like(frame)
    for algorithm in _ext.algorithms("bf16"):
        precision = "fp32" if algorithm in _ext.algorithms() else "bf16"
        network = Network(layers, channels=1, precision=precision, algorithms=[algorithm])
        assert network.run_into(out, frame)
        assert not network.run_into(out, broken)


def test_an_input_is_never_changed(isa: str) -> None:
    frame = random_frame(np.random.default_rng(4), (30, 40), np.uint8)
    before = frame.copy()
    run(Network(deep_network(), channels=1, shuffle=2), frame, threads=2)
    np.testing.assert_array_equal(frame, before)


def changed(**changes: Any) -> Layers:
    layers = deep_network()
    layers[1] |= changes
    return layers


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "there are 0 layers"),
        (changed(source=2), "layer 1 reads value 2, which is not there"),
        (changed(residual=5), "layer 1 adds value 5, which is not there"),
        (changed(weights=np.zeros((16, 3, 3, 3))), "has 432 weights; it needs 2304"),
        (changed(weights=np.zeros((16, 16, 5, 5))), "has 5 taps a side"),
        (changed(weights=np.zeros((16, 16))), r"weights have shape \(16, 16\)"),
        (changed(weights=np.full((16, 16, 3, 3), np.nan)), "NaN or infinite"),
        (changed(bias=np.zeros(3)), "has 3 biases; it needs 16"),
        (changed(activation="tanh"), "activation is 'tanh'; allowed are none, relu"),
        (changed(activation="leaky", slopes=np.zeros(2)), "has 2 slopes; it needs 16"),
        (changed(activation="clip", low=1, high=0), "clips to nothing"),
        (changed(step="pool"), "step is 'pool'; allowed are convolution"),
        (changed(step="nearest", factor=9), "factor is 9; allowed are 2 to 4"),
        (
            [random_layer(np.random.default_rng(), 0, 1, 8)],
            "makes 8 channels",
        ),
    ],
)
def test_what_cannot_be_is_refused(layers: Layers, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Network(layers, channels=1, shuffle=2)


def test_parts_that_are_missing_are_refused() -> None:
    with pytest.raises(InputError, match="layer 0 has no 'weights'"):
        Network([{"step": "convolution", "source": 0}], channels=1)


@pytest.mark.parametrize(
    ("out", "frame", "message"),
    [
        (np.zeros((8, 8), np.uint8), np.zeros((4, 4, 3), np.uint8), "takes 1 channels"),
        (np.zeros((8, 7), np.uint8), np.zeros((4, 4), np.uint8), "2 times as large"),
        (np.zeros((8, 8), np.uint16), np.zeros((4, 4), np.uint8), "different types"),
        (np.zeros((8, 8), np.float64), np.zeros((4, 4)), "allowed are uint8"),
    ],
)
def test_frames_that_do_not_fit_are_refused(out: Array, frame: Array, message: str) -> None:
    network = Network(deep_network(), channels=1, shuffle=2)
    with pytest.raises(InputError, match=message):
        network.run_into(out, frame)


def test_shared_memory_is_refused() -> None:
    memory = np.zeros((8, 8), np.uint8)
    network = Network(deep_network(), channels=1, shuffle=2)
    with pytest.raises(InputError, match="same memory"):
        network.run_into(memory, memory[:4, :4])
