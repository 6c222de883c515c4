"""Degradation by video codecs."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from restore_rt.errors import InputError
from restore_rt.training.colour import luma
from restore_rt.training.degradations import degrade, parse_spec, video
from restore_rt.training.degradations.video import CODECS, Codec, Coding, encoded_frames, luma_of
from restore_rt.training.limits import check_limits
from tests.training.conftest import picture

pytest.importorskip("av")
from av.video.frame import PictureType

Clip = list[np.ndarray]


def clip_of(frames: int = 5, height: int = 66, width: int = 73) -> Clip:
    """Return a clip of odd width that pans over a picture."""
    still = picture(3, height, width + 2 * frames)
    return [np.ascontiguousarray(still[:, 2 * n : 2 * n + width]) for n in range(frames)]


def error(found: Clip, clip: Clip) -> float:
    pairs = zip(found, clip, strict=True)
    return float(np.mean([np.abs(f - luma(frame)).mean() for f, frame in pairs]))


def through(clip: Clip, seed: int = 1, **fields: object) -> Clip:
    step = Codec(luma=True, **fields)  # type: ignore[arg-type]
    check_limits(step)
    return degrade([step], clip, np.random.default_rng(seed), scale=2)


@pytest.mark.parametrize(("codec", "depth"), list(itertools.product(CODECS, (8, 10))))
def test_every_codec_is_the_same_twice_and_worse_at_higher_crf(codec: str, depth: int) -> None:
    clip = clip_of()
    fine, again, coarse = (
        through(clip, codec=(codec,), depth=(depth,), crf=(crf, crf), preset=("fast",))
        for crf in (14, 14, 45)
    )
    assert [frame.shape for frame in fine] == [(66, 73)] * 5
    assert all(np.array_equal(a, b) for a, b in zip(fine, again, strict=True))
    assert error(fine, clip) < 3 < error(coarse, clip)


def test_ten_bits_are_rounded_to_eight_of_the_same_brightness() -> None:
    flat = [np.full((32, 48, 3), (200, 90, 40), np.uint8)] * 2
    for depth in (8, 10):
        (frame, _) = through(flat, depth=(depth,), crf=(5, 5))
        assert np.abs(frame - luma(flat[0])).max() <= 1.5


def test_colour_survives_the_codecs() -> None:
    frame = np.full((32, 48, 3), (200, 90, 40), np.uint8)
    for codec in CODECS:
        (out,) = degrade(
            parse_spec(f"codec:{codec}:crf=10"), [frame], np.random.default_rng(1), scale=1
        )
        assert out.shape == frame.shape
        assert np.abs(out.astype(int) - frame).max() <= 8


def test_what_was_encoded_before_leaves_its_marks() -> None:
    clip = clip_of()
    once = through(clip, crf=(20, 20), preset=("fast",))
    twice = through(clip, crf=(20, 20), preset=("fast",), rounds=(2, 2), earlier=(40, 40))
    assert error(once, clip) < 0.7 * error(twice, clip)


def types_of(*codings: Coding) -> str:
    frames = encoded_frames(clip_of(6), *codings)
    return "".join(PictureType(frame.pict_type).name for frame in frames)


def test_b_frames_are_used_where_they_are_asked_for() -> None:
    assert types_of(Coding(b_frames=0)) == "IPPPPP"
    assert "B" in types_of(Coding(b_frames=3))


def test_each_round_chooses_its_frame_types_anew() -> None:
    assert "B" in types_of(Coding(b_frames=0), Coding(b_frames=3))


def test_luma_is_the_decoded_plane() -> None:
    (frame,) = encoded_frames(clip_of(1), Coding(crf=5))
    assert luma_of(frame).shape == (66, 74)
    assert error([luma_of(frame)[:, :73]], clip_of(1)) < 2


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("codec:mpeg2", r"codec is 'mpeg2'; there are h264, hevc, vp9, av1"),
        ("codec:h264:depth=12", r"depth is 12; there are 8, 10"),
        ("codec:h264:preset=placebo", r"preset is 'placebo'"),
        ("codec:h264:crf=60", r"crf is \[60.*allowed is 0 to 51"),
        ("codec:h264:b_frames=17", r"b_frames is \[17"),
        ("codec:h264:rounds=0", r"rounds is \[0"),
    ],
)
def test_settings_that_there_are_not_are_refused(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_spec(spec)


def test_an_encoder_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = dataclasses.replace(CODECS["av1"], encoder="libmissing")
    monkeypatch.setattr(video, "CODECS", {"av1": missing})
    with pytest.raises(
        InputError, match=r"lacks the encoder libmissing.*leave the codec 'av1' out"
    ):
        encoded_frames(clip_of(1), Coding(codec="av1"))
