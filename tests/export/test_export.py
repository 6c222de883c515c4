from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from restore_rt.cli import run
from restore_rt.errors import InputError, OutputError
from restore_rt.export import ExportError, export_onnx
from restore_rt.export.conversion import Conversion, convert
from restore_rt.export.samples import picture_samples
from restore_rt.model.manifest import read_manifest, weights_sha256
from restore_rt.training.loop.checkpoint import load_checkpoint, save_checkpoint
from restore_rt.training.networks import NETWORKS, build

RECIPE = """
seed = 1
model = { name = "tiny", version = "2", task = "upscale", content = "video", tile = [24, 40], \
trained_on = "nothing", licence = "CC0-1.0" }
network = { name = "compact", scale = 2, colour = "luma", params = { width = 4, depth = 3 } }
loss = { l1 = 1 }
optim = { steps = 1, validation_interval = 1, rate = 1e-3, rate_end = 0, warmup = 0, clip = 1, \
ema = 0.9 }

[data]
folders = { a = 1 }
variants = [{ name = "clean", share = 1, steps = [{ kind = "reduce" }] }]
holdout = 2
batch = 1
patch = 16
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the checkpoint of an untrained network."""

    def make(change: Callable[[nn.Module], None] = lambda network: None, **names: str) -> Path:
        torch.manual_seed(3)
        text = RECIPE
        for old, new in names.items():
            text = text.replace(f'{old} = "luma"', f'{old} = "{new}"')
        colour = names.get("colour", "luma")
        network = build("compact", width=4, depth=3, scale=2, colour=colour)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        change(network)
        path = tmp_path / "checkpoint.pt"
        state = {"recipe": text, "step": 5, "metrics": {"validation_psnr_clean": 30.5}}
        save_checkpoint(path, {**state, "average": network.state_dict()})
        return path

    return make


def quiet(line: str) -> None:
    pass


@pytest.mark.parametrize("colour", ["luma", "rgb"])
def test_the_file_does_what_the_network_does_and_says_what_it_is(
    checkpoint: Callable[..., Path], tmp_path: Path, colour: str
) -> None:
    source, out = checkpoint(colour=colour), tmp_path / "tiny.onnx"
    manifest = export_onnx(source, out, tile=(48, 32), say=quiet)
    model = onnx.load(out)
    assert read_manifest(model) == manifest
    assert (manifest.name, manifest.halo, manifest.multiple) == ("tiny", 3, 1)
    assert (manifest.tile, manifest.colour) == ((48, 32), colour)
    assert manifest.sha256 == weights_sha256(model)
    assert manifest.metrics == {"step": 5.0, "validation_psnr_clean": 30.5}
    assert [opset.version for opset in model.opset_import if not opset.domain] == [18]
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
    assert sorted(tmp_path.iterdir()) == [source, out]

    channels = 3 if colour == "rgb" else 1
    network = build("compact", width=4, depth=3, scale=2, colour=colour)
    network.load_state_dict(load_checkpoint(source)["average"])
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    for shape in ((1, channels, 7, 30), (3, channels, 33, 20)):
        x = np.random.default_rng(0).random(shape, dtype=np.float32)
        (y,) = session.run(["y"], {"x": x})
        with torch.no_grad():
            assert np.allclose(y, network(torch.from_numpy(x)), atol=1e-5)


def test_a_checkpoint_that_cannot_be_exported_is_named(
    checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    features = tmp_path / "features.pt"
    save_checkpoint(features, {"features": {}, "classes": []})
    with pytest.raises(InputError, match=r"features\.pt is .* no recipe, step, metrics, average;"):
        export_onnx(features, tmp_path / "x.onnx", say=quiet)
    source = checkpoint()
    content = load_checkpoint(source)
    save_checkpoint(source, content | {"recipe": content["recipe"].replace("seed", "seeds")})
    with pytest.raises(InputError, match=r"checkpoint\.pt: unknown key 'seeds'"):
        export_onnx(source, tmp_path / "x.onnx", say=quiet)
    assert not (tmp_path / "x.onnx").exists()


def test_weights_that_are_no_numbers_are_refused(
    checkpoint: Callable[..., Path], tmp_path: Path
) -> None:
    def poison(network: nn.Module) -> None:
        with torch.no_grad():
            network.get_parameter("layers.1.bias")[2] = float("nan")

    with pytest.raises(ExportError, match=r"layers\.1\.bias has values that are not finite"):
        export_onnx(checkpoint(poison), tmp_path / "x.onnx", say=quiet)
    assert not (tmp_path / "x.onnx").exists()


def test_outputs_that_overflow_are_refused(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    def swell(network: nn.Module) -> None:
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name.endswith(".weight"):
                    parameter.fill_(1e30)

    where = r"not finite, first at the node node_conv2d_\d \(Conv\), which gives NaN or infinity"
    with pytest.raises(ExportError, match=where):
        export_onnx(checkpoint(swell), tmp_path / "x.onnx", say=quiet)
    assert not (tmp_path / "x.onnx").exists()


def test_a_difference_between_the_two_is_refused(
    checkpoint: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from restore_rt.export import exporter as stage

    def slightly_wrong(*arguments: Any, **options: Any) -> Conversion:
        conversion = convert(*arguments, **options)
        weights = conversion.model.graph.initializer
        bias = next(tensor for tensor in weights if tensor.name == "layers.1.bias")
        values = onnx.numpy_helper.to_array(bias) + np.float32(2e-3)
        bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
        return conversion

    monkeypatch.setattr(stage, "convert", slightly_wrong)
    # The second convolution, by the name that PyTorch gives it.
    where = r"first at the node node_conv2d_1 \(Conv\), by 2\.00e-03 of values up to"
    with pytest.raises(ExportError, match=rf"differ by \d\.\d+e-0\d; allowed is 5e-05, {where}"):
        export_onnx(checkpoint(), tmp_path / "x.onnx", say=quiet)
    assert not (tmp_path / "x.onnx").exists()


def test_what_cannot_be_read_or_written_is_named(
    checkpoint: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="opset is 12"):
        export_onnx(checkpoint(), tmp_path / "x.onnx", opset=12, say=quiet)
    with pytest.raises(InputError, match=r"tile is 8x0; both sides must be positive"):
        export_onnx(checkpoint(), tmp_path / "x.onnx", tile=(0, 8), say=quiet)
    with pytest.raises(InputError, match=r"tile is \(48, 31\); .* must be at least 32"):
        export_onnx(checkpoint(), tmp_path / "x.onnx", tile=(48, 31), say=quiet)
    with pytest.raises(InputError, match=r"cannot list the folder .*none"):
        export_onnx(checkpoint(), tmp_path / "x.onnx", images=tmp_path / "none", say=quiet)
    with pytest.raises(OutputError, match="its folder does not exist"):
        export_onnx(checkpoint(), tmp_path / "none" / "x.onnx", say=quiet)
    assert run(["export", str(tmp_path / "no.pt"), "-o", str(tmp_path / "x.onnx")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("restore-rt: error: no checkpoint at")
    assert error.count("\n") == 1


def test_weights_of_another_network_are_one_error(
    checkpoint: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = checkpoint()
    state = load_checkpoint(source)
    state["average"].pop("layers.0.bias")
    save_checkpoint(source, state)
    assert run(["export", str(source), "-o", str(tmp_path / "x.onnx")]) == 2
    error = capsys.readouterr().err
    assert "does not fit the network that its recipe describes" in error
    assert "layers.0.bias" in error
    assert error.count("\n") == 1


def test_the_command_replaces_a_file_only_if_told_to(
    checkpoint: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, out = tmp_path / "images", tmp_path / "tiny.onnx"
    images.mkdir()
    colours = np.random.default_rng(0).integers(0, 256, (41, 50, 3), np.uint8)
    Image.fromarray(colours).save(images / "a.png")
    out.write_bytes(b"precious")
    arguments = ["export", str(tmp_path / "no.pt"), "-o", str(out), "--images", str(images)]
    # Before any work: that there is no checkpoint is not yet known.
    assert run(arguments) == 2
    assert "exists; give another name, or --overwrite" in capsys.readouterr().err
    assert out.read_bytes() == b"precious"

    arguments[1] = str(checkpoint())
    assert run([*arguments, "--tile", "32x48", "--overwrite"]) == 0
    manifest = read_manifest(onnx.load(out))
    assert manifest is not None
    assert manifest.tile == (48, 32)
    said = capsys.readouterr()
    assert "halo 3, multiple 1, both measured; opset 18" in said.err
    assert said.out == f"{out}\n"


def test_a_full_disk_is_one_error_and_leaves_nothing(
    checkpoint: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = checkpoint()

    def full(self: Path, data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="the disk is full"):
        export_onnx(source, tmp_path / "x.onnx", say=quiet)
    assert list(tmp_path.iterdir()) == [source]


def test_a_network_that_folds_blocks_of_pixels_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Folds(nn.Module):
        def __init__(self, *, scale: int, colour: str) -> None:
            super().__init__()
            self.layer = nn.Conv2d(16, 64, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.pixel_shuffle(self.layer(nn.functional.pixel_unshuffle(x, 4)), 8)

    monkeypatch.setitem(cast("dict[str, type]", NETWORKS), "folds", Folds)
    torch.manual_seed(2)
    recipe = RECIPE.replace("compact", "folds").replace("{ width = 4, depth = 3 }", "{}")
    state = {"recipe": recipe, "step": 1, "metrics": {}}
    network = Folds(scale=2, colour="luma")
    save_checkpoint(tmp_path / "f.pt", {**state, "average": network.state_dict()})
    with pytest.raises(InputError, match=r"tile is 18x16.* multiples of 4"):
        export_onnx(tmp_path / "f.pt", tmp_path / "f.onnx", tile=(16, 18), say=quiet)
    manifest = export_onnx(tmp_path / "f.pt", tmp_path / "f.onnx", say=quiet)
    assert (manifest.multiple, manifest.halo) == (4, 7)

    session = onnxruntime.InferenceSession(tmp_path / "f.onnx", providers=["CPUExecutionProvider"])
    x = np.random.default_rng(0).random((3, 1, 20, 36), dtype=np.float32)
    (y,) = session.run(["y"], {"x": x})
    with torch.no_grad():
        assert np.allclose(y, network(torch.from_numpy(x)), atol=1e-5)


@pytest.mark.parametrize(("colour", "channels"), [("luma", 1), ("rgb", 3)])
def test_samples_of_pictures_are_their_middles(tmp_path: Path, colour: str, channels: int) -> None:
    y, x = np.mgrid[0:400, 0:350]
    picture = np.stack([y % 256, x % 256, (x + y) % 256], axis=2).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    Image.fromarray(picture[:9, :7]).save(tmp_path / "b.tiff")
    large, small = picture_samples(tmp_path, colour)
    assert large.dtype == np.float32
    assert large.shape == (1, channels, 319, 320)
    assert small.shape == (1, channels, 9, 7)
    if colour == "rgb":
        assert np.array_equal(np.rint(large[0] * 255), picture[40:359, 15:335].transpose(2, 0, 1))
    else:
        assert 16 / 255 <= small.min() < small.max() <= 235 / 255
    with pytest.raises(InputError, match=r"b\.tiff has 9x7 pixels; .* no fewer than 8"):
        picture_samples(tmp_path, colour, smallest=8)


def test_exporting_needs_no_video_library(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    code = (
        "import sys; sys.modules['av'] = None\n"
        "from pathlib import Path\n"
        "from restore_rt.export.exporter import export_onnx\n"
        "from restore_rt.export.samples import picture_samples\n"
        f"assert len(picture_samples(Path({str(tmp_path)!r}), 'luma')) == 1\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
