"""Real files that others trained: each works, or is one clear error."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import restore_rt
from restore_rt.errors import InputError, ModelError
from restore_rt.export.sources import load_source
from restore_rt.training.colour import luma
from restore_rt.training.metrics.fidelity import psnr

pytestmark = pytest.mark.data

ANIME = "realesr-animevideov3_pth__realesr-animevideov3.stored.pth"
ESPCN = "pytorch_tutorial_espcn_onnx__super_resolution.onnx"

_OTHER = r"seems to be a network of another kind, .* export it to ONNX .* and spandrel, which"
_TENSORFLOW = "is a graph of TensorFlow, .* convert it to ONNX with tf2onnx"
_NCNN = "of ncnn .* give the PyTorch checkpoint"

# What reading each as a checkpoint says; None where it works.
CHECKPOINTS = {
    ANIME: None,
    "CSRNet__experiments__pretrain_models__csrnet.pth": r"retouches colours .* whole picture",
    "FSRCNN_Tensorflow__FSRCNN-small_x2.pb": _TENSORFLOW,
    "FSRCNN_Tensorflow__FSRCNN_x4.pb": _TENSORFLOW,
    "IMDN__checkpoints__model_RTC.pth": _OTHER,
    "Image-Adaptive-3DLUT__sRGB__LUTs.pth": r"3 lookup tables .* no network in it",
    "Image-Adaptive-3DLUT__sRGB__classifier.pth": "a classifier: it ends with 3 numbers",
    "NTIRE2024_ESR__team39_spantiny_ch26_slim.pth": _OTHER,
    "SAFMN__AIS2024-RTSR__pretrained_model__light_safmnpp.pth": _OTHER,
    "SR-LUT__2_Transfer_to_LUT__Model_S.pth": r"Python objects \(__main__\.SRNet\) .* run code",
    "SR_Mobile_Quantization__TFMODEL__base7_D4C28_bs16ps64_lr1e-3_qat.tflite": "TensorFlow Lite",
    "TF-ESPCN__ESPCN_x3.pb": _TENSORFLOW,
    "bicubic-plusplus__bicubic_pp_x3.pth": _OTHER,
    "upscayl__models__realesr-animevideov3-x2.bin": _NCNN,
    "upscayl__models__realesr-animevideov3-x2.param": _NCNN,
}
# What the runtime says of each ONNX file.
MODELS = {
    ESPCN: None,
    "onnxruntime-sr__pytorch_superresolution_with_pre_post_processing_opset18.onnx": (
        r"operators that ONNX does not define \(com\.microsoft\.extensions\.DecodeImage, .*"
        "without what reads or writes pictures"
    ),
}


def test_every_file_is_in_one_of_the_lists(data_dir: Path) -> None:
    listed = (data_dir / "weights" / "MANIFEST.tsv").read_text().splitlines()[1:]
    names = {line.split("\t")[0] for line in listed}
    there = {path.name for path in (data_dir / "weights").iterdir()} - {"MANIFEST.tsv"}
    assert names == there == CHECKPOINTS.keys() | MODELS.keys()


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_each_checkpoint_works_or_is_one_clear_error(
    data_dir: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    path, message = data_dir / "weights" / name, CHECKPOINTS[name]
    if message is None:
        source = load_source(path)
        assert (source.scale, source.colour) == (4, "rgb")
        return
    with pytest.raises(InputError, match=message) as caught:
        load_source(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    # And in the runtime, which reads no checkpoints.
    with pytest.raises(ModelError, match=r"is not an \.onnx file; export the model"):
        restore_rt.load(path)


@pytest.mark.parametrize("name", MODELS)
def test_each_model_file_works_or_is_one_clear_error(data_dir: Path, name: str) -> None:
    path, message = data_dir / "weights" / name, MODELS[name]
    with pytest.raises(ModelError, match="is an ONNX file, and others exported it"):
        load_source(path)
    if message is None:
        with restore_rt.load(path, threads=1) as restorer:
            assert (restorer.scale, restorer.manifest.colour) == (3, "luma")
            assert restorer.tile == (224, 224)
        return
    with pytest.raises(ModelError, match=message) as caught:
        restore_rt.load(path)
    assert "\n" not in str(caught.value)


def reduced(path: Path, box: tuple[int, int, int, int], scale: int) -> list[NDArray[np.uint8]]:
    """Return a part of a picture, and it made smaller, and that enlarged by a bicubic filter."""
    with Image.open(path) as image:
        whole = image.convert("RGB").crop(box)
    small = whole.resize((whole.width // scale, whole.height // scale), Image.Resampling.BICUBIC)
    bicubic = small.resize(whole.size, Image.Resampling.BICUBIC)
    return [np.asarray(picture) for picture in (whole, small, bicubic)]


def gain(whole: NDArray[np.uint8], ours: NDArray[np.uint8], bicubic: NDArray[np.uint8]) -> float:
    """Return by how many dB ours comes closer to the whole, on luma."""
    planes = [luma(picture) for picture in (whole, ours, bicubic)]
    return psnr(planes[1], planes[0], shave=4) - psnr(planes[2], planes[0], shave=4)


@pytest.mark.parametrize(
    ("picture", "box", "bar"),
    [
        ("github-illustrated-series__github_fall.png", (400, 100, 800, 500), 1.8),
        ("E05P03.png", (100, 300, 500, 700), 1.4),
    ],
)
def test_the_anime_model_draws_better_than_a_bicubic_filter(
    data_dir: Path, picture: str, box: tuple[int, int, int, int], bar: float
) -> None:
    whole, small, bicubic = reduced(data_dir / "test" / "comic" / picture, box, 4)
    network = load_source(data_dir / "weights" / ANIME).network
    with torch.no_grad():
        result = network(torch.from_numpy(small.copy()).permute(2, 0, 1)[None] / 255)
    ours = (result[0].permute(1, 2, 0).clamp(0, 1) * 255).round().numpy().astype(np.uint8)
    assert gain(whole, ours, bicubic) > bar


def test_the_tutorials_model_is_sharper_than_a_bicubic_filter(data_dir: Path) -> None:
    path = data_dir / "test" / "sr" / "Set5" / "img_003_SRF_2_HR.png"
    whole, small, bicubic = reduced(path, (0, 0, 255, 255), 3)
    with restore_rt.load(data_dir / "weights" / ESPCN, threads=1) as restorer:
        assert gain(whole, restorer(small), bicubic) > 0.4
