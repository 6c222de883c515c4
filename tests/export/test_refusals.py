"""What an export refuses, before the work where it can, and leaves nothing of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from restore_rt.cli import run
from restore_rt.errors import InputError, ModelError
from restore_rt.export import export_onnx, exporter
from restore_rt.export.sources import load_source
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import read_manifest, weights_sha256, write_manifest
from restore_rt.training.loop.starting import load_start
from tests.export.published import saved, srvgg_state

Change = Callable[[onnx.ModelProto], None]


def quiet(line: str) -> None:
    pass


def altered(path: Path, change: Change, *, sealed: bool = False) -> Path:
    """Write a changed copy of a shipped model; if `sealed`, with the checksums that fit it."""
    model = onnx.load(zoo.path_of("video-x2"))
    change(model)
    if sealed:
        manifest = read_manifest(model)
        assert manifest is not None
        assert manifest.sha256 == weights_sha256(model)
        write_manifest(model, manifest)
    onnx.save(model, path)
    return path


def with_other_weights(model: onnx.ModelProto) -> None:
    (bias,) = (tensor for tensor in model.graph.initializer if tensor.name == "layers.3.bias")
    bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) * 2, bias.name))


def with_other_operator(model: onnx.ModelProto) -> None:
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Abs"


@pytest.mark.parametrize("change", [with_other_weights, with_other_operator])
@pytest.mark.parametrize("read", [load_source, load_start])
def test_a_file_that_was_changed_is_no_source(
    tmp_path: Path, change: Change, read: Callable[[Path], Any]
) -> None:
    path = altered(tmp_path / "a.onnx", change)
    with pytest.raises(ModelError, match=r"in .*a\.onnx are not those that its manifest names"):
        read(path)


def test_a_file_that_another_version_computes_otherwise_is_no_source(tmp_path: Path) -> None:
    path = altered(tmp_path / "a.onnx", with_other_operator, sealed=True)
    with pytest.raises(ModelError, match=r"a\.onnx was made by another version of restore_rt"):
        load_source(path)


def test_a_file_of_bytes_is_no_source(tmp_path: Path) -> None:
    path = tmp_path / "bytes.onnx"
    manifest = export_onnx("video-x2", path, io="u8", say=quiet)
    assert manifest.value_range == (0, 255)
    with pytest.raises(ModelError, match=r"bytes\.onnx does not take float32 .* --io float32"):
        load_source(path)


def test_a_folder_does_not_hide_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("video-x2").mkdir()
    assert load_source("video-x2").name == "video-x2"
    assert load_start("video-x2").path == zoo.path_of("video-x2")


def test_what_is_exported_is_kept(tmp_path: Path) -> None:
    checkpoint = saved(srvgg_state(width=4, convs=1, scale=2), tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"a\.pth' is no name for a model; it must end in \.onnx"):
        export_onnx(checkpoint, checkpoint, overwrite=True, say=quiet)
    model = tmp_path / "a.onnx"
    export_onnx("video-x2", model, say=quiet)
    before = model.read_bytes()
    with pytest.raises(InputError, match=r"a\.onnx is what is exported; give another name"):
        export_onnx(model, model, overwrite=True, say=quiet)
    assert model.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opset": 26}, "opset is 26; allowed are 18 to 25"),
        ({"static": (10**8, 10**8)}, r"static is .* of 1\d{16} pixels; allowed are up to 33554432"),
        ({"static": (64, 64), "tile": (32, 32)}, r"tile is \(32, 32\), but static \(64, 64\) is"),
    ],
)
def test_sizes_and_sets_out_of_range_are_named(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        export_onnx("video-x2", tmp_path / "a.onnx", say=quiet, **options)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("opset", [18, pytest.param(25, marks=pytest.mark.long)])
def test_the_operator_set_is_the_one_asked_for(tmp_path: Path, opset: int) -> None:
    out = tmp_path / "a.onnx"
    export_onnx("video-x2", out, opset=opset, say=quiet)
    assert [item.version for item in onnx.load(out).opset_import] == [opset]


def test_one_picture_is_too_few_for_int8(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(pictures / "a.png")
    with pytest.raises(InputError, match=r"pictures holds one picture; .* give two or more"):
        export_onnx("video-x2", tmp_path / "a.onnx", precision="int8", images=pictures, say=quiet)


def test_a_repository_that_refuses_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, repository = tmp_path / "a.onnx", tmp_path / "models"
    line = ["export", "video-x2", "-o", str(out), "--triton", str(repository)]
    assert run(line) == 0
    assert capsys.readouterr().out == f"{out}\n{repository / 'video-x2'}\n"
    assert (repository / "video-x2" / "1" / "model.onnx").read_bytes() == out.read_bytes()
    out.unlink()

    monkeypatch.setattr(exporter, "convert", lambda *_, **__: pytest.fail("it was exported"))
    assert run(line) == 2
    assert "video-x2/1 exists; give another version" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert run([*line[:-1], str(tmp_path / "file")]) == 2
    assert "it is a file, not a folder" in capsys.readouterr().err
    named = saved(srvgg_state(width=4, convs=1, scale=2), tmp_path / "a b.pth")
    assert run(["export", str(named), *line[2:]]) == 2
    assert "'a b' cannot be the name of a model in Triton" in capsys.readouterr().err
    assert not out.exists()
    assert run(["export", "video-x2", "-o", str(out), "--triton-version", "2"]) == 2


def test_too_little_memory_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ...")

    monkeypatch.setattr(exporter, "convert", full)
    assert run(["export", "video-x2", "-o", str(tmp_path / "a.onnx")]) == 1
    assert "error: out of memory: give a smaller --static" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
