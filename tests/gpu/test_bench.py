"""``restore_rt.bench`` on a GPU: emulated in every scope, and on one that is there."""

from __future__ import annotations

import dataclasses
import gc
import itertools
import time
import weakref
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import restore_rt
from restore_rt import Restorer
from restore_rt.bench import Case, Measurement, VerificationError, measure
from restore_rt.bench.machine import gpu_memory_in_use
from restore_rt.bench.measuring import load_and_measure, measure_case
from restore_rt.bench.report import SCOPES
from restore_rt.bench.subject import _network_on_gpu, _restore, open_subject
from restore_rt.errors import InputError
from restore_rt.gpu import Device, DeviceFrame, Event, open_device
from tests.gpu.frames import MODEL, TILE, load
from tests.gpu.stand_in import Stage

QUICK: dict[str, Any] = {"size": (40, 60), "seconds": 0.05}
CASE = Case(model=MODEL, device="cuda", height=40, width=60, threads=1, tile=TILE)


def measured(restorer: Restorer, **options: Any) -> Measurement:
    (made,) = measure(restorer, **{**QUICK, **options}).measurements
    return made


@pytest.mark.parametrize("scope", SCOPES)
def test_every_scope_is_verified_and_measured(stage: Stage, scope: Any) -> None:
    with load() as restorer:
        made = measured(restorer, scope=scope)
    assert (made.case.device, made.case.scope) == ("cuda:0", scope)
    assert made.description.startswith(f"{MODEL} on a stand-in")
    assert made.verified is not None
    assert made.verified.worst <= 1
    assert len(made.times_ms) == sum(each.frames for each in made.rounds)
    assert made.times_ms.min() > 0
    assert made.device_peak_mb is not None
    assert made.device_peak_mb >= 0
    stages = {"end_to_end": {"upload", "device", "download"}, "device": {"device"}}
    assert made.stages.keys() == stages.get(scope, set())
    if scope == "network":
        # No more than if every run had been as fast as the fastest, however busy the machine is.
        assert 0 < made.rounds[0].frames_per_second <= 1e3 / made.times_ms.min()
    else:
        assert 0 < made.stages["device"] <= made.times_ms.max()


def test_a_wrong_result_on_the_gpu_is_not_timed(stage: Stage) -> None:
    with load() as restorer:
        # It agrees with the CPU when it is first compared, and is spoilt afterwards.
        restorer.warmup((40, 60))
        restorer(open_subject(restorer, CASE).frame)
        stage.spoil = lambda result, half: result * 0.8
        calls = stage.opened[0].calls
        with pytest.raises(VerificationError, match="of 255 off"):
            measured(restorer, scope="device")
        assert stage.opened[0].calls <= calls + 2


def test_frames_on_the_gpu_never_leave_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with load() as restorer:
        subject = open_subject(restorer, dataclasses.replace(CASE, scope="device", streams=2))
        given: list[Any] = []
        call = Restorer.__call__

        def spied(self: Restorer, frame: Any, *, out: Any = None) -> Any:
            given.append((frame, out))
            return call(self, frame, out=out)

        monkeypatch.setattr(Restorer, "__call__", spied)
        for step in (*subject.steps, *subject.steps):
            assert step() is None
        assert "upload" not in restorer.stages.seconds
        del subject, step
        pointers = [(frame.pointer, out.pointer) for frame, out in given]
        assert all(isinstance(each, DeviceFrame) for pair in given for each in pair)
        # Each caller's are its own, and used again.
        assert pointers[:2] == pointers[2:]
        assert len({address for pair in pointers for address in pair}) == 4
        given.clear()


def test_a_result_that_is_still_being_made_is_waited_for(stage: Stage) -> None:
    """Whatever a Restorer does when it returns: a frame says which stream makes it."""
    # Nothing runs before somebody waits for it.
    stage.emulator.queues._eager = 0.0
    with load() as restorer:
        subject = open_subject(restorer, dataclasses.replace(CASE, scope="device"))
        device, ran = open_device(), list[int]()
        stream = device.stream()

        class Late:
            def __init__(self) -> None:
                self.stream = stream

        def late(frame: Any, *, out: Any = None) -> Late:
            with device.active():
                stage.emulator.enqueue(stream.handle, lambda: ran.append(1))
            return Late()

        _restore(late, subject.frame, subject.frame)  # type: ignore[arg-type]
        assert ran == [1]
        del subject


@pytest.mark.parametrize("capturable", [True, False])
def test_the_network_alone_is_run_for_all_tiles_and_nothing_else(
    stage: Stage, kernels: ModuleType, monkeypatch: pytest.MonkeyPatch, capturable: bool
) -> None:
    stage.capturable = capturable
    with load() as restorer:
        case = dataclasses.replace(CASE, height=100, width=130, scope="network")
        subject = open_subject(restorer, case)
        subject.first()
        (network,) = stage.opened
        lane = restorer.lane
        assert lane is not None
        tiles = lane._space((100, 130), lane._sizes.current, network, False).grid.count
        assert tiles > 4

        def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError("this is no part of the network")

        for name in ("split_into", "merge_into"):
            monkeypatch.setattr(kernels, name, refuse)
        before = network.calls
        seconds = [subject.steps[0]() for _ in range(3)]
        assert all(isinstance(each, float) and each > 0 for each in seconds)
        # Six runs: with graphs the first one is queued, the second recorded.
        assert network.calls - before == tiles * (2 if capturable else 6)


def test_what_the_network_takes_on_the_gpu_is_the_time_between_events(stage: Stage) -> None:
    slow = 0.03

    def spoil(result: Any, half: bool) -> Any:
        time.sleep(slow)
        return result

    with load() as restorer:
        restorer.warmup((40, 60))
        stage.spoil = spoil
        assert restorer.lane is not None
        run = _network_on_gpu(restorer.lane, (40, 60))
        begin = time.perf_counter()
        taken = run()
        both = time.perf_counter() - begin
        # One tile, and one run of the two that were queued, of which the other was as slow.
        assert isinstance(taken, float)
        assert slow <= taken <= both - slow


def test_nothing_of_the_gpu_outlives_the_measuring(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events end with the step that timed the network, without the garbage collector's help."""
    made: list[weakref.ref[Event]] = []
    real = Device.event

    def event(self: Device, *, timed: bool = False) -> Event:
        found = real(self, timed=timed)
        if timed:
            made.append(weakref.ref(found))
        return found

    monkeypatch.setattr(Device, "event", event)
    with load() as restorer:
        gc.disable()
        try:
            measured(restorer, scope="network")
            assert len(made) == 2
            assert [each() for each in made] == [None, None]
        finally:
            gc.enable()


def test_memory_of_the_gpu_is_what_is_in_use_beyond_what_was_before(stage: Stage) -> None:
    open_device()
    others = open_device().allocate(3_000_000)
    before = gpu_memory_in_use(open_device())
    assert before == stage.emulator.memory.used >= 3_000_000
    # What a library takes when it loads a network.
    weights = open_device().allocate(2_000_000)
    with load() as restorer:
        added = measure_case(restorer, CASE, seconds=0.05, gpu_memory=before).device_peak_mb
        assert added is not None
        # Nothing of the frames' own comes back before the Restorer is closed.
        assert added == pytest.approx((stage.emulator.memory.used - before) / 1e6)
        assert added > 2 + (40 * 60 + 80 * 120) / 1e6
        assert measured(restorer).device_peak_mb == 0
        there = measured(restorer, scope="device").device_peak_mb
        # The frame and its result, in blocks that may be an eighth larger.
        assert there is not None
        assert there == pytest.approx((40 * 60 + 80 * 120) / 1e6, rel=0.3)
    for block in (others, weights):
        block.free()


def test_the_most_memory_counts_and_not_the_last(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = itertools.chain([3_000_000, 8_000_000], itertools.repeat(4_000_000))
    monkeypatch.setattr("restore_rt.bench.measuring.gpu_memory_in_use", lambda _: next(used))
    with load() as restorer:
        assert measured(restorer).device_peak_mb == 5


def test_a_clip_goes_through_the_gpu(stage: Stage, tmp_path: Path) -> None:
    # Machines with a GPU alone may do without.
    pytest.importorskip("av")
    from tests.video.clips import make_clip

    clip = make_clip(tmp_path / "in.mkv", frames=6)
    case = dataclasses.replace(CASE, height=48, width=64, clip=str(clip))
    with load() as restorer:
        made = measure_case(restorer, case, seconds=0.01, gpu_memory=0)
        assert made.device_peak_mb is not None
        assert made.device_peak_mb == pytest.approx(stage.emulator.memory.used / 1e6)
    assert {"decode", "upload", "device", "encode"} <= made.stages.keys()


def test_memory_before_loading_counts_only_where_a_gpu_is_asked_for(stage: Stage) -> None:
    others = open_device().allocate(3_000_000)
    added = load_and_measure(CASE, seconds=0.02).device_peak_mb
    assert added is not None
    # What loading took counts, what other programs held before does not.
    assert 0 < added < 3
    case = dataclasses.replace(CASE, device="cpu", tile=None)
    assert load_and_measure(case, seconds=0.02).device_peak_mb is None
    others.free()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scope": "device"}, "scope is 'device', which needs a GPU"),
    ],
)
def test_what_turns_out_to_run_on_a_cpu_is_refused(
    on_cpu: Restorer, changes: dict[str, Any], said: str
) -> None:
    """With device auto, where a model runs is known only once it is loaded."""
    case = dataclasses.replace(CASE, device="auto", **changes)
    with pytest.raises(InputError, match=said):
        measure_case(on_cpu, case, seconds=0.02)
    with pytest.raises(InputError, match="which needs a GPU"):
        measure(on_cpu, scope="device")


@pytest.mark.gpu
@pytest.mark.parametrize("backend", ["onnxruntime", "tensorrt"])
def test_the_scopes_of_a_real_gpu_lie_within_each_other(backend: Any) -> None:
    from restore_rt.gpu_opening import missing_for

    missing = missing_for(backend)
    if missing:
        pytest.skip("; ".join(missing))
    with restore_rt.load(MODEL, device="cuda", backend=backend) as restorer:
        made = {
            scope: measured(restorer, size=(360, 640), seconds=1.0, scope=scope) for scope in SCOPES
        }
    p50 = {scope: each.p50_ms.value for scope, each in made.items()}
    # The clocks of two runs may differ by so much.
    noise = 1.1
    assert 0 < p50["network"] <= noise * p50["device"] <= noise**2 * p50["end_to_end"]
    for each in made.values():
        assert each.verified is not None
        assert each.device_peak_mb is not None
