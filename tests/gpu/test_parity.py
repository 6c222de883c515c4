from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from restore_rt.errors import BackendError, InputError
from restore_rt.gpu import parity
from restore_rt.gpu.parity import Parity, check_parity
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import Manifest, read_manifest, write_manifest
from restore_rt.model.precision import narrow
from restore_rt.tiled.session import OnnxRuntimeBackend
from tests.networks import network
from tests.shipped import restoring

Array = NDArray[Any]


def run(model: onnx.ModelProto, tiles: Array, scale: int = 2) -> Array:
    count, channels, height, width = tiles.shape
    out = np.empty((count, channels, height * scale, width * scale), np.float32)
    backend = OnnxRuntimeBackend(model, threads=1)
    backend.run(np.ascontiguousarray(tiles, np.float32), out)
    backend.close()
    return out


def tiles_of(*shape: int) -> Array:
    tiles = np.random.default_rng(7).random(shape, np.float32) * 0.1
    # The one with most in it is compared.
    tiles[-1] *= 9
    return tiles


def check(model: onnx.ModelProto, manifest: Manifest, tiles: Array, out: Array, **options: Any
          ) -> Parity:  # fmt: skip
    usual: dict[str, Any] = {"precision": "fp32", "threads": 1}
    return check_parity(model, manifest, tiles, out, **(usual | options))


@pytest.mark.parametrize("shape", [(1, 1, 24, 200), (2, 1, 160, 144), (3, 1, 301, 17)])
def test_what_is_the_same_differs_by_rounding(
    shape: tuple[int, ...], model: onnx.ModelProto, manifest: Manifest
) -> None:
    tiles = tiles_of(*shape)
    found = check(model, manifest, tiles, run(model, tiles))
    assert found.difference < 1e-6
    assert found.psnr > 110
    assert found.samples >= 4 * min(96, shape[2]) * min(96, shape[3])


def test_only_a_part_is_computed(model: onnx.ModelProto, manifest: Manifest) -> None:
    seen: list[tuple[int, ...]] = []
    original = parity._on_cpu

    def watched(model: onnx.ModelProto, tiles: Any, scale: int, threads: int) -> Any:
        seen.append(tiles.shape)
        return original(model, tiles, scale, threads)

    tiles = tiles_of(2, 1, 400, 400)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity, "_on_cpu", watched)
        found = check(model, manifest, tiles, run(model, tiles))
    # The halo is 2.
    assert seen == [(1, 1, 100, 100)]
    assert found.samples == 4 * 96 * 96


@pytest.mark.parametrize("name", [manifest.name for manifest in restoring()])
def test_every_shipped_model_passes_in_fp32_and_fp16(name: str) -> None:
    model = onnx.load(zoo.path_of(name))
    manifest = read_manifest(model)
    assert manifest is not None
    rows = -(-(96 + 2 * manifest.halo) // 16) + 2
    coarse = np.random.default_rng(2).random((1, manifest.channels, rows, 3), np.float32)
    tiles = np.kron(coarse, np.ones((16, 16), np.float32))
    out = run(model, tiles, manifest.scale)
    found = check(model, manifest, tiles, out)
    assert found.samples < out.size
    half = narrow(model)
    given = out.astype(np.float16)
    check(half, manifest, tiles.astype(np.float16), given, precision="fp16")


def test_a_difference_above_one_step_is_refused_in_fp32(
    model: onnx.ModelProto, manifest: Manifest
) -> None:
    tiles = tiles_of(1, 1, 160, 160)
    out = run(model, tiles)
    out -= out.min() - 0.1
    shifted = with_bias(model, float(out.mean() - run(model, tiles).mean()))
    assert check(shifted, manifest, tiles, out).difference < 1e-5
    out[0, 0, 160, 160] += 0.9 / 255
    assert 0.85 < check(shifted, manifest, tiles, out).difference * 255 < 0.95
    out[0, 0, 160, 160] += 0.2 / 255
    with pytest.raises(
        BackendError, match=r"small in fp32 .* a difference of up to 1\.10/255, .* allowed is a"
    ):
        check(shifted, manifest, tiles, out)


def with_bias(model: onnx.ModelProto, value: float) -> onnx.ModelProto:
    """Return the network with something added to what it gives."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    del made.metadata_props[:]
    made.graph.node[-1].output[0] = "bare"
    bias = onnx.numpy_helper.from_array(np.array(value, np.float32), "bias")
    made.graph.initializer.append(bias)
    made.graph.node.append(onnx.helper.make_node("Add", ["bare", "bias"], ["y"]))
    return made


def test_fp16_may_differ_in_a_few_samples_but_not_in_all(
    model: onnx.ModelProto, manifest: Manifest
) -> None:
    tiles = tiles_of(1, 1, 160, 160)
    lifted = with_bias(model, 0.5)
    out = run(lifted, tiles)
    rng = np.random.default_rng(1)
    noise = rng.normal(size=out.shape)
    good = out + noise * 10 ** (-46 / 20)
    bad = out + noise * 10 ** (-44 / 20)
    assert 45 < check(lifted, manifest, tiles, good, precision="fp16").psnr < 47
    with pytest.raises(BackendError, match=r"4[34]\.\d dB; allowed is 45 dB or more.*precision='f"):
        check(lifted, manifest, tiles, bad, precision="fp16")


def test_what_is_limited_later_makes_no_difference(
    model: onnx.ModelProto, manifest: Manifest
) -> None:
    tiles = tiles_of(1, 1, 64, 64)
    lifted = with_bias(model, 3.0)
    out = run(lifted, tiles) + 2
    assert check(lifted, manifest, tiles, out) == Parity(0, math.inf, out.size)


def test_numbers_that_are_none_are_refused(model: onnx.ModelProto, manifest: Manifest) -> None:
    tiles = tiles_of(1, 1, 64, 64)
    for value in (np.nan, np.inf, -np.inf):
        out = run(model, tiles)
        out[0, 0, 5, 5] = value
        with pytest.raises(BackendError, match=r"gives NaN or infinity .* CPU gives numbers"):
            check(model, manifest, tiles, out)
    out = np.full_like(run(model, tiles), np.nan)
    with pytest.raises(BackendError, match="precision='fp32'"):
        check(model, manifest, tiles, out, precision="fp16")


def test_a_cut_edge_does_not_count(manifest: Manifest) -> None:
    # Each pixel is the mean of all up to 6 pixels away.
    kernels = [np.full((1, 1, 3, 3), 1 / 9)] * 6
    blur = network(kernels, 1)
    described = dataclasses.replace(manifest, scale=1, halo=6)
    tiles = tiles_of(1, 1, 200, 200) + 0.1
    out = run(blur, tiles, 1)
    assert check(blur, described, tiles, out).difference < 1e-6
    # A halo that is too small shows.
    with pytest.raises(BackendError, match="allowed is a difference"):
        check(blur, dataclasses.replace(described, halo=1), tiles, out)


@pytest.mark.parametrize("multiple", [4, 7])
def test_parts_start_and_end_on_multiples(multiple: int, manifest: Manifest) -> None:
    described = dataclasses.replace(
        manifest, scale=1, halo=3, multiple=multiple, tile=(multiple * 40, multiple * 40)
    )
    for side in (multiple, multiple * 14, multiple * 40, multiple * 41):
        start, stop = parity._part(side, described, fixed=False)
        assert start % multiple == stop % multiple == 0
        assert 0 <= start < stop <= side
        assert stop - start >= min(side, 96 + 6)
    assert parity._part(multiple * 40, described, fixed=True) == (0, multiple * 40)


def test_networks_of_fixed_sizes_are_run_at_those(manifest: Manifest) -> None:
    kernels = [np.full((4, 1, 3, 3), 1 / 9)]
    fixed = network(kernels, 2, (2, 150, "w"))
    tiles = tiles_of(2, 1, 150, 300)
    found = check(fixed, manifest, tiles, run(fixed, tiles))
    assert found.samples == 2 * 150 * 2 * 96
    assert found.difference < 1e-6


def test_ranges_other_than_0_to_1_are_taken_as_such(
    model: onnx.ModelProto, manifest: Manifest
) -> None:
    wide = dataclasses.replace(manifest, value_range=(0.0, 255.0))
    write_manifest(model, wide)
    tiles = tiles_of(1, 1, 64, 64) * 255
    lifted = with_bias(model, 128.0)
    out = run(lifted, tiles)
    out[0, 0, 9, 9] += 0.9
    assert 0.85 < check(lifted, wide, tiles, out).difference * 255 < 0.95
    out[0, 0, 9, 9] += 0.3
    with pytest.raises(BackendError, match=r"1\.20/255"):
        check(lifted, wide, tiles, out)


def test_arrays_that_do_not_fit_are_refused(model: onnx.ModelProto, manifest: Manifest) -> None:
    tiles = tiles_of(1, 1, 16, 16)
    with pytest.raises(InputError, match=r"\(1, 1, 16, 16\) and results \(1, 1, 32, 31\)"):
        check(model, manifest, tiles, np.empty((1, 1, 32, 31), np.float32))
    with pytest.raises(InputError, match="precision is 'int8'; allowed are fp32, fp16"):
        check(model, manifest, tiles, run(model, tiles), precision="int8")
