"""Quality against cost: what runs the networks of others, what is put together, what is drawn."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import restore_rt
from tests.shipped import restoring

pytest.importorskip("onnxruntime")

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

# Not yet timed beside others on the machine of that table; their cards have their times.
NEWER = {"video-x2-tiny", "video-x2-sharp"}


@pytest.fixture
def weights() -> Any:
    return importlib.import_module("other_weights")


@pytest.fixture
def cost() -> Any:
    return importlib.import_module("quality_cost")


@pytest.fixture
def tables() -> Any:
    return importlib.import_module("tables")


@pytest.fixture
def drawing() -> Any:
    return importlib.import_module("quality_picture")


def nearest(x: F32) -> F32:
    """Enlarge twice, as a network that was trained to do nothing would."""
    return x.repeat(2, 2).repeat(2, 3)


def some_picture(channels: int = 3) -> U8:
    shape = (11, 17, channels) if channels > 1 else (11, 17)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_an_rgb_network_gets_values_from_0_to_1_and_channels_in_order(weights: Any) -> None:
    seen: list[F32] = []

    def network(x: F32) -> F32:
        seen.append(x)
        return nearest(x)

    frame = some_picture()
    made = weights.by_rgb(network)(frame)
    np.testing.assert_array_equal(made, frame.repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(seen[0][0, 0], frame[..., 0] / np.float32(255))


def test_values_beyond_white_and_black_are_clamped(weights: Any) -> None:
    network = lambda x: nearest(x) * 4 - 1.5  # noqa: E731
    made = weights.by_rgb(network)(np.array([[[0, 127, 255]]], np.uint8))
    assert made[0, 0].tolist() == [0, 126, 255]


def test_networks_take_grey_pictures(weights: Any) -> None:
    frame = some_picture(1)
    for restore in (weights.by_rgb(nearest), weights.by_luma(nearest, scale=2, threads=1)):
        np.testing.assert_array_equal(restore(frame), frame.repeat(2, 0).repeat(2, 1))


def test_a_luma_network_gets_luma_of_full_range(weights: Any) -> None:
    seen: list[F32] = []

    def network(x: F32) -> F32:
        seen.append(x)
        return nearest(x)

    frame = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0]]], np.uint8)
    made = weights.by_luma(network, scale=2, threads=1)(frame)
    np.testing.assert_allclose(seen[0], [[[[0, 1, 0.299]]]], atol=1e-6)
    assert made.shape == (2, 6, 3)


def test_chroma_of_others_is_that_of_a_restorer(weights: Any) -> None:
    black, span = np.float32(16 / 255), np.float32(219 / 255)
    frame = some_picture()
    with restore_rt.load("video-x2-fast", threads=1) as restorer:

        def network(x: F32) -> F32:
            limited: F32 = restorer(x[0, 0] * span + black)[np.newaxis, np.newaxis]
            return (limited - black) / span

        ours, theirs = restorer(frame), weights.by_luma(network, scale=2, threads=1)(frame)
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_what_is_missing_is_told(
    weights: Any, cost: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, absent = cost.open_others(tmp_path, 1)
    assert not opened
    assert [one["name"] for one in absent] == list(weights.OTHERS)
    assert {one["reason"] for one in absent} == {"its file is missing"}
    for given in weights.OTHERS.values():
        (tmp_path / given["file"]).touch()
    reason = "not installed: pip install one"

    def missing(module: str, package: str) -> Any:
        raise weights.Unavailable(reason)

    monkeypatch.setattr(weights, "need", missing)
    opened, absent = cost.open_others(tmp_path, 1)
    assert not opened
    assert {one["reason"] for one in absent} == {reason}


@pytest.mark.data
def test_every_file_of_weights_is_tried(weights: Any, data_dir: Path) -> None:
    files = {path.name for path in (data_dir / "weights").iterdir() if path.suffix != ".tsv"}
    tried = {given["file"] for given in weights.OTHERS.values()}
    # It belongs to a .param.
    assert {Path(file).suffix for file in files - tried} == {".bin"}
    assert tried <= files


@pytest.mark.data
def test_what_cannot_be_read_says_why_and_not_where(weights: Any, data_dir: Path) -> None:
    for name in ("SR-LUT", "IMDN-RTC", "ESPCN, with pictures' files"):
        with pytest.raises(weights.Unavailable) as caught:
            weights.open_other(name, data_dir / "weights", 1)
        assert "/" not in str(caught.value).partition(";")[0]
        assert "tried" not in str(caught.value)


@pytest.mark.data
@pytest.mark.parametrize("name", ["ESPCN, PyTorch", "FSRCNN-small", "realesr-animevideov3-x2"])
def test_networks_of_others_enlarge(weights: Any, cost: Any, data_dir: Path, name: str) -> None:
    try:
        one = weights.open_other(name, data_dir / "weights", 1)
    except weights.Unavailable as reason:
        if not str(reason).startswith("not installed: pip install "):
            raise
        pytest.skip(f"{name}: {reason}")
    frame = cost.picture(360, 640, 3)[:64, :72]
    enlarged = one.restore(frame)
    assert enlarged.shape == (64 * one.scale, 72 * one.scale, 3)
    # Reduced again it is the picture: neither shifted, nor with its channels in another order.
    rows, columns = 64, 72
    reduced = enlarged.reshape(rows, one.scale, columns, one.scale, 3).mean((1, 3))
    off = np.abs(reduced - frame)[4:-4, 4:-4].mean()
    for other in (np.roll(frame, 1, 0), np.roll(frame, 1, 1), frame[..., ::-1]):
        assert off < np.abs(reduced - other)[4:-4, 4:-4].mean()


def test_what_is_slow_runs_less_often(cost: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "SLOW", 1e6)
    assert cost.runs_for(lambda: None, 10) == 10
    monkeypatch.setattr(cost, "SLOW", 0)
    assert cost.runs_for(lambda: None, 10) == 4


def test_everything_is_timed(cost: Any) -> None:
    timed = [cost.Timed(lambda x: x, 2, {"name": "double", "by": "others"})]
    (found,) = cost.measure_times(timed, 3, 1)
    assert found["milliseconds"]["runs"] == 3
    expected = found["milliseconds"]["median"] / (4 * 360 * 640 / 1e6)
    assert found["ms_per_megapixel"] == pytest.approx(expected, abs=0.01)


def test_quality_is_of_the_pictures_that_ours_were_measured_on(cost: Any, tables: Any) -> None:
    record = tables.part("quality_cost")
    compared = 0
    for manifest in restoring():
        ours = tables.results(f"model_{manifest.name}")["cases"]
        theirs = record["cases"].get(f"x{manifest.scale}", {})
        for label in ours.keys() & theirs.keys():
            for key in ("folder", "files", "degrade", "pictures"):
                assert ours[label][key] == theirs[label][key]
            for name in ("bicubic", "lanczos"):
                for key in cost.FIGURES:
                    before, again = (each[label]["totals"][name][key] for each in (ours, theirs))
                    assert before == pytest.approx(again, abs=2e-4)
            compared += 1
    assert compared > 10
    measured = {scale: [*cases] for scale, cases in record["cases"].items()}
    assert measured == tables.toml("quality")["others"]


def test_times_are_of_the_shipped_networks(tables: Any) -> None:
    """Their weights may be of an older version: times do not depend on them."""
    timed = {one["name"]: one for one in tables.part("quality_cost")["times"]}
    # What `restore-rt bench` timed on the same machine had the same weights, and is checked there.
    bench = {made["model"]["name"]: made["model"] for made in tables.part("bench")["measurements"]}
    for manifest in restoring():
        if manifest.name in NEWER:
            continue
        assert timed[manifest.name]["sha256"] == bench[manifest.name]["sha256"]
        assert timed[manifest.name]["scale"] == manifest.scale


def test_every_model_and_network_is_in_the_table_and_the_picture(
    weights: Any, tables: Any, drawing: Any
) -> None:
    record = tables.part("quality_cost")
    drawn = {
        point.name
        for scale, label in drawing.PANELS
        for point in drawing.points(record, scale, label)
    }
    measured = {one["name"] for one in record["times"]}
    absent = {one["name"] for one in record["absent"]}
    assert measured < drawn
    assert {manifest.name for manifest in restoring()} - NEWER < measured
    assert not NEWER & measured
    assert weights.OTHERS.keys() == absent | (weights.OTHERS.keys() & measured)
    written = " ".join(tables.render("quality_cost", drawing.quality_cost(record)).split())
    assert all(name in written for name in measured | absent)


def test_points_know_what_is_damaged_and_what_is_quick(drawing: Any, tables: Any) -> None:
    record = tables.part("quality_cost")
    found = drawing.points(record, 1, "classic5, JPEG 20")
    assert [point.name for point in found] == ["input", "repair-x1"]
    times = [point.ms for point in drawing.points(record, 2, "Set14")]
    assert times == sorted(times)


def test_the_same_figures_give_the_same_picture(drawing: Any, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("first.svg", "second.svg"):
        drawing.draw(tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("first.svg", "second.svg"))
    assert first == second
