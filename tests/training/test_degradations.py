from __future__ import annotations

import re
import sys

import numpy as np
import pytest

from restore_rt.errors import InputError
from restore_rt.training.colour import luma
from restore_rt.training.degradations import STEPS, Clip, Step, degrade, parse_spec, read_step
from restore_rt.training.degradations.codecs import Chroma, Jpeg, jpeg
from restore_rt.training.degradations.motion import drifting, wandering_crops, whole
from restore_rt.training.degradations.resizing import Reduce, Rescale
from restore_rt.training.degradations.video import H264, Coding, compressed


def scene(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 100 * np.sin(x / 4 + phase) * np.cos(y / 5) for phase in range(3)]
    return np.stack(planes, axis=2).astype(np.uint8)


def test_luma_of_black_white_and_primaries() -> None:
    rgb = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255]]], np.uint8)
    assert np.allclose(luma(rgb), [[16, 235, 81.481, 40.966]], atol=1e-3)


def applied(text: str, clip: Clip, *, scale: int = 1, seed: int = 0) -> Clip:
    return degrade(parse_spec(text), clip, np.random.default_rng(seed), scale=scale)


@pytest.mark.parametrize("name", ["bicubic", "area", "lanczos", "bilinear", "nearest"])
def test_reduce_keeps_a_constant_and_divides_the_size(name: str) -> None:
    image = np.full((6, 9, 3), 77, np.uint8)
    (out,) = applied(f"reduce:{name}", [image], scale=3)
    assert np.array_equal(out, np.full((2, 3, 3), 77))


def test_reduce_refuses_a_size_that_does_not_divide() -> None:
    with pytest.raises(InputError, match="7x10 is no multiple of 2"):
        applied("reduce", [np.zeros((7, 10, 3), np.uint8)], scale=2)


@pytest.mark.parametrize("kind", sorted(set(STEPS) - {"reduce"}))
@pytest.mark.parametrize("size", [(1, 1), (9, 22), (33, 16)])
def test_every_step_keeps_size_and_input_and_is_the_same_for_the_same_seed(
    kind: str, size: tuple[int, int]
) -> None:
    # Every other column of a wider picture: not contiguous.
    frame = scene(size[0], 2 * size[1])[:, ::2]
    before = frame.copy()
    step = read_step({"kind": kind}, "step")
    first, again = (step.apply([frame], np.random.default_rng(5), scale=2)[0] for _ in range(2))
    assert first.shape == frame.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert np.array_equal(frame, before)
    assert not np.shares_memory(first, frame)


@pytest.mark.parametrize("kind", sorted(set(STEPS) - {"reduce", "chroma"}))
def test_every_step_does_something(kind: str) -> None:
    frame = scene(40, 48)
    (out,) = degrade([read_step({"kind": kind}, "step")], [frame], np.random.default_rng(1))
    assert not np.array_equal(out, frame)


def test_rescaling_keeps_a_picture_where_it_is() -> None:
    frame = scene(60, 64)
    (out,) = applied("rescale:factor=0.6", [frame])
    moved = [np.abs(np.roll(out, s, 1).astype(int) - frame)[:, 4:-4].mean() for s in (-1, 0, 1)]
    assert min(moved) == moved[1]


def test_more_rounds_of_jpeg_do_more_harm() -> None:
    frame = scene(64, 64)
    errors = [
        np.abs(applied(f"jpeg:50:rounds={n}:shift=7", [frame])[0].astype(int) - frame).mean()
        for n in (1, 8)
    ]
    assert errors[0] < errors[1]


def test_a_shift_moves_the_block_grid_and_not_the_picture() -> None:
    frame = scene(48, 48)
    (out,) = applied("jpeg:90:rounds=6:shift=7", [frame])
    moved = [np.abs(luma(np.roll(out, s, 1)) - luma(frame))[:, 4:-4].mean() for s in (-1, 0, 1)]
    assert min(moved) == moved[1] < 2


def test_grey_pictures_go_through_jpeg_as_grey() -> None:
    grey = scene(24, 31)[..., 0].copy()
    (out,) = applied("jpeg:30", [grey])
    assert out.shape == grey.shape
    assert np.array_equal(out, jpeg(grey, 30))


def test_chroma_is_blurred_and_luma_is_kept() -> None:
    frame = np.zeros((16, 16, 3), np.uint8)
    frame[:, 1::2] = (255, 0, 0)
    frame[:, ::2] = (0, 130, 0)
    (out,) = degrade([Chroma()], [frame], np.random.default_rng(0))
    assert np.abs(out.astype(int) - frame).max() > 60
    assert np.abs(luma(out) - luma(frame)).max() < 12


def test_frames_of_a_clip_see_the_same_draws() -> None:
    frame = scene(32, 32)
    first, second = degrade([Jpeg(quality=(5, 95))], [frame, frame], np.random.default_rng(3))
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        ("reduce", (Reduce(),)),
        (
            "reduce:bicubic|area, jpeg:70",
            (Reduce(filter=("bicubic", "area")), Jpeg(quality=(70, 70))),
        ),
        ("jpeg:quality=30-60:rounds=2:shift=7", (Jpeg(quality=(30, 60), rounds=(2, 2), shift=7),)),
        ("jpeg:subsampling=444", (Jpeg(subsampling=("444",)),)),
        ("jpeg:70:subsampling=420|422", (Jpeg(quality=(70, 70), subsampling=("420", "422")),)),
        ("rescale:0.5-1.5", (Rescale(factor=(0.5, 1.5)),)),
        ("h264:28:preset=medium", (H264(crf=(28.0, 28.0), preset=("medium",)),)),
        ("h264:28:luma=yes", (H264(crf=(28.0, 28.0), luma=True),)),
    ],
)
def test_the_command_lines_way_of_writing_steps(text: str, steps: tuple[Step, ...]) -> None:
    assert parse_spec(text) == steps


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jpg:70", "degradation 'jpg' is unknown; there are .*jpeg"),
        ("jpeg:0", r"jpeg:0: quality is \[0, 0\]; allowed is 1 to 95"),
        ("jpeg:60-30", r"quality is \[60, 30\]"),
        ("jpeg:high", "'jpeg:high.quality\\[0\\]' must be int, not 'high'"),
        ("jpeg:size=3", "unknown key 'jpeg:size=3.size'; allowed here: quality"),
        (
            "jpeg:subsampling=411",
            "subsampling is '411'; there are 4:4:4, 4:2:2, 4:2:0, 444, 422, 420",
        ),
        (
            "jpeg:subsampling=4:2:0",
            "'jpeg:subsampling=4:2:0' gives 'quality' twice; give each value of a step once",
        ),
        ("jpeg:70:quality=80", "gives 'quality' twice"),
        ("reduce:filter=area:filter=area", "gives 'filter' twice"),
        ("jpeg:70:kind=webp", "gives 'kind' twice"),
        ("reduce:cubic", "filter is 'cubic'; there are bicubic"),
        ("rescale:0", "factor is"),
        ("h264:60", "crf is"),
        ("h264:preset=fastest", "preset is 'fastest'; there are"),
        ("webp:101", "quality is"),
        ("chroma:9", "factor is"),
    ],
)
def test_what_is_wrong_in_a_step_is_said(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_spec(text)


@pytest.mark.parametrize(("name", "plain"), [("4:4:4", "444"), ("4:2:2", "422"), ("4:2:0", "420")])
def test_both_ways_of_writing_a_subsampling_do_the_same(name: str, plain: str) -> None:
    frame = scene(24, 31)
    steps = [
        read_step({"kind": "jpeg", "subsampling": [text], "quality": 50}, "step")
        for text in (name, plain)
    ]
    first, second = (degrade([s], [frame], np.random.default_rng(0))[0] for s in steps)
    assert np.array_equal(first, second)
    assert np.array_equal(first, jpeg(frame, 50, subsampling=name))


@pytest.mark.parametrize("table", [7, {}, {"kind": 3}])
def test_a_step_that_is_no_table_with_a_kind_is_refused(table: object) -> None:
    with pytest.raises(InputError, match="'here' must be a table with a 'kind'"):
        read_step(table, "here")


def test_jpeg_is_worse_at_lower_quality() -> None:
    image = scene(48, 48)
    errors = [np.abs(jpeg(image, q).astype(int) - image).mean() for q in (95, 50, 10)]
    assert errors == sorted(errors)
    assert errors[0] < errors[2]
    with pytest.raises(InputError, match="quality is 0"):
        jpeg(image, 0)


def test_h264_is_the_same_twice_and_worse_at_higher_crf() -> None:
    clip = [scene(34, 47)[:, shift : shift + 41] for shift in range(5)]
    fine, again, coarse = (compressed(clip, Coding(crf=crf), luma=True) for crf in (10, 10, 35))
    assert [f.shape for f in fine] == [(34, 41)] * 5
    assert all(np.array_equal(a, b) for a, b in zip(fine, again, strict=True))
    truth = [luma(frame) for frame in clip]
    errors = [
        np.mean([np.abs(f - t).mean() for f, t in zip(frames, truth, strict=True)])
        for frames in (fine, coarse)
    ]
    assert errors[0] < 2 < errors[1]


def test_h264_in_colour_has_the_same_colours() -> None:
    frame = np.full((16, 16, 3), (200, 90, 40), np.uint8)
    (out,) = compressed([frame], Coding(crf=5))
    assert out.shape == frame.shape
    assert np.abs(out.astype(int) - frame).max() <= 4


def test_h264_refuses_what_it_cannot_encode() -> None:
    with pytest.raises(InputError, match="no frames"):
        compressed([], Coding(crf=20))
    with pytest.raises(InputError, match="CRF is 60"):
        compressed([scene(16, 16)], Coding(crf=60))


def test_without_pyav_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    message = re.escape("'h264' needs PyAV; pip install 'restore-rt[eval]'")
    with pytest.raises(InputError, match=message):
        compressed([scene(16, 16)], Coding(crf=20))


def test_a_drift_over_a_still() -> None:
    still = scene(50, 61)
    clip = drifting(still, 5, np.random.default_rng(1))
    origins, (height, width) = wandering_crops(
        50, 61, frames=5, reach=16, rng=np.random.default_rng(1)
    )
    assert (height, width) == (34, 45)
    for frame, (y, x) in zip(clip, origins, strict=True):
        assert np.array_equal(frame, still[y : y + height, x : x + width])


@pytest.mark.parametrize("shape", [(7, 10, 3), (7, 10), (3, 2)])
def test_whole_cuts_at_the_end(shape: tuple[int, ...]) -> None:
    frame = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    cut = whole(frame, 3)
    assert cut.shape == (shape[0] // 3 * 3, shape[1] // 3 * 3, *shape[2:])
    assert np.array_equal(cut, frame[: cut.shape[0], : cut.shape[1]])


def test_wandering_stays_within_reach_and_moves() -> None:
    origins, size = wandering_crops(50, 60, frames=40, reach=6, rng=np.random.default_rng(1))
    assert size == (44, 54)
    assert all(0 <= y <= 6 and 0 <= x <= 6 for y, x in origins)
    assert len(set(origins)) > 3
    with pytest.raises(InputError, match="leaves nothing"):
        wandering_crops(6, 60, frames=2, reach=6, rng=np.random.default_rng(1))
