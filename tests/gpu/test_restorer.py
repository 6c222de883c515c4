"""A Restorer on a GPU, emulated: in whatever order work runs, frames are what the CPU makes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import restore_rt
from restore_rt import Restorer
from restore_rt.errors import BackendError, InputError, NonFiniteError, RestoreError
from restore_rt.gpu import open_device, pinned_empty
from tests.gpu.emulator import emulation
from tests.gpu.frames import Array, load, picture, planes_of, same
from tests.gpu.stand_in import Stage


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((40, 50), np.uint8),
        ((1, 1), np.uint8),
        ((130, 97, 1), np.uint16),
        ((61, 190), np.float32),
        ((100, 70, 3), np.uint8),
        ((50, 70, 4), np.uint8),
        ((50, 70, 2), np.uint16),
    ],
)
def test_frames_are_the_cpus(
    stage: Stage, on_cpu: Restorer, shape: tuple[int, ...], dtype: type
) -> None:
    with load() as restorer:
        for seed in range(3):
            frame = picture(*shape, dtype=dtype, seed=seed)
            before = frame.copy()
            same(restorer(frame), on_cpu(frame))
            same(frame, before)


@pytest.mark.parametrize(("size", "bit_depth"), [((60, 90), 8), ((61, 91), 10), ((47, 64), 16)])
def test_planes_are_the_cpus(
    stage: Stage, on_cpu: Restorer, size: tuple[int, int], bit_depth: int
) -> None:
    with load() as restorer:
        for seed in range(3):
            planes = planes_of(*size, bit_depth, seed)
            same(restorer(planes), on_cpu(planes))


def test_an_rgb_model_is_the_cpus(stage: Stage) -> None:
    options: dict[str, Any] = {"tile": (120, 120), "threads": 1}
    with (
        load("comic-x2", **options) as restorer,
        restore_rt.load("comic-x2", device="cpu", **options) as on_cpu,
    ):
        for shape in ((20, 150, 3), (30, 30), (30, 41, 4)):
            frame = picture(*shape)
            same(restorer(frame), on_cpu(frame))


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("tile", [(48, 64), (45, 51)])
def test_batches_and_odd_tiles_are_the_cpus(
    stage: Stage, on_cpu: Restorer, batch: int, tile: tuple[int, int]
) -> None:
    """Odd tiles lie at addresses in the ring that networks may not write to."""
    frame = picture(150, 170)
    with load(tile=tile, batch=batch) as restorer:
        expected = on_cpu(frame)
        for _ in range(3):
            assert np.abs(restorer(frame).astype(int) - expected).max() <= 1


def test_precision_fp16_is_nearly_the_cpus(stage: Stage, on_cpu: Restorer) -> None:
    frame = picture(70, 90)
    with load(precision="fp16") as restorer:
        assert restorer.manifest.precision == "fp16"
        assert stage.opened[0].dtype == np.float16
        assert np.abs(restorer(frame).astype(int) - on_cpu(frame)).max() <= 1


@pytest.mark.parametrize("seed", range(25))
def test_a_stream_keeps_order_whatever_runs_when(
    seed: int, kernels: Any, on_cpu: Restorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [picture(60, 80, seed=number) for number in range(9)]
    with emulation(seed, kernels=kernels) as emulator:
        stage = Stage(emulator, monkeypatch)
        stage.capturable = bool(seed % 2)
        with load() as restorer:
            assert restorer.workers == 3
            results = list(restorer.stream(iter(frames)))
    for result, frame in zip(results, frames, strict=True):
        same(result, on_cpu(frame))


@pytest.mark.parametrize("seed", range(10))
def test_a_stream_of_changing_sizes_keeps_order(
    seed: int, kernels: Any, on_cpu: Restorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    sizes = [tuple(rng.integers(1, 90, 2)) for _ in range(12)]
    frames = [picture(*size, seed=number) for number, size in enumerate(sizes)]
    with emulation(seed, kernels=kernels) as emulator:
        Stage(emulator, monkeypatch)
        with load() as restorer:
            results = list(restorer.stream(iter(frames)))
    for result, frame in zip(results, frames, strict=True):
        same(result, on_cpu(frame))


def test_the_third_frame_is_a_graph(stage: Stage, on_cpu: Restorer) -> None:
    with load() as restorer:
        counts = []
        for seed in range(4):
            frame = picture(40, 60, seed=seed)
            same(restorer(frame), on_cpu(frame))
            counts.append(stage.opened[0].calls)
    # To be judged and for itself; to be recorded; and no more.
    assert counts == [2, 3, 3, 3]


def test_without_graphs_every_frame_is_queued(stage: Stage, on_cpu: Restorer) -> None:
    stage.capturable = False
    with load() as restorer:
        for seed in range(3):
            restorer(picture(40, 60, seed=seed))
        assert stage.opened[0].calls == 4


def test_frames_in_page_locked_memory_are_copied_directly(stage: Stage, on_cpu: Restorer) -> None:
    device = open_device()
    with device.active(), load() as restorer:
        frame = pinned_empty((40, 60), np.uint8)
        out = pinned_empty((80, 120), np.uint8)
        for seed in range(3):
            frame[...] = picture(40, 60, seed=seed)
            assert restorer(frame, out=out) is out
            same(out, on_cpu(frame))
        assert "download" not in restorer.stages.seconds
        restorer(frame)
        assert "download" in restorer.stages.seconds
        del frame, out


def test_results_that_are_not_the_cpus_are_never_delivered(stage: Stage) -> None:
    stage.spoil = lambda result, half: result * 0.9
    with load() as restorer, pytest.raises(BackendError, match="CPU"):
        restorer(picture(40, 60))


def nan_in_half(result: Array, half: bool) -> Array:
    return result * np.float32(np.nan) if half else result


def test_what_fp16_cannot_hold_is_run_in_fp32_and_counted(stage: Stage, on_cpu: Restorer) -> None:
    frames = [picture(60, 80, seed=seed) for seed in range(4)]
    with load(precision="fp16") as restorer:
        restorer(frames[0])
        stage.spoil = nan_in_half
        with pytest.warns(RuntimeWarning, match="run again in fp32"):
            same(restorer(frames[1]), on_cpu(frames[1]))
        same(restorer(frames[2]), on_cpu(frames[2]))
        assert restorer.reruns == 2
        stage.spoil = lambda result, half: result
        restorer(frames[3])
        assert restorer.reruns == 2
    assert [made.dtype for made in stage.opened] == [np.float16, np.float32]
    assert all(made.closed for made in stage.opened)


def test_a_first_frame_that_fp16_cannot_hold_is_run_in_fp32(stage: Stage, on_cpu: Restorer) -> None:
    stage.spoil = nan_in_half
    frame = picture(40, 60)
    with load(precision="fp16") as restorer:
        with pytest.warns(RuntimeWarning, match="run again in fp32"):
            same(restorer(frame), on_cpu(frame))
        # What could not be judged then is judged now.
        stage.spoil = lambda result, half: result * 0.9
        with pytest.raises(BackendError, match="CPU"):
            restorer(frame)


def test_nan_in_fp32_is_an_error_and_the_next_frame_is_fine(stage: Stage, on_cpu: Restorer) -> None:
    frame = picture(40, 60)
    with load() as restorer:
        restorer(frame)
        stage.spoil = lambda result, half: result * np.float32(np.inf)
        with pytest.raises(NonFiniteError, match="nothing was delivered"):
            restorer(frame)
        stage.spoil = lambda result, half: result
        same(restorer(frame), on_cpu(frame))
        with pytest.raises(InputError, match="give finite samples"):
            restorer(np.full((40, 60), np.nan, np.float32))


def test_memory_that_runs_out_makes_tiles_smaller(stage: Stage, on_cpu: Restorer) -> None:
    stage.most_pixels = 50 * 50
    frame = picture(90, 90)
    with load() as restorer:
        with pytest.warns(RuntimeWarning, match="out of memory with tiles of"):
            result = restorer(frame)
        assert np.abs(result.astype(int) - on_cpu(frame)).max() <= 1
        assert restorer.tile is not None
        assert restorer.tile[0] * restorer.tile[1] <= 50 * 50


def test_a_frame_is_whole_until_memory_runs_out(stage: Stage, on_cpu: Restorer) -> None:
    frame = picture(90, 130)
    with load(tile=None) as restorer:
        assert restorer.tile is None
        assert "tiles" not in restorer.description
        assert np.abs(restorer(frame).astype(int) - on_cpu(frame)).max() <= 1
        assert stage.opened[0].prepared == [(1, 1, 90, 130)]
    stage.most_pixels = 90 * 100
    with load(tile=None) as restorer:
        with pytest.warns(RuntimeWarning, match=r"out of memory with whole frames .* \(90, 65\)"):
            result = restorer(frame)
        assert np.abs(result.astype(int) - on_cpu(frame)).max() <= 1
        assert restorer.tile == (90, 65)
        assert "tiles up to 65x90" in restorer.description


def test_a_limit_below_what_a_tile_needs_is_one_error(stage: Stage) -> None:
    with load(memory_limit=230_000) as restorer:
        with pytest.raises(BackendError, match="would exceed the limit of 230000"):
            restorer(picture(900, 900))
        with (
            pytest.warns(RuntimeWarning, match="out of memory with tiles of"),
            pytest.raises(BackendError, match="out of memory even with the smallest tile"),
        ):
            restorer(picture(100, 100))


def test_sizes_that_take_turns_let_go_of_the_memory_of_others(
    stage: Stage, on_cpu: Restorer
) -> None:
    with load() as restorer:
        held = []
        for number in range(60):
            frame = picture(20 + number % 30, 24 + number % 7, seed=number)
            same(restorer(frame), on_cpu(frame))
            held.append(sum(len(made.prepared) for made in stage.opened))
        assert max(held) <= 4


@pytest.mark.parametrize("seed", range(6))
def test_sizes_may_change_while_another_thread_records_a_graph(
    seed: int, kernels: Any, on_cpu: Restorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New buffers are taken meanwhile, which a capture forbids to all threads."""
    frames = [picture(20 + number // 4 * 3, 40, seed=number) for number in range(40)]
    with emulation(seed, kernels=kernels) as emulator:
        Stage(emulator, monkeypatch)
        from restore_rt.gpu.lane import Lane  # CUDA's kernels may not be built; now there are some

        enqueue = Lane._enqueue

        def slowly(*arguments: Any) -> None:
            time.sleep(0.002)
            enqueue(*arguments)

        monkeypatch.setattr(Lane, "_enqueue", slowly)
        with load() as restorer:
            results = list(restorer.stream(iter(frames)))
            assert restorer._lane is not None
            assert restorer._lane._captures_failed == 0
    for result, frame in zip(results, frames, strict=True):
        same(result, on_cpu(frame))


def test_a_black_frame_proves_nothing(stage: Stage) -> None:
    """A network that only ever answers black is right about it."""
    with load("video-x2", tile=64) as restorer:
        restorer.warmup((40, 60))
        stage.spoil = lambda result, half: np.zeros_like(result)
        restorer(np.zeros((40, 60), np.uint8))
        with pytest.raises(BackendError, match="CPU"):
            restorer(picture(40, 60))


def test_every_shape_of_tiles_is_compared(stage: Stage) -> None:
    with load() as restorer:
        restorer(picture(40, 60))
        stage.spoil = lambda result, half: result * 0.9
        restorer(picture(40, 60))
        with pytest.raises(BackendError, match="CPU"):
            restorer(picture(30, 60))


def test_what_fp32_makes_in_place_of_fp16_is_compared_too(stage: Stage) -> None:
    stage.spoil = lambda result, half: result * np.float32(np.nan if half else 0.9)
    with (
        load(precision="fp16") as restorer,
        pytest.warns(RuntimeWarning, match="run again in fp32"),
        pytest.raises(BackendError, match="CPU"),
    ):
        restorer(picture(40, 60))


def test_a_closed_restorer_says_so(stage: Stage) -> None:
    restorer = load()
    restorer(picture(20, 20))
    restorer.close()
    restorer.close()
    with pytest.raises(RestoreError, match="closed"):
        restorer(picture(20, 20))


def test_what_it_runs_on_is_told(stage: Stage) -> None:
    with load() as restorer:
        assert restorer.device == "cuda:0"
        assert "a stand-in" in restorer.description
