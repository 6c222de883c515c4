from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from restore_rt.errors import InputError, OutputError, RestoreError
from restore_rt.training.features import training as feature_training
from restore_rt.training.features.networks import (
    DEFAULT,
    FeatureNet,
    Vgg19,
    keep_features,
    load_features,
    save_features,
)
from restore_rt.training.features.training import (
    CLASSES,
    KINDS,
    draw_patch,
    feature_loss,
    train_features,
)

VGG_CONVS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)


def _torchvision_weights() -> dict[str, Tensor]:
    """Make random weights in the layout of torchvision's VGG-19, the classifier cut short."""
    weights, inputs = {}, 3
    widths = [64] * 2 + [128] * 2 + [256] * 4 + [512] * 8
    rng = np.random.default_rng(0)
    for index, width in zip(VGG_CONVS, widths, strict=True):
        # One number for each output channel, spread over the kernel: quicker than 20 million.
        row = torch.from_numpy(rng.normal(0, 0.05, (width, 1, 3, 3)).astype(np.float32))
        weights[f"features.{index}.weight"] = row.expand(width, inputs, 3, 3)
        weights[f"features.{index}.bias"] = torch.full((width,), 0.01)
        inputs = width
    weights["classifier.0.bias"] = torch.zeros(4096)
    return weights


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save(_torchvision_weights(), path)
    return path


def test_feature_net_is_small() -> None:
    network = FeatureNet(degradations=len(CLASSES))
    assert sum(p.numel() for p in network.parameters()) < 700_000
    assert network.layers == (
        "conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv4_1", "conv4_2",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("layer", "shape"),
    [("conv1_1", (32, 17, 22)), ("conv2_2", (64, 8, 11)), ("conv4_2", (128, 2, 2))],
)
def test_features_halve_the_size_between_blocks(layer: str, shape: tuple[int, ...]) -> None:
    network = FeatureNet(degradations=2)
    assert tuple(network.features(torch.rand(2, 3, 17, 22), layer).shape) == (2, *shape)


def test_features_of_a_grey_picture_are_those_of_three_equal_channels() -> None:
    network, grey = FeatureNet(degradations=2), torch.rand(1, 1, 16, 16)
    coloured = grey.expand(1, 3, 16, 16)
    expected = network.features(coloured, "conv3_1")
    torch.testing.assert_close(network.features(grey, "conv3_1"), expected)


def test_features_are_taken_before_the_relu() -> None:
    torch.manual_seed(0)
    network = FeatureNet(degradations=2)
    x = torch.rand(1, 3, 8, 8)
    first = network.features(x, "conv1_1")
    assert first.min() < 0
    second = network.get_submodule("conv1_2")
    torch.testing.assert_close(network.features(x, "conv1_2"), second(torch.relu(first)))


def test_forward_gives_the_logits_of_both_heads() -> None:
    network = FeatureNet(degradations=5)
    degradation, rotation = network(torch.rand(3, 3, 40, 33))
    assert (tuple(degradation.shape), tuple(rotation.shape)) == ((3, 5), (3, 4))


@pytest.mark.parametrize(
    ("shape", "layer", "message"),
    [
        ((1, 3, 16, 16), "conv5_1", r"'conv5_1'; allowed are conv1_1"),
        ((1, 2, 16, 16), "conv1_1", "1 or 3 channels"),
        ((1, 3, 16, 7), "conv4_1", "at least 8x8"),
    ],
)
def test_wrong_requests_are_refused(shape: tuple[int, ...], layer: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        FeatureNet(degradations=2).features(torch.zeros(shape), layer)


def test_vgg_computes_what_torchvision_does(vgg_file: Path) -> None:
    network = load_features(vgg_file)
    assert isinstance(network, Vgg19)
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    # torchvision's network, up to the convolution of index 10.
    weights = _torchvision_weights()
    layers: list[nn.Module] = []
    for index, following in pairwise(VGG_CONVS[:6]):
        weight = weights[f"features.{index}.weight"]
        conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
        conv.load_state_dict({"weight": weight, "bias": weights[f"features.{index}.bias"]})
        layers += [conv, nn.ReLU(), *([nn.MaxPool2d(2)] if following - index == 3 else [])]
    reference = nn.Sequential(*layers)[:11]
    x = torch.rand(1, 3, 20, 19)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    with torch.no_grad():
        expected = reference((x - mean) / std)
    torch.testing.assert_close(network.features(x, "conv3_1"), expected)
    assert tuple(network.features(x, "conv5_4").shape) == (1, 512, 1, 1)


def test_vgg_from_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "vgg19.safetensors"
    weights = {name: value.contiguous() for name, value in _torchvision_weights().items()}
    save_file(weights, path)
    network = load_features(path)
    assert torch.equal(
        network.get_submodule("conv5_4").get_parameter("weight"), weights["features.34.weight"]
    )


def _without(weights: dict[str, Tensor]) -> None:
    del weights["features.12.weight"]
    del weights["features.28.bias"]


def _narrow(weights: dict[str, Tensor]) -> None:
    weights["features.5.weight"] = weights["features.5.weight"][:, :32]


def _infinite(weights: dict[str, Tensor]) -> None:
    weights["features.2.bias"] = torch.full((64,), torch.inf)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without, r"'features.12.weight' is missing; .*\(256, 256, 3, 3\)"),
        (_narrow, r"'features.5.weight' has the shape \(128, 32, 3, 3\); .*\(128, 64, 3, 3\)"),
        (_infinite, r"'features.2.bias' has values that are not finite"),
    ],
)
def test_wrong_layouts_are_named(
    tmp_path: Path, spoil: Callable[[dict[str, Tensor]], None], message: str
) -> None:
    weights = _torchvision_weights()
    spoil(weights)
    path = tmp_path / "vgg.pth"
    torch.save(weights, path)
    with pytest.raises(InputError, match=message):
        load_features(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weight": torch.zeros(3)}, "has no weights of a feature network"),
        ([torch.zeros(3)], "holds a list"),
        ({"degradation.bias": torch.zeros(())}, "'conv1_1.weight' is missing"),
        (b"no file of torch", "cannot be read as weights"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "weights.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(InputError, match=message):
        load_features(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file at .*none.pt"):
        load_features(tmp_path / "none.pt")


def test_damaged_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"\x08\0\0\0\0\0\0\0damaged!")
    with pytest.raises(InputError, match="cannot be read as weights"):
        load_features(path)


def test_without_safetensors_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(InputError, match=r"needs safetensors; pip install 'restore-rt\[train\]'"):
        load_features(path)


def test_saved_features_are_loaded_again(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = FeatureNet(degradations=6)
    path = tmp_path / "features.safetensors"
    save_features(network, path)
    assert path.stat().st_size < 1_300_000
    loaded = load_features(path)
    # Half precision is enough for features.
    for name, value in network.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-6)
    with pytest.raises(InputError, match="exists"):
        save_features(network, path)
    save_features(network, path, overwrite=True)


def test_the_shipped_features_load() -> None:
    network = load_features(DEFAULT)
    assert isinstance(network, FeatureNet)
    assert network.get_submodule("degradation").get_parameter("bias").shape == (len(CLASSES),)
    assert DEFAULT.with_suffix(".md").is_file()


def test_what_cannot_be_written_in_the_end_is_kept_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    network = FeatureNet(degradations=3)
    with pytest.raises(OutputError, match=r"does not exist.*; the trained network") as said:
        keep_features(network, tmp_path / "gone" / "mine.safetensors", {})
    (kept,) = tmp_path.rglob("*.safetensors")
    assert str(kept) in str(said.value)
    load_features(kept)


def test_loss_adds_both_heads() -> None:
    logits = (torch.zeros(2, 5), torch.tensor([[9.0, 0, 0, 0], [0, 0, 0, 9.0]]))
    right = feature_loss(logits, (torch.tensor([1, 4]), torch.tensor([0, 3])))
    wrong = feature_loss(logits, (torch.tensor([1, 4]), torch.tensor([1, 2])))
    assert right.item() == pytest.approx(np.log(5), abs=1e-2)
    assert wrong.item() == pytest.approx(np.log(5) + 9, abs=1e-2)


def _picture(seed: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (14, 11, 3), np.uint8)
    return np.array(Image.fromarray(noise).resize((110, 140), Image.Resampling.BICUBIC))


def test_patches_are_drawn_of_every_class_and_turn() -> None:
    rng, picture = np.random.default_rng(0), _picture(0)
    before = picture.copy()
    drawn = [draw_patch(picture, rng) for _ in range(300)]
    assert all(p.shape == (64, 64, 3) and p.dtype == np.uint8 for p, _, _ in drawn)
    assert {degradation for _, degradation, _ in drawn} == set(range(len(CLASSES)))
    assert {turns for _, _, turns in drawn} == {0, 1, 2, 3}
    assert len(CLASSES) == 1 + sum(map(len, KINDS.values()))
    assert np.array_equal(picture, before)


def test_the_same_generator_draws_the_same_patch() -> None:
    draws = [draw_patch(_picture(0), np.random.default_rng(9)) for _ in range(2)]
    assert np.array_equal(draws[0][0], draws[1][0])
    assert draws[0][1:] == draws[1][1:]


def test_a_patch_that_was_left_alone_is_a_turned_piece_of_the_picture() -> None:
    rng, picture = np.random.default_rng(1), _picture(1)[:80, :80]
    for _ in range(100):
        patch, degradation, turns = draw_patch(picture, rng)
        if degradation == 0 and turns:
            turned = np.rot90(picture, turns)
            windows = np.lib.stride_tricks.sliding_window_view(turned, (64, 64, 3))
            assert (windows == patch).all(axis=(3, 4, 5)).any()
            return
    pytest.fail("no patch was left alone")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make pictures, of which but a few patches are held out."""
    monkeypatch.setattr(feature_training, "HELD_OUT_BATCHES", 1)
    (tmp_path / "data" / "a").mkdir(parents=True)
    for number in range(24):
        Image.fromarray(_picture(number)).save(tmp_path / "data" / "a" / f"{number}.png")
    return tmp_path / "data"


def _train(data: Path, out: Path, **options: object) -> dict[str, float]:
    settings: dict[str, object] = {"folders": ["a"], "steps": 2, "batch": 4, "device": "cpu"}
    return train_features(data, out, **{"say": lambda line: None, **settings, **options})  # type: ignore[arg-type]


def test_training_writes_a_file_that_loads_and_says_how_it_was_made(
    folder: Path, tmp_path: Path
) -> None:
    lines: list[str] = []
    accuracy = _train(folder, tmp_path / "a.safetensors", say=lines.append, seed=4)
    assert accuracy.keys() == {"degradation", "kind", "rotation"}
    assert all(0 <= share <= 1 for share in accuracy.values())
    assert accuracy["kind"] >= accuracy["degradation"]
    assert "held out" in lines[0]
    network = load_features(tmp_path / "a.safetensors")
    assert isinstance(network, FeatureNet)
    _train(folder, tmp_path / "b.safetensors", seed=4)
    again = load_features(tmp_path / "b.safetensors").state_dict()
    assert all(torch.equal(value, again[name]) for name, value in network.state_dict().items())
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        origin = json.loads(file.metadata()["restore_rt"])
    assert origin["folders"] == ["a"]
    assert [origin[key] for key in ("pictures", "steps", "batch", "seed")] == [24, 2, 4, 4]
    assert origin["accuracy"] == accuracy
    assert origin["licence"] == "not stated"
    assert origin["made_by"].startswith("restore-rt train-features ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"batch": 0}, "batch 0"),
        ({"rate": float("nan")}, "rate nan"),
        ({"folders": []}, "no folders"),
        ({"folders": ["b"]}, "cannot list the folder"),
    ],
)
def test_wrong_options_are_refused(
    folder: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _train(folder, tmp_path / "out.safetensors", **options)


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.fromarray(_picture(0)).save(tmp_path / "a" / "0.png")
    with pytest.raises(InputError, match=r"none of 1 pictures can be held out"):
        _train(tmp_path, tmp_path / "out.safetensors")


def test_an_existing_file_is_kept(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"precious")
    with pytest.raises(InputError, match="exists"):
        _train(folder, out)
    assert out.read_bytes() == b"precious"


def test_what_is_missing_is_told_before_the_training(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_training, "survey", lambda *_, **__: pytest.fail("pictures read"))
    with pytest.raises(InputError, match=r"must end in \.safetensors"):
        _train(folder, tmp_path / "out.pt")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(InputError, match=r"needs safetensors; pip install 'restore-rt\[train\]'"):
        _train(folder, tmp_path / "out.safetensors")


def test_a_loss_that_is_no_number_stops_the_training(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RestoreError, match=r"step \d+: the loss is (nan|inf)"):
        _train(folder, tmp_path / "out.safetensors", rate=1e30, steps=20)
    assert not (tmp_path / "out.safetensors").exists()
