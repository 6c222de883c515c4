"""Clips of layers that move, made of a still."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from restore_rt.training.degradations import motion
from restore_rt.training.degradations.motion import layered
from tests.training.conftest import picture

Only = Callable[..., None]
SHARES = ("ZOOMING", "PASSING", "CUTS", "HELD", "FLICKERING")


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Only:
    """Return a function that lets happen what it names, always, and nothing else."""

    def choose(*names: str) -> None:
        for share in SHARES:
            monkeypatch.setattr(motion, share, float(share in names))

    return choose


def clips(seed: int, frames: int = 6) -> list[np.ndarray]:
    return layered(picture(1, 80, 96), frames, np.random.default_rng(seed))


def test_a_clip_is_the_same_for_the_same_seed() -> None:
    for seed in range(8):
        first, again = clips(seed), clips(seed)
        assert [frame.shape for frame in first] == [(64, 80, 3)] * 6
        assert all(frame.dtype == np.uint8 for frame in first)
        assert np.array_equal(first, again)


def test_without_anything_else_the_camera_drifts_by_whole_pixels(only: Only) -> None:
    only()
    still = picture(1, 80, 96)
    windows = np.lib.stride_tricks.sliding_window_view(still, (64, 80, 3))[:, :, 0]
    for frame in clips(2):
        assert (windows == frame).all((2, 3, 4)).any()


def test_something_passes_in_front_at_a_speed_of_its_own(only: Only) -> None:
    only()
    plain = clips(2)
    only("PASSING")
    passing = clips(2)
    changed = [np.abs(a.astype(int) - b).max(2) > 8 for a, b in zip(plain, passing, strict=True)]
    assert all(0.02 < part.mean() < 0.6 for part in changed)
    middles = {tuple(np.argwhere(part).mean(0).round()) for part in changed}
    assert len(middles) > 2


def test_a_cut_changes_the_scene_once(only: Only) -> None:
    only("CUTS")
    still = np.full((80, 96, 3), 40, np.uint8)
    still[:30] = 200
    clip = layered(still, 6, np.random.default_rng(4))
    changes = [np.abs(b.astype(int) - a).mean() > 60 for a, b in itertools.pairwise(clip)]
    assert sum(changes) == 1


def test_held_frames_come_several_times(only: Only) -> None:
    only("HELD")
    clip = clips(2)
    assert np.array_equal(clip[0], clip[1])
    assert len({frame.tobytes() for frame in clip}) in (2, 3)


def test_flicker_changes_the_brightness_of_whole_frames(only: Only) -> None:
    only()
    plain = clips(2)
    only("FLICKERING")
    ratios = [a.mean() / b.mean() for a, b in zip(clips(2), plain, strict=True)]
    assert 0.005 < np.std(ratios) < 0.1


@pytest.mark.parametrize("shape", [(96, 96), (64, 96), (97, 60)])
def test_long_clips_that_zoom_and_turn_show_nothing_from_beyond_the_edges(
    shape: tuple[int, int],
) -> None:
    still = np.full((*shape, 3), 255, np.uint8)
    for seed in range(40):
        clip = motion._zooming(still, 64, np.random.default_rng(seed))
        assert all((frame == 255).all() for frame in clip), seed


def test_zooming_moves_the_corners_more_than_the_middle(only: Only) -> None:
    only("ZOOMING")
    still = np.zeros((96, 96, 3), np.uint8)
    still[44:52, 44:52] = 255
    clip = motion._zooming(still, 6, np.random.default_rng(1))
    middles = [np.argwhere(frame[..., 0] > 128).mean(0) for frame in clip]
    assert np.ptp(middles, 0).max() < 0.5
    corner = np.zeros((96, 96, 3), np.uint8)
    corner[20:28, 20:28] = 255
    moved = motion._zooming(corner, 6, np.random.default_rng(1))
    places = [np.argwhere(frame[..., 0] > 128).mean(0) for frame in moved]
    assert np.ptp(places, 0).max() > 0.6
