"""Every example does what it says, on small pictures and clips."""

from __future__ import annotations

import importlib.util
import re
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import restore_rt

# Machines with a GPU alone may do without.
av: Any = pytest.importorskip("av")
cv2: Any = pytest.importorskip("cv2")

EXAMPLES = Path(__file__).parents[2] / "examples"
# Not evenly spaced, in sixtieths of a second.
TIMES = [0, 2, 5, 6, 10]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pixels(seed: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((41, 30)))


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "in.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=30, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 60)
        for time in TIMES:
            # Orange: red and blue that are swapped would show.
            picture = np.full((48, 64, 3), (220, 100 + 10 * time, 30), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 60)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def decoded(path: Path) -> tuple[list[float | None], list[np.ndarray]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.time for frame in frames], [frame.to_ndarray(format="rgb24") for frame in frames]


def check_enlarged(before: list[np.ndarray], after: list[np.ndarray]) -> None:
    assert len(after) == len(before) == len(TIMES)
    for small, large in zip(before, after, strict=True):
        assert large.shape == (96, 128, 3)
        means = [picture.mean(axis=(0, 1)) for picture in (small, large)]
        np.testing.assert_allclose(means[1], means[0], atol=6)


def test_image(tmp_path: Path) -> None:
    Image.fromarray(pixels(0)).save(tmp_path / "a.png")
    load("image").main(str(tmp_path / "a.png"), str(tmp_path / "b.png"))
    with restore_rt.load("photo-x2") as restorer:
        np.testing.assert_array_equal(opened(tmp_path / "b.png"), restorer(pixels(0)))


def test_folder_and_threads(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    names = ["a.png", "b.png", "c.png"]
    for seed, name in enumerate(names):
        Image.fromarray(pixels(seed)).save(source / name)
    load("folder").main(str(source), str(target))
    load("threads").main(*(str(source / name) for name in names))
    assert sorted(path.name for path in target.iterdir()) == names
    with restore_rt.load("photo-x2") as restorer:
        for seed, name in enumerate(names):
            expected = restorer(pixels(seed))
            np.testing.assert_array_equal(opened(target / name), expected)
            np.testing.assert_array_equal(opened(source / f"{name[0]}_x2.png"), expected)


def test_opencv_loop(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    load("opencv_loop").main(str(clip), str(out))
    check_enlarged(decoded(clip)[1], decoded(out)[1])


def test_pyav_frames_keep_their_times(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    load("pyav_frames").main(str(clip), str(out))
    (times, before), (new_times, after) = decoded(clip), decoded(out)
    assert times == pytest.approx([time / 60 for time in TIMES])
    assert new_times == pytest.approx(times)
    check_enlarged(before, after)


def test_pipeline(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load("pipeline").main(str(clip), "0.1")
    frames, stages = capsys.readouterr().out.split("decode: ")
    times = [line.partition(" s: ")[0] for line in frames.splitlines()]
    assert times == [f"{time / 60:.3f}" for time in TIMES if time >= 6]
    assert "network: " in stages
    assert "deliver: " in stages


def test_camera(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[np.ndarray] = []
    keys = iter([-1] * len(TIMES) + [27])
    monkeypatch.setattr(cv2, "imshow", lambda name, frame: shown.append(frame[..., ::-1]))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: next(keys))
    load("camera").main(str(clip))
    check_enlarged(decoded(clip)[1], shown)


def test_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    load("benchmark").main("video-x2", "64", "48")
    told = capsys.readouterr().out
    assert "frames of 64x48" in told
    rates = re.findall(r"([\d.]+) (?:ms|frames/s)", told)
    assert len(rates) == 2
    assert min(map(float, rates)) > 0


@pytest.mark.gpu
def test_gpu_frames() -> None:
    torch = pytest.importorskip("torch")
    cupy = pytest.importorskip("cupy")
    from_torch, from_cupy = load("gpu_frames").main(30, 40)
    assert from_torch.is_cuda
    assert from_torch.shape == (60, 80)
    np.testing.assert_array_equal(from_torch.cpu().numpy(), cupy.asnumpy(from_cupy))
    assert torch.std(from_torch.float()) > 0


def test_every_program_is_short_and_in_the_table() -> None:
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f"[{path.name}]({path.name})" in table
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= (90 if path.name == "compare.py" else 40), path.name
