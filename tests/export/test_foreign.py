from __future__ import annotations

import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import restore_rt
from restore_rt.errors import InputError, ModelError
from restore_rt.export import export_onnx
from restore_rt.export.sources import load_source
from restore_rt.training.loop.checkpoint import save_checkpoint
from tests.export.published import (
    State,
    as_esrgan,
    as_old_esrgan,
    rrdb_state,
    run_rrdb,
    run_srvgg,
    saved,
    srvgg_state,
)
from tests.networks import nearest, save_model

SMALL = {"filters": 6, "growth": 3, "blocks": 2}


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("width", "convs", "scale"), [(5, 2, 4), (7, 0, 1), (4, 3, 3), (6, 1, 2)])
def test_srvgg_is_told_by_its_shapes(
    tmp_path: Path, width: int, convs: int, scale: int, channels: int
) -> None:
    state = srvgg_state(width=width, convs=convs, scale=scale, channels=channels)
    source = load_source(saved({"params": state}, tmp_path / "anime.pth"))
    assert (source.scale, source.channels) == (scale, channels)
    assert source.task == ("upscale" if scale > 1 else "repair")
    assert (source.name, source.version, source.licence) == ("anime", "unknown", "unknown")
    assert (source.trained_on, source.recipe, source.content) == ("unknown", "", "photo")
    x = torch.rand(2, channels, 9, 6)
    with torch.no_grad():
        torch.testing.assert_close(source.network(x), run_srvgg(state, x, scale))


@pytest.mark.parametrize("rename", [lambda state: state, as_esrgan, as_old_esrgan])
@pytest.mark.parametrize(
    ("made", "taken", "doublings", "scale"),
    [(3, 3, 2, 4), (3, 12, 2, 2), (3, 48, 2, 1), (1, 1, 1, 2), (1, 4, 2, 2), (3, 3, 3, 8)],
)
def test_rrdb_is_told_by_its_shapes_in_all_three_layouts(
    tmp_path: Path,
    rename: Callable[[State], State],
    made: int,
    taken: int,
    doublings: int,
    scale: int,
) -> None:
    state = rrdb_state(**SMALL, doublings=doublings, taken=taken, made=made)
    source = load_source(saved({"params_ema": rename(state)}, tmp_path / "x.pth"))
    assert (source.scale, source.channels) == (scale, made)
    unshuffle = round((taken / made) ** 0.5)
    x = torch.rand(1, made, 4 * unshuffle, 5 * unshuffle)
    with torch.no_grad():
        torch.testing.assert_close(source.network(x), run_rrdb(state, x, unshuffle))


def test_an_old_network_that_keeps_the_size_is_told(tmp_path: Path) -> None:
    state = rrdb_state(**SMALL, doublings=0)
    source = load_source(saved(as_old_esrgan(state), tmp_path / "x.pth"))
    x = torch.rand(1, 3, 5, 4)
    with torch.no_grad():
        torch.testing.assert_close(source.network(x), run_rrdb(state, x))
    assert (source.scale, source.task) == (1, "repair")


def with_prefix(state: State, prefix: str) -> State:
    return OrderedDict((prefix + name, tensor) for name, tensor in state.items())


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"params": state},
        lambda state: {"params": with_prefix(state, "x."), "params_ema": state},
        lambda state: {"state_dict": with_prefix(state, "module."), "epoch": 3, "loss": [0.5]},
        lambda state: {"model": {"state_dict": with_prefix(state, "netG.module.")}},
        lambda state: {"generator": state, "step": 1},
        lambda state: {name: tensor.half() for name, tensor in state.items()},
        lambda state: {name: nn.Parameter(tensor) for name, tensor in state.items()},
    ],
)
@pytest.mark.parametrize("legacy", [False, True])
def test_wrappers_and_prefixes_are_taken_off(
    tmp_path: Path, wrap: Callable[[State], Any], legacy: bool
) -> None:
    state = {k: v.half().float() for k, v in srvgg_state(width=4, convs=1, scale=2).items()}
    path = saved(wrap(state), tmp_path / "x.pth", _use_new_zipfile_serialization=not legacy)
    network = load_source(path).network
    x = torch.rand(1, 3, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(network(x), run_srvgg(state, x, 2))
    assert all(not p.requires_grad or p.is_leaf for p in network.parameters())


def test_safetensors_are_read(tmp_path: Path) -> None:
    state = as_old_esrgan(rrdb_state(**SMALL))
    save_file(state, tmp_path / "x.safetensors")
    assert load_source(tmp_path / "x.safetensors").scale == 4
    (tmp_path / "y.safetensors").write_bytes(b"\x10" + bytes(30))
    with pytest.raises(InputError, match=r"y\.safetensors cannot be read as a checkpoint"):
        load_source(tmp_path / "y.safetensors")


def test_weights_written_on_a_gpu_are_read(tmp_path: Path) -> None:
    path = saved(srvgg_state(width=4, convs=1, scale=2), tmp_path / "cpu.pth")
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(tmp_path / "x.pth", "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name.endswith("data.pkl"):
                # The place of a storage, a text of three letters in the pickle.
                assert content.count(b"X\x03\x00\x00\x00cpu") == 1
                content = content.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
            after.writestr(name, content)
    assert load_source(tmp_path / "x.pth").scale == 2


def changed(state: State, **tensors: Tensor | None) -> State:
    new = dict(state) | {name.replace("__", "."): t for name, t in tensors.items() if t is not None}
    return {
        name: t for name, t in new.items() if tensors.get(name.replace(".", "__"), 1) is not None
    }


COMPACT = srvgg_state(width=4, convs=1, scale=2)
DENSE = rrdb_state(**SMALL)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list, not a network's weights by name"),
        ({}, "has no weights: it holds nothing"),
        ({"epoch": 3, "params": {}}, "has no weights: it holds 'epoch', 'params'"),
        (
            {name: t for name, t in COMPACT.items() if name != "body.1.weight"},
            "network of another kind, 7 tensors from 'body.0.weight'",
        ),
        (
            {name: t for name, t in COMPACT.items() if t.dim() == 4 or "bias" in name},
            r"SRVGGNetCompact without weights between .* \(ReLU, LeakyReLU\) cannot be told",
        ),
        (
            changed(COMPACT, body__4__weight=torch.rand(11, 4, 3, 3)),
            "makes 11 channels, which are no block of pixels",
        ),
        (
            changed(COMPACT, body__4__weight=torch.rand(3 * 81, 4, 3, 3)),
            "enlarges 9 times; allowed are 1, 2, 3, 4, 5, 6, 7, 8",
        ),
        (
            changed(COMPACT, body__2__weight=torch.rand(4, 5, 3, 3)),
            r"looks like SRVGGNetCompact .*'layers\.1\.weight'.*\(4, 5, 3, 3\) in place of \(4, 4",
        ),
        (
            srvgg_state(width=4, convs=1, scale=2, channels=4),
            r"makes 4 channels; allowed are 3 \(RGB\) and 1 \(luma\)",
        ),
        (rrdb_state(**SMALL, taken=6), "takes 6 channels and makes 3; allowed are as many"),
        (rrdb_state(**SMALL, taken=48, doublings=1), r"enlarges 0\.5 times; allowed are 1, 2, 4"),
        (
            changed(DENSE, conv_hr__bias=None),
            r"looks like RRDBNet .*'refine\.bias' in ours have the shape None in place of \(6,\)",
        ),
        (
            changed(DENSE, body__0__rdb1__conv1x1__weight=torch.rand(3, 6, 1, 1)),
            "network of another kind, 73 tensors",
        ),
        (
            changed(DENSE, body__9__rdb1__conv1__weight=torch.rand(3, 6, 3, 3)),
            r"looks like RRDBNet .*'blocks\.2\.|looks like RRDBNet .*'blocks\.9\.",
        ),
        (
            {f"body.{'9' * 30}.weight": torch.rand(3, 3, 3, 3), **COMPACT},
            "network of another kind",
        ),
        (
            {str(i): {"LUT": torch.rand(3, 5, 5, 5)} for i in range(3)},
            r"3 lookup tables for colours \(3D LUT\)",
        ),
        ({"fc.weight": torch.rand(10, 8)}, "a classifier: it ends with 10 numbers"),
        ({"w": torch.tensor(1.0)}, "network of another kind, 1 tensors from 'w' to 'w'"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, content: Any, message: str) -> None:
    path = saved(content, tmp_path / "x.pth")
    with pytest.raises(InputError, match=message) as caught:
        load_source(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_that_holds_itself_is_refused(tmp_path: Path) -> None:
    content: dict[str, Any] = {}
    content["model"] = content
    with pytest.raises(InputError, match="has no weights"):
        load_source(saved(content, tmp_path / "x.pth"))


@pytest.mark.parametrize(
    ("name", "start", "message"),
    [
        ("x.param", b"7767517\n3 3\n", "a network of ncnn"),
        ("x.bin", b"\x47\x6b\x30\x01", "weights of ncnn"),
        ("x.bin", b"\x01\x02\x03\x04", r"raw weights \(\.bin\) of another library, like ncnn"),
        ("x.pb", b"\x0a\x4d\x0a", "a graph of TensorFlow, .* with tf2onnx"),
        ("x.pth", b"\x1c\0\0\0TFL3", "a network of TensorFlow Lite"),
        ("x.h5", b"\x89HDF\r\n", "a file of HDF5, as Keras writes it"),
        ("x.npy", b"\x93NUMPY", "there is no network in it"),
        ("x.engine", b"ftrt", "a TensorRT engine, .* give the ONNX file"),
        ("x.pth", b"", "cannot be read as a checkpoint"),
        ("x.pth", b"PK\x03\x04", "cannot be read as a checkpoint"),
        ("x.pth", b"file\tbytes\n", "cannot be read as a checkpoint: it is no file that PyTorch"),
    ],
)
def test_files_of_other_libraries_are_told(
    tmp_path: Path, name: str, start: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(start)
    with pytest.raises(InputError, match=message) as caught:
        load_source(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_archives_and_folders_are_told(tmp_path: Path) -> None:
    program = tmp_path / "program.pt"
    with zipfile.ZipFile(program, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"program/{name}", b"")
    with pytest.raises(InputError, match="is a TorchScript program"):
        load_source(program)
    np.savez(tmp_path / "x.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="is a ZIP archive of something else"):
        load_source(tmp_path / "x.npz")
    with pytest.raises(
        InputError, match="is a folder, not a checkpoint of PyTorch: give a file in it"
    ):
        load_source(tmp_path)
    with pytest.raises(InputError, match="no checkpoint at"):
        load_source(tmp_path / "none.pth")


def test_what_is_said_of_a_model_is_checked_before_the_work(tmp_path: Path) -> None:
    path = saved(COMPACT, tmp_path / "x.pth")
    source = load_source(path, name="mine", content="comic", licence="BSD-3-Clause")
    assert (source.name, source.content, source.licence) == ("mine", "comic", "BSD-3-Clause")
    for wrong in ({"name": "a/b"}, {"name": " "}, {"content": "anime"}, {"licence": ""}):
        ((key, value),) = wrong.items()
        with pytest.raises(InputError, match=f"{key} is {value!r}"):
            load_source(path, **wrong)


def test_ours_say_themselves_what_they_are(tmp_path: Path) -> None:
    checkpoint = tmp_path / "best.pt"
    save_checkpoint(checkpoint, {"features": {}})
    with pytest.raises(InputError, match=r"licence is 'MIT', but .* says it itself; leave it out"):
        load_source(checkpoint, licence="MIT")
    with pytest.raises(InputError, match="name is 'x', but"):
        load_source("video-x2", name="x")
    bare = save_model(tmp_path / "bare.onnx", nearest(3, 2), scale=2, manifest=False)
    with pytest.raises(ModelError, match=r"is an ONNX file, and others exported it: .* as it is"):
        load_source(bare)


@pytest.mark.parametrize(
    ("state", "halo", "multiple"),
    [
        (srvgg_state(width=4, convs=1, scale=3), 3, 1),
        pytest.param(
            as_old_esrgan(rrdb_state(filters=4, growth=2, blocks=1, taken=12)),
            40,
            2,
            marks=pytest.mark.long,
        ),
    ],
)
def test_an_export_restores_pictures_as_the_network_does(
    tmp_path: Path, state: State, halo: int, multiple: int
) -> None:
    path, out = saved(state, tmp_path / "theirs.pth"), tmp_path / "theirs.onnx"
    manifest = export_onnx(path, out, say=lambda line: None)
    assert manifest.multiple == multiple
    assert 0 < manifest.halo <= halo
    frame = np.random.default_rng(0).integers(0, 256, (30, 41, 3), np.uint8)
    source = load_source(path)
    with restore_rt.load(out, threads=1) as restorer:
        result = restorer(frame)
        x = torch.from_numpy(np.pad(frame, ((0, 0), (0, multiple - 1), (0, 0)), "reflect"))
        with torch.no_grad():
            expected = source.network(x.permute(2, 0, 1)[None] / 255)[0].permute(1, 2, 0)
        width = 41 * source.scale
        expected = (expected[:, :width].clamp(0, 1) * 255).round().numpy()
        assert np.abs(result.astype(float) - expected).max() <= 1
    with pytest.raises(ModelError, match=r"its weights were trained by others: .* give the check"):
        load_source(out)
    assert onnx.load(out).graph.input[0].name == "x"
