"""The library's own call: what it says must be what happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import restore_rt
import restore_rt.bench
from restore_rt import Restorer
from restore_rt.bench import VerificationError, measure
from restore_rt.bench.report import Sustained
from restore_rt.bench.sampling import sample
from restore_rt.bench.subject import picture
from restore_rt.bench.tables import report_markdown
from restore_rt.errors import InputError
from restore_rt.timing import StageTimes
from tests.networks import nearest, save_model

QUICK: dict[str, Any] = {"seconds": 0.05}


class Pretender:
    """Restores nothing, and takes its time for it."""

    path: Path | None = None
    description = "a pretender"
    device = "cpu"
    backend = "native"
    precision = "fp32"
    scale = 2
    lane = None

    def __init__(self, seconds: float = 0.0) -> None:
        (self.manifest,) = (each for each in restore_rt.models() if each.name == "video-x2")
        self.stages = StageTimes()
        self.seconds = seconds
        self.calls = 0
        self._lock = threading.Lock()

    def __call__(self, frame: Any, *, out: Any = None) -> Any:
        with self._lock:
            self.calls += 1
        self.stages.add("network", self.seconds / 2)
        time.sleep(self.seconds)
        return out


def as_restorer(pretender: Pretender) -> Restorer:
    return cast(Restorer, pretender)


@pytest.fixture
def restorer(tmp_path: Path) -> Iterator[Restorer]:
    """Return one that repeats pixels."""
    path = save_model(tmp_path / "nearest.onnx", nearest(3, 2), scale=2)
    with restore_rt.load(path) as loaded:
        yield loaded


def test_what_is_said_is_what_ran(restorer: Restorer, tmp_path: Path) -> None:
    report = measure(restorer, size=(40, 60), **QUICK)
    (made,) = report.measurements
    assert made.description == restorer.description
    assert (made.case.height, made.case.width) == (40, 60)
    assert made.model["sha256"] == restorer.manifest.sha256
    assert made.model["parameters"] == 3 * 4 * 3
    assert made.verified is not None
    assert made.verified.worst == 0
    # One process, so that nothing is said of how others would do.
    assert len(made.rounds) == 1
    assert len(made.times_ms) == sum(each.frames for each in made.rounds)
    assert made.percentiles_ms == sorted(made.percentiles_ms)
    assert 0 < made.percentiles_ms[0] == made.times_ms.min()
    assert made.percentiles_ms[100] == made.times_ms.max()
    assert made.stages.keys() == {"network"}
    assert 0 < made.stages["network"] <= made.times_ms.max()
    assert report.software["restore_rt"] == restore_rt.__version__
    report.write(tmp_path / "report.json")
    (again,) = restore_rt.bench.read_report(tmp_path / "report.json").measurements
    assert (again.case, again.rounds) == (made.case, made.rounds)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        *(("video-x2", pixels) for pixels in ("auto", "luma", "rgb", "bgr", "planes")),
        *(("repair-x1", pixels) for pixels in ("auto", "rgb", "bgr")),
    ],
)
@pytest.mark.parametrize("backend", ["auto", "onnxruntime"])
def test_frames_of_all_pixels_are_verified(name: str, pixels: Any, backend: Any) -> None:
    with restore_rt.load(name, backend=backend) as loaded:
        report = measure(loaded, size=(41, 77), pixels=pixels, **QUICK)
    (made,) = report.measurements
    own = "luma" if name == "video-x2" else "rgb"
    assert made.pixels == (own if pixels == "auto" else pixels)
    assert made.verified is not None
    assert made.verified.worst <= 1
    assert made.case.pixels == pixels
    assert f"frames of {made.pixels}" in report_markdown(report)


@pytest.mark.parametrize("pixels", ["luma", "planes"])
def test_rgb_models_take_rgb_alone(restorer: Restorer, pixels: Any) -> None:
    with pytest.raises(InputError, match="an rgb model, allowed are rgb, bgr"):
        measure(restorer, size=(40, 60), pixels=pixels, **QUICK)


def test_a_wrong_colour_is_found() -> None:
    with restore_rt.load("video-x2") as loaded:

        class Tinted(Pretender):
            def __call__(self, frame: Any, *, out: Any = None) -> Any:
                loaded(frame, out=out)
                out[..., 2] = np.where(out[..., 2] > 128, out[..., 2] - 9, out[..., 2] + 9)

        tinted = Tinted()
        tinted.path = loaded.path
        with pytest.raises(VerificationError, match=r"(9|10) of 255 off"):
            measure(as_restorer(tinted), size=(40, 60), pixels="rgb", **QUICK)


def test_a_wrong_result_is_not_timed(restorer: Restorer) -> None:
    class Wrong(Pretender):
        def __call__(self, frame: Any, *, out: Any = None) -> Any:
            super().__call__(frame, out=out)
            restorer(frame, out=out)
            out[0, 0] ^= 64

    wrong = Wrong()
    wrong.manifest, wrong.path = restorer.manifest, restorer.path
    with pytest.raises(VerificationError, match="64 of 255 off"):
        measure(as_restorer(wrong), size=(40, 60), **QUICK)
    assert wrong.calls == 1


def test_what_cannot_be_verified_is_said() -> None:
    (made,) = measure(as_restorer(Pretender()), size=(8, 8), **QUICK).measurements
    assert made.verified is None
    assert made.not_verified == "there is no .onnx file to compare with"


def test_only_the_network_counts_where_it_alone_is_asked_for() -> None:
    pretender = Pretender(0.004)
    (whole,) = measure(as_restorer(pretender), size=(8, 8), **QUICK).measurements
    (alone,) = measure(as_restorer(pretender), size=(8, 8), scope="network", **QUICK).measurements
    # What it says of itself, not what it took.
    np.testing.assert_allclose(alone.times_ms, 2, rtol=1e-3)
    assert whole.times_ms.min() >= 4


def test_streams_are_callers_at_once() -> None:
    all_three = threading.Barrier(3, timeout=60)

    class Meeting(Pretender):
        """A call on a thread that has not called before waits for the other streams' calls."""

        met = threading.local()

        def __call__(self, frame: Any, *, out: Any = None) -> Any:
            if threading.current_thread() is not threading.main_thread() and not hasattr(
                self.met, "done"
            ):
                all_three.wait()
                self.met.done = True
            return super().__call__(frame, out=out)

    pretender = Meeting(0.002)
    (made,) = measure(as_restorer(pretender), size=(8, 8), streams=3, **QUICK).measurements
    assert pretender.calls >= 9
    assert made.case.streams == 3


def test_sustained_frames_are_judged_by_the_slowest_of_a_minute() -> None:
    now = 0.0
    durations = iter([*([0.030] * 98), 0.050, 0.050] * 30)

    def step() -> None:
        nonlocal now
        now += next(durations)

    found = Sustained.of(*sample([step], seconds=60.0, clock=lambda: now))
    assert found.seconds >= 60
    assert found.p99_ms == pytest.approx(50)
    assert found.holds == {24: False, 30: False, 60: False}
    durations = iter([*([0.030] * 199), 0.050] * 30)
    judged = Sustained.of(*sample([step], seconds=60.0, clock=lambda: now))
    assert judged.holds == {24: True, 30: True, 60: False}
    durations = iter([0.030] * 1000)
    assert Sustained.of(*sample([step], seconds=20.0, clock=lambda: now)).holds == {}


def test_streams_are_sustained_together(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once: list[int] = []

    def counted(steps: Any, **options: Any) -> Any:
        at_once.append(len(steps))
        return sample(steps, **options)

    monkeypatch.setattr("restore_rt.bench.measuring.sample", counted)
    pretender = as_restorer(Pretender(0.002))
    (made,) = measure(pretender, size=(8, 8), streams=3, sustain=0.1, **QUICK).measurements
    assert at_once == [3, 3]
    assert made.sustained is not None
    assert made.sustained.seconds >= 0.1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": (0, 8)}, "height is 0"),
        ({"streams": 0}, "streams is 0"),
        ({"scope": "everything"}, "scope is 'everything'"),
        ({"pixels": "yuv"}, "pixels is 'yuv'; allowed are auto, luma"),
        ({"scope": "network", "streams": 2}, "one stream"),
        ({"seconds": 0}, "seconds is 0"),
        ({"seconds": float("inf")}, "seconds is inf"),
        ({"sustain": -1}, "sustain -1"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], said: str) -> None:
    pretender = Pretender()
    with pytest.raises(InputError, match=said):
        measure(as_restorer(pretender), **{"size": (8, 8), **QUICK, **options})
    assert pretender.calls == 0


def test_the_frame_is_a_picture_and_always_the_same() -> None:
    grey, rgb = picture(100, 70), picture(100, 70, 3)
    assert (grey.shape, rgb.shape) == ((100, 70), (100, 70, 3))
    assert grey.std() > 30
    assert (rgb[..., 0] != rgb[..., 1]).mean() > 0.5
    np.testing.assert_array_equal(grey, picture(100, 70))
