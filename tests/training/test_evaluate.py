"""What is evaluated, and what figures come of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restore_rt.errors import InputError, MediaError, ModelError
from restore_rt.images import FORMATS, Picture, write_picture
from restore_rt.training.degradations import STEPS, Step, parse_spec
from restore_rt.training.evaluation import (
    Candidate,
    Sample,
    baselines,
    evaluate,
    evaluate_sample,
    find_files,
    generator_for,
    load_sample,
    open_models,
    read_steps,
)
from restore_rt.training.metrics.fidelity import picture_metrics
from tests.images.pictures import noise
from tests.networks import nearest, save_model
from tests.video.clips import make_clip

REDUCE = read_steps(None, 2)

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def enlarge(frame: Any) -> Any:
    return frame.repeat(2, axis=0).repeat(2, axis=1)


def picture(path: Path, height: int = 65, width: int = 70) -> Path:
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 90 * np.sin(x / a) * np.cos(y / b) for a, b in ((6, 5), (4, 9), (11, 3))]
    Image.fromarray(np.stack(waves, axis=2).astype(np.uint8)).save(path)
    return path


def load(path: Path, spec: str, *, scale: int = 2, frames: int = 32) -> Sample:
    return load_sample(path, parse_spec(spec), scale=scale, frames=frames)


def test_a_still_is_cut_and_reduced(tmp_path: Path) -> None:
    sample = load(picture(tmp_path / "a.png"), "reduce")
    assert [frame.shape for frame in sample.originals] == [(64, 70, 3)]
    assert [frame.shape for frame in sample.inputs] == [(32, 35, 3)]
    with Image.open(tmp_path / "a.png") as image:
        whole = image.crop((0, 0, 70, 64))
        np.testing.assert_array_equal(sample.originals[0], np.asarray(whole))
        small = whole.resize((35, 32), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(sample.inputs[0], np.asarray(small))


def test_damage_depends_on_the_name_alone(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    paths = [tmp_path / "a.png", tmp_path / "other" / "a.png", tmp_path / "b.png"]
    first, again, named = (load(picture(path), "reduce,jpeg:5-95").inputs[0] for path in paths)
    np.testing.assert_array_equal(first, again)
    assert (first != named).any()


def test_a_name_that_is_no_text_is_a_name_too(tmp_path: Path) -> None:
    path = picture(tmp_path / os.fsdecode(b"\xff.png"))
    assert load(path, "reduce,jpeg:5-95").name == path.name
    kept = picture(tmp_path / "\u00fc.png")
    expected = np.random.default_rng(zlib.crc32("\u00fc.png".encode()))
    assert generator_for(kept).integers(2**62) == expected.integers(2**62)


def test_a_sample_may_be_called_after_its_path(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    path = picture(tmp_path / "sub" / "a.png")
    sample = load_sample(path, REDUCE, scale=2, frames=1, root=tmp_path)
    assert sample.name == "sub/a.png"


def test_a_video_codec_makes_a_clip_of_a_still(tmp_path: Path) -> None:
    sample = load(picture(tmp_path / "a.png"), "reduce,h264:35")
    assert len(sample.originals) == len(sample.inputs) == 16
    assert sample.originals[0].shape == (48, 54, 3)
    assert sample.inputs[0].shape == (24, 27, 3)
    assert any((frame != sample.originals[0]).any() for frame in sample.originals)
    assert sample.middle == 8
    assert len(load(tmp_path / "a.png", "reduce,h264:35", frames=3).inputs) == 3
    tiny = load(picture(tmp_path / "tiny.png", 9, 12), "reduce,h264:35")
    assert tiny.inputs[0].shape == (3, 5, 3)


def test_grey_stays_grey_where_it_can(tmp_path: Path) -> None:
    Image.fromarray(noise(1, 8)).save(tmp_path / "a.png")
    assert load(tmp_path / "a.png", "reduce,jpeg:40").inputs[0].shape == (6, 11)
    assert load(tmp_path / "a.png", "jpeg:40", scale=1).originals[0].shape == (13, 22)
    for spec in ("webp:40", "h264:30"):
        sample = load(tmp_path / "a.png", spec, scale=1)
        assert sample.originals[0].shape == sample.inputs[0].shape
        assert sample.originals[0].ndim == 3


@pytest.mark.parametrize("kind", sorted(STEPS))
@pytest.mark.parametrize("channels", [1, 3])
def test_every_degradation_takes_every_picture(tmp_path: Path, kind: str, channels: int) -> None:
    Image.fromarray(noise(channels, 8, size=(67, 81))).save(tmp_path / "a.png")
    spec = kind if kind == "reduce" else f"{kind},reduce"
    sample = load(tmp_path / "a.png", spec)
    height, width = sample.originals[0].shape[:2]
    assert sample.inputs[0].shape == (height // 2, width // 2, *sample.originals[0].shape[2:])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_depth_is_rounded_and_alpha_left_out(tmp_path: Path, channels: int) -> None:
    pixels = noise(channels, 16)
    write_picture(tmp_path / "a.png", Picture(pixels), FORMATS["png"])
    kept = pixels[..., :-1] if channels in (2, 4) else pixels
    expected = np.rint(kept / 257).astype(np.uint8).reshape(13, 22, *((3,) * (channels > 2)))
    np.testing.assert_array_equal(
        load(tmp_path / "a.png", "jpeg:40", scale=1).originals[0], expected
    )


def test_a_video_is_read_up_to_a_limit(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", frames=6)
    sample = load(path, "reduce", frames=4)
    assert len(sample.originals) == len(sample.inputs) == 4
    assert len(load(path, "reduce", frames=40).originals) == 6
    assert sample.originals[0].ndim == 3


def test_an_animation_is_a_video(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (20, 14), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    sample = load(tmp_path / "a.gif", "reduce")
    assert len(sample.originals) == 3
    assert sample.originals[1].shape == (14, 20, 3)
    assert sample.originals[1][0, 0] == pytest.approx([0, 255, 0], abs=2)


@pytest.mark.parametrize("name", ["a.png", "a.mp4", "a.gif"])
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(MediaError, match=name):
        load(tmp_path / name, "reduce")


def test_too_small_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.png is too small to be reduced 2 times"):
        load(picture(tmp_path / "a.png", 1, 9), "reduce")


def test_files_are_found_in_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b.PNG", "a.jpg", "c.mp4", "notes.txt", ".hidden.png", "b/a.webp"):
        (tmp_path / name).touch()
    expected = [tmp_path / name for name in ("a.jpg", "b.PNG", "b/a.webp", "c.mp4")]
    assert find_files(tmp_path) == expected


def test_without_pyav_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match="'h264' needs PyAV"):
        read_steps("reduce,h264:28", 2)


def test_steps_must_fit_the_scale() -> None:
    assert [step.kind for step in read_steps("reduce,jpeg:40", 2)] == ["reduce", "jpeg"]
    assert [step.kind for step in read_steps("jpeg:40", 1)] == ["jpeg"]
    for text, scale, message in (
        (None, 1, "give --degrade, for example --degrade jpeg:30"),
        ("jpeg:40", 2, "models that enlarge 2 times need one step 'reduce'"),
        ("reduce,reduce", 2, "with 2 steps 'reduce'"),
        ("reduce", 1, "need no step 'reduce'"),
        (" , ", 2, "which does nothing"),
        ("reduce,h264:28:luma=yes", 2, "leave luma=yes out"),
        ("reduce,rain", 2, "degradation 'rain' is unknown; there are"),
    ):
        with pytest.raises(InputError, match=message):
            read_steps(text, scale)


def outcomes(
    files: Sequence[Path], candidates: Sequence[Candidate], steps: Sequence[Step] = REDUCE
) -> list[Any]:
    metrics = picture_metrics(candidates[0].scale)
    return [outcome for _, outcome in evaluate(files, candidates, steps, metrics)]


def test_what_is_restored_exactly_is_found_to_be(tmp_path: Path) -> None:
    Image.fromarray(enlarge(noise(3, 8))).save(tmp_path / "a.png")
    model = Candidate(name="twice", restore=enlarge, scale=2)
    steps = parse_spec("reduce:nearest")
    ((result, crops),) = outcomes([tmp_path / "a.png"], [*baselines(2), model], steps)
    assert result.scores["twice"].metrics["psnr_y"] == 100
    assert result.scores["twice"].metrics["ssim_rgb"] == pytest.approx(1)
    assert result.scores["bicubic"].metrics["psnr_y"] < 30
    assert result.scores["twice"].milliseconds > 0
    assert (result.height, result.width, result.frames, result.grey) == (26, 44, 1, False)
    np.testing.assert_array_equal(crops.restored["twice"], crops.original)


def test_a_smoother_filter_enlarges_waves_better(tmp_path: Path) -> None:
    model = Candidate(name="twice", restore=enlarge, scale=2)
    ((result, _),) = outcomes([picture(tmp_path / "a.png")], [*baselines(2), model])
    simple, smooth = (result.scores[name].metrics for name in ("twice", "bicubic"))
    for metric in ("psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb"):
        assert simple[metric] < smooth[metric]


def test_a_clip_is_measured_frame_by_frame() -> None:
    frames = [noise(3, 8, size=(24, 20)) for _ in range(3)]
    seen = []

    def worse_and_worse(frame: Any) -> Any:
        seen.append(frame)
        return frame ^ np.uint8(min(len(seen), 3))

    model = Candidate(name="model", restore=worse_and_worse, scale=1)
    sample = Sample("clip", frames, frames)
    result, _ = evaluate_sample(sample, [model], picture_metrics(1), scale=1)
    errors = [np.mean((f.astype(float) - (f ^ np.uint8(n + 1))) ** 2) for n, f in enumerate(frames)]
    expected = np.mean([10 * np.log10(255**2 / error) for error in errors])
    assert result.scores["model"].metrics["psnr_rgb"] == pytest.approx(expected)
    assert result.frames == 3


def test_an_original_has_figures_that_compare_with_nothing() -> None:
    frame = noise(3, 8, size=(100, 200))
    sample = Sample("a", [frame], [frame])
    result, _ = evaluate_sample(sample, baselines(1), picture_metrics(1), scale=1)
    assert result.scores["original"].metrics.keys() == {"niqe"}
    assert result.scores["input"].metrics["niqe"] == result.scores["original"].metrics["niqe"]
    assert result.scores["input"].milliseconds is None


def test_a_baseline_that_is_not_shown_is_measured(tmp_path: Path) -> None:
    lanczos = baselines(2)[1]
    sample = load(picture(tmp_path / "a.png"), "reduce")
    result, crops = evaluate_sample(sample, [lanczos], picture_metrics(2), scale=2)
    assert result.scores.keys() == {"lanczos", "original"}
    assert crops.restored == {}


def test_an_error_concerns_one_picture(tmp_path: Path) -> None:
    files = [picture(tmp_path / name) for name in ("a.png", "b.png", "c.png")]
    files[1].write_bytes(b"")

    def breaks_on_large(frame: Any) -> Any:
        if frame.shape[0] > 40:
            raise KeyError("oops")
        return enlarge(frame)

    picture(files[2], 100, 90)
    found = outcomes(files, [Candidate(name="model", restore=breaks_on_large, scale=2)])
    assert isinstance(found[0], tuple)
    assert isinstance(found[1], MediaError)
    assert isinstance(found[2], KeyError)


def test_a_wrong_size_is_the_models_fault(tmp_path: Path) -> None:
    (error,) = outcomes(
        [picture(tmp_path / "a.png")],
        [Candidate(name="model", restore=lambda frame: frame, scale=2)],
    )
    assert "model made (32, 35, 3) of (32, 35, 3), not (64, 70, 3)" in str(error)


def test_candidates_share_a_scale() -> None:
    with pytest.raises(InputError, match=r"scales are \[1, 2\]"):
        outcomes([], [*baselines(1), *baselines(2)])


def test_models_are_named_after_their_manifests(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
    one = save_model(tmp_path / "one.onnx", nearest(3, 2), scale=2)
    paths = [
        str(save_model(tmp_path / folder / "two.onnx", nearest(1, 2), scale=2))
        for folder in ("x", "y")
    ]
    taken = str(save_model(tmp_path / "bicubic.onnx", nearest(3, 2), scale=2))
    with open_models([str(one), *paths, taken, "video-x2"], threads=1) as candidates:
        assert [c.name for c in candidates] == ["one", *paths, taken, "video-x2"]
        assert [c.parameters for c in candidates] == [36, 4, 4, 36, 23_940]
        frame = noise(3, 8)
        np.testing.assert_array_equal(candidates[0].restore(frame), enlarge(frame))
        assert candidates[1].details["colour"] == "luma"


def test_models_without_a_manifest_are_described(tmp_path: Path) -> None:
    bare = str(save_model(tmp_path / "bare.onnx", nearest(3, 2), scale=2, manifest=False))
    known = str(save_model(tmp_path / "known.onnx", nearest(1, 2), scale=2))
    with open_models([known, bare], threads=1, scale=2, colour="rgb") as candidates:
        assert [c.name for c in candidates] == ["known", "bare"]
        assert [c.details["colour"] for c in candidates] == ["luma", "rgb"]
        assert candidates[1].parameters == 36
        frame = noise(3, 8)
        np.testing.assert_array_equal(candidates[1].restore(frame), enlarge(frame))
    for given in ({}, {"scale": 2}, {"colour": "rgb"}):
        with open_models([bare], threads=1, **given) as (candidate,):
            assert (candidate.scale, candidate.details["colour"]) == (2, "rgb")
    message = r"bare\.onnx cannot be run as a model of scale 3: it enlarges 2 times"
    with pytest.raises(ModelError, match=message), open_models([bare], scale=3):
        pass
    message = "all of these have one; leave --scale and --colour out"
    with pytest.raises(InputError, match=message), open_models([known], colour="luma"):
        pass


def test_models_that_cannot_be_compared(tmp_path: Path) -> None:
    same = str(save_model(tmp_path / "same.onnx", nearest(3, 1)))
    for models, kind, message in (
        ([same, "video-x2"], InputError, r"\(same x1, video-x2 x2\); give those of one scale"),
        ([same, same], InputError, "is given twice"),
        (["photo-x9"], ModelError, "'photo-x9' is neither a shipped model"),
        ([], InputError, "no model is named"),
    ):
        with pytest.raises(kind, match=message), open_models(models):
            pass


def test_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; import restore_rt.training.evaluation, "
        "restore_rt.training.metrics.niqe, restore_rt.cli.evaluate; print('fine')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "fine\n", done.stderr


def psnr_y(files: Sequence[Path], candidate: Candidate, spec: str) -> float:
    metrics = {"psnr_y": picture_metrics(candidate.scale)["psnr_y"]}
    steps = read_steps(spec, candidate.scale)
    scores = []
    for _, outcome in evaluate(files, [candidate], steps, metrics):
        assert isinstance(outcome, tuple), outcome
        scores.append(outcome[0].scores[candidate.name].metrics["psnr_y"])
    return float(np.mean(scores))


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sr/Set5", 33.67),
        ("sr/Set14", 30.32),
        ("sr/BSD100", 28.31),
        ("sr/Urban100", 24.96),
        ("sr/Kodak", 27.86),
        ("sr/CID22", 32.39),
        ("comic", 28.33),
    ],
)
def test_bicubic_has_the_known_figures(data_dir: Path, name: str, expected: float) -> None:
    files = [path for path in find_files(data_dir / "test" / name) if path.suffix == ".png"]
    assert psnr_y(files, baselines(2)[0], "reduce") == pytest.approx(expected, abs=0.006)


@pytest.mark.data
@pytest.mark.parametrize(
    ("quality", "expected"), [(10, 27.82), (20, 30.12), (30, 31.48), (40, 32.43)]
)
def test_grey_jpeg_has_the_known_figures(data_dir: Path, quality: int, expected: float) -> None:
    files = find_files(data_dir / "test" / "classic5")
    figure = psnr_y(files, baselines(1)[0], f"jpeg:{quality}")
    assert figure == pytest.approx(expected, abs=0.006)


@pytest.mark.data
def test_the_shipped_model_has_its_figure(data_dir: Path) -> None:
    files = find_files(data_dir / "test" / "sr" / "Set5")
    with open_models(["video-x2"]) as (candidate,):
        figure = psnr_y(files, candidate, "reduce")
    record = json.loads((RESULTS / "model_video-x2.json").read_text("utf-8"))
    measured = record["cases"]["Set5"]["totals"]["video-x2"]["psnr_y"]
    assert figure == pytest.approx(measured, abs=0.006)
