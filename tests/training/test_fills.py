"""``restore-rt eval --inpaint``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from restore_rt.cli import run
from restore_rt.errors import RestoreError
from restore_rt.export import export_onnx
from restore_rt.inpaint import fill
from restore_rt.training.evaluation.inpainting import KINDS, Filler, measure_fills
from restore_rt.training.loop.checkpoint import save_checkpoint
from restore_rt.training.metrics.fidelity import psnr
from restore_rt.training.networks import build
from tests.training.conftest import picture, quiet
from tests.training.test_inpaint import recipe_of

PUSH_PULL = Filler(name="push-pull", function=fill)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a network that makes all holes a little lighter than push-pull does."""
    network = build("inpaint", half=6, fine=1, width=4, blocks=1, scale=1, colour="rgb")
    torch.nn.init.constant_(network.last.bias, 0.02)  # type: ignore[arg-type, union-attr]
    checkpoint = tmp_path / "tiny.pt"
    state = {"recipe": recipe_of().text, "step": 0, "metrics": {}}
    save_checkpoint(checkpoint, {**state, "average": network.state_dict()})
    export_onnx(checkpoint, tmp_path / "tiny.onnx", say=quiet)
    return tmp_path / "tiny.onnx"


def write(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        Image.fromarray(picture(number, 60, 72)).save(folder / f"{number}.png")
    return folder


def test_methods_and_models_are_compared_on_each_kind_of_hole(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "pictures", 2)
    files = {"--json": tmp_path / "a.json", "--sheet": tmp_path / "a.png"}
    reports = [str(part) for pair in files.items() for part in pair]
    assert run(["eval", str(model), "--inpaint", "--data", str(folder), *reports]) == 0
    assert "tiny-inpaint" in capsys.readouterr().out
    record = json.loads(files["--json"].read_text())
    assert [*record["means"]] == [*KINDS]
    assert [picture["name"] for picture in record["pictures"]] == ["0.png", "1.png"]
    for kind, means in record["means"].items():
        assert {"push-pull", "tiny-inpaint"} <= set(means)
        for name, row in means.items():
            scores = [picture["scores"][kind][name] for picture in record["pictures"]]
            assert row["psnr"] == pytest.approx(np.mean([score["psnr"] for score in scores]))
            assert 0 < row["ssim"] < 1
        # The holes are five of 255 lighter.
        assert 0 < abs(means["push-pull"]["psnr"] - means["tiny-inpaint"]["psnr"]) < 3
    with Image.open(files["--sheet"]) as sheet:
        assert sheet.width > 400


def test_holes_depend_on_the_name_alone_and_are_all_that_is_measured(tmp_path: Path) -> None:
    folder = write(tmp_path / "pictures", 1)
    seen = []

    def note(frame: np.ndarray, holes: np.ndarray) -> np.ndarray:
        seen.append(holes)
        assert (frame[holes] == 255).all()
        return fill(frame, holes)

    noting = Filler(name="noting", function=note)
    first, again = (measure_fills(folder / "0.png", [noting], name="0") for _ in range(2))
    for holes, others in zip(seen[:4], seen[4:], strict=True):
        assert np.array_equal(holes, others)
    frame = picture(0, 60, 72)
    for kind, holes in zip(KINDS, seen[:4], strict=True):
        expected = psnr(fill(frame, holes)[holes], frame[holes])
        assert first[kind]["noting"].psnr == again[kind]["noting"].psnr == pytest.approx(expected)


def test_a_filler_that_changes_known_pixels_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "pictures", 1)
    lighter = Filler(name="lighter", function=lambda frame, holes: frame // 2)
    with pytest.raises(RestoreError, match="lighter changed pixels outside the holes"):
        measure_fills(folder / "0.png", [PUSH_PULL, lighter], name="0")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--degrade", "jpeg:30"], "--degrade has no effect with --inpaint"),
        (["--limit-frames", "3"], "--limit-frames has no effect with --inpaint"),
        (["--bitrate", "h264"], "--inpaint has no effect with --bitrate"),
        (["--sheet", "a.webp"], "its name must end in .png"),
    ],
)
def test_options_that_do_not_go_with_it_are_named(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "pictures", 1)
    assert run(["eval", "video-x2", "--inpaint", "--data", str(folder), *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_a_model_for_another_task_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "pictures", 1)
    assert run(["eval", "video-x2", "--inpaint", "--data", str(folder)]) == 2
    assert "video-x2 is for the task 'upscale'" in capsys.readouterr().err
