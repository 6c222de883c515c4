from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from restore_rt.errors import InputError
from restore_rt.export import ExportError, exporter
from restore_rt.export.conversion import open_session, run
from restore_rt.export.exporter import export_onnx
from restore_rt.export.interface import take_bytes
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import read_manifest

FRAME = np.random.default_rng(0).integers(0, 256, (2, 17, 30, 1), np.uint8)
PLANES = np.ascontiguousarray(FRAME.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(255)


def quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    """Return a shipped model of luma."""
    return onnx.load(zoo.path_of("video-x2"))


def test_bytes_are_what_the_planes_are_rounded(model: onnx.ModelProto) -> None:
    made = take_bytes(model)
    onnx.checker.check_model(made, full_check=True)
    session = open_session(made)
    (x,), (y,) = session.get_inputs(), session.get_outputs()
    assert (x.type, y.type) == ("tensor(uint8)", "tensor(uint8)")
    assert x.shape[3] == y.shape[3] == 1
    (pixels,) = session.run(["y"], {"x": FRAME})
    levels = np.clip(run(open_session(model), PLANES), 0, 1) * 255
    assert pixels.shape == (2, 34, 60, 1)
    assert np.array_equal(pixels, np.rint(levels).astype(np.uint8).transpose(0, 2, 3, 1))
    # TensorRT has bytes next to casts alone.
    assert made.graph.node[0].op_type == made.graph.node[-1].op_type == "Cast"


def test_values_out_of_range_are_limited(model: onnx.ModelProto) -> None:
    loud = onnx.ModelProto()
    loud.CopyFrom(model)
    last = next(node for node in reversed(loud.graph.node) if node.op_type == "Conv").input[2]
    bias = next(tensor for tensor in loud.graph.initializer if tensor.name == last)
    for value, level in ((2.0, 255), (-2.0, 0)):
        raised = np.full(bias.dims, value, np.float32)
        bias.CopyFrom(onnx.numpy_helper.from_array(raised, bias.name))
        (pixels,) = open_session(take_bytes(loud)).run(["y"], {"x": FRAME})
        assert (pixels == level).all()


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_file_of_bytes_of_one_size(tmp_path: Path, precision: str) -> None:
    out = tmp_path / "bytes.onnx"
    manifest = export_onnx(
        "video-x2", out, precision=precision, io="u8", static=(24, 40), say=quiet
    )
    assert manifest == read_manifest(onnx.load(out))
    assert (manifest.precision, manifest.tile) == (precision, (24, 40))
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape[1:] == [24, 40, 1]
    frame = np.resize(FRAME, (3, 24, 40, 1))
    (pixels,) = session.run(["y"], {"x": frame})
    assert pixels.shape == (3, 48, 80, 1)
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
        session.run(["y"], {"x": frame[:, :23]})


def test_a_file_of_float16_planes(tmp_path: Path, model: onnx.ModelProto) -> None:
    out = tmp_path / "half.onnx"
    export_onnx("video-x2", out, precision="fp16", io="float16", say=quiet)
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    (y,) = session.run(["y"], {"x": PLANES.astype(np.float16)})
    assert y.dtype == np.float16
    assert np.abs(y.astype(np.float32) - run(open_session(model), PLANES)).max() < 5e-3


def test_a_wrong_conversion_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def darker(model: onnx.ModelProto) -> onnx.ModelProto:
        made = take_bytes(model)
        peak = next(tensor for tensor in made.graph.initializer if tensor.name == "u8_peak")
        peak.CopyFrom(onnx.numpy_helper.from_array(np.array(250, np.float32), "u8_peak"))
        return made

    monkeypatch.setattr(exporter, "take_bytes", darker)
    with pytest.raises(ExportError, match=r"bytes differs from that of planes by \d"):
        export_onnx("video-x2", tmp_path / "x.onnx", io="u8", say=quiet)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "bf16"}, "precision is 'bf16'; allowed are fp32, fp16, int8"),
        ({"io": "u16"}, "io is 'u16'; allowed are float32, float16, u8"),
        ({"io": "float16"}, "it goes with fp16 alone"),
        ({"precision": "int8"}, "name a folder of images"),
        ({"tolerance": 50.0}, r"tolerance is 50\.0; it is the least PSNR of fp16 or int8"),
        ({"precision": "fp16", "tolerance": -1.0}, r"tolerance is -1\.0"),
        ({"static": (0, 8)}, r"is 8x0; both sides must be positive multiples of 1"),
    ],
)
def test_options_that_do_not_go_together_are_named(
    tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        export_onnx("video-x2", tmp_path / "x.onnx", say=quiet, **options)  # type: ignore[arg-type]
    assert not any(tmp_path.iterdir())
