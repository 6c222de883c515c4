"""Contact sheets: which place and which moments of a clip they show, and how they are written."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from restore_rt.errors import InputError
from restore_rt.training.evaluation import Candidate, Sample, Sheet, baselines, evaluate_sample
from restore_rt.training.evaluation import sheet as sheets
from restore_rt.training.evaluation.crops import CROP, cut_clip
from restore_rt.training.metrics.fidelity import picture_metrics
from tests.images.pictures import noise

U8 = NDArray[np.uint8]


def enlarged(frames: list[U8]) -> list[U8]:
    return [frame.repeat(2, axis=0).repeat(2, axis=1) for frame in frames]


def test_a_place_that_moves_is_preferred() -> None:
    inputs = [np.full((150, 200, 3), 90, np.uint8) for _ in range(3)]
    originals = enlarged(inputs)
    for number, original in enumerate(originals):
        original[200:220, 300:320] += np.uint8(40 * number)
    changed = [original.copy() for original in originals]
    # The candidates differ twice as much where nothing moves.
    for frame in changed:
        frame[20:40, 30:50] ^= 64
        frame[200:220, 300:320] ^= 32
    crops = cut_clip(inputs, {"same": originals, "changed": changed}, originals, scale=2)
    assert len(crops) == 3
    assert {(each.top, each.left) for each in crops} == {(crops[0].top, crops[0].left)}
    assert crops[0].top <= 200 <= 220 <= crops[0].top + CROP
    assert crops[0].left <= 300 <= 320 <= crops[0].left + CROP
    assert len({each.original.tobytes() for each in crops}) == 3
    still = [originals[0]] * 3
    (first, *_) = cut_clip(inputs, {"same": still, "changed": changed}, still, scale=2)
    assert (first.top, first.left) != (crops[0].top, crops[0].left)


def test_the_original_alone_can_be_cut() -> None:
    frames = [noise(1, 8, size=(30, 40))] * 2
    crops = cut_clip(frames, {}, enlarged(frames), scale=2)
    assert [each.restored for each in crops] == [{}, {}]


def test_moments_are_spread_over_a_clip() -> None:
    assert Sheet().moments(1) == [0]
    assert Sheet().moments(3) == [0, 1, 2]
    assert Sheet().moments(32) == [4, 12, 20, 28]
    assert Sheet(animated=True).moments(5) == [0, 1, 2, 3, 4]


def filled(*, animated: bool, lengths: tuple[int, ...] = (6,)) -> Sheet:
    sheet = Sheet(animated=animated)
    model = Candidate(name="model", restore=lambda frame: enlarged([frame])[0], scale=2)
    for number, length in enumerate(lengths):
        inputs = [noise(3, 8, size=(80, 90)) ^ np.uint8(turn) for turn in range(length)]
        sample = Sample(f"{number}.mkv", enlarged(inputs), inputs)
        metrics = {"psnr_y": picture_metrics(2)["psnr_y"]}
        evaluate_sample(sample, [*baselines(2), model], metrics, scale=2, sheet=sheet)
    return sheet


def written(sheet: Sheet, *names: str) -> Image.Image:
    buffer = io.BytesIO()
    sheet.save(buffer, names)
    return Image.open(buffer)


def test_a_row_for_each_moment_and_a_column_for_each_candidate() -> None:
    sheet = filled(animated=False)
    strip = sheet.strips["0.mkv"]
    assert strip.moments == [0, 2, 3, 5]
    # Of the baselines, bicubic is enough.
    assert [*strip.crops[0].restored] == ["bicubic", "model"]
    image = written(sheet, "0.mkv")
    assert image.format == "PNG"
    pixels, side = np.asarray(image), sheets.ZOOM * CROP
    for crops in strip.crops:
        zoomed = crops.original.repeat(sheets.ZOOM, axis=0).repeat(sheets.ZOOM, axis=1)
        corner = np.flatnonzero((pixels[:, :, :] == zoomed[0, 0]).all(2))
        places = [divmod(int(at), pixels.shape[1]) for at in corner]
        found = [
            left
            for top, left in places
            if np.array_equal(pixels[top:, left:][:side, :side], zoomed)
        ]
        # The model repeats pixels, as the input is shown, and as the original was made.
        assert len(found) == 3
        assert found[1] - found[0] == 2 * (found[2] - found[1])
    assert pixels.shape[0] > 4 * side
    assert pixels.shape[1] > 4 * side


def test_an_animation_shows_all_frames_and_starts_short_clips_again() -> None:
    image = written(filled(animated=True, lengths=(3, 2)), "0.mkv", "1.mkv")
    assert image.format == "WEBP"
    assert getattr(image, "n_frames") == 3  # noqa: B009
    shown = []
    for turn in range(3):
        image.seek(turn)
        shown.append(np.asarray(image.convert("RGB")))
    half = shown[0].shape[0] // 2
    # The lower clip has two frames; its label differs, too.
    assert np.array_equal(shown[0][half:], shown[2][half:])
    assert not np.array_equal(shown[0][half:], shown[1][half:])
    assert not np.array_equal(shown[0][:half], shown[2][:half])


def test_names_that_are_long_or_no_text_are_drawn() -> None:
    frames = [noise(1, 8, size=(20, 20))]
    sheet = Sheet()
    name = os.fsdecode(b"\xff.png")
    restored = {f"folder/{'long' * 20}.onnx": enlarged(frames)}
    sheet.add(name, frames, restored, enlarged(frames), scale=2, moments=[0])
    assert written(sheet, name).mode == "RGB"


def test_what_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="the sheet has nothing to show"):
        written(Sheet(), "a.mkv")
    monkeypatch.setattr(sheets, "_MOST_WEBP", 500)
    with pytest.raises(InputError, match=r"is 1\d+x\d+ pixels, and WebP takes 500 on a side"):
        written(filled(animated=True, lengths=(2,)), "0.mkv")
