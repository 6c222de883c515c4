"""Networks that look at the whole frame run on whole frames, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

import restore_rt
from restore_rt.cli import run
from restore_rt.errors import BackendError, InputError
from restore_rt.tiled.session import OnnxRuntimeBackend
from tests.networks import MakeModel, blur, shift
from tests.tiled.test_foreign import Size, said, written

node = helper.make_node


def array(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def attention() -> list[onnx.NodeProto]:
    return [
        node("Reshape", ["x", "tokens"], ["t"]),
        node("Transpose", ["t"], ["q"], perm=[0, 2, 1]),
        node("MatMul", ["q", "t"], ["qk"]),
        node("Softmax", ["qk"], ["s"], axis=-1),
        node("MatMul", ["s", "q"], ["v"]),
        node("Transpose", ["v"], ["vt"], perm=[0, 2, 1]),
        node("Shape", ["x"], ["sides"]),
        node("Reshape", ["vt", "sides"], ["a"]),
        node("Add", ["x", "a"], ["sum"]),
        node("Mul", ["sum", "half"], ["y"]),
    ]


# Squeeze and excite: the gate of the second sees bright green or blue alone, not grey.
GATE = [
    node("GlobalAveragePool", ["x"], ["p"]),
    node("Conv", ["p", "squeeze"], ["f"]),
    node("Relu", ["f"], ["r"]),
    node("Conv", ["r", "excite"], ["e"]),
    node("Sigmoid", ["e"], ["g"]),
    node("Mul", ["x", "g"], ["y"]),
]
SQUEEZE = array(1, 1, 1).reshape(1, 3, 1, 1)
SHY = array(-2, 1, 1).reshape(1, 3, 1, 1)
EXCITE = array(3, 3, 3).reshape(3, 1, 1, 1)
HALF = array(0.5)

GLOBAL: dict[str, tuple[list[onnx.NodeProto], dict[str, Any]]] = {
    "instance norm": (
        [node("InstanceNormalization", ["x", "s", "b"], ["y"])],
        {"s": array(0.2, 0.2, 0.2), "b": array(0.5, 0.5, 0.5)},
    ),
    "squeeze excite": (GATE, {"squeeze": SQUEEZE, "excite": EXCITE}),
    "gate for a colour": (GATE, {"squeeze": SHY, "excite": EXCITE}),
    "average pool": (
        [node("GlobalAveragePool", ["x"], ["p"]), node("Mul", ["x", "p"], ["y"])],
        {},
    ),
    "largest": ([node("GlobalMaxPool", ["x"], ["p"]), node("Mul", ["x", "p"], ["y"])], {}),
    "rows": (
        [node("ReduceMean", ["x"], ["p"], axes=[3]), node("Mul", ["x", "p"], ["y"])],
        {},
    ),
    "columns": (
        [node("ReduceMean", ["x"], ["p"], axes=[2]), node("Mul", ["x", "p"], ["y"])],
        {},
    ),
    "attention": (attention(), {"tokens": np.array([0, 3, -1]), "half": HALF}),
}


def model(folder: Path, kind: str, size: Size = ("n", 3, "h", "w")) -> Path:
    nodes, weights = GLOBAL[kind]
    return written(folder / "global.onnx", nodes, weights, size=size)


def picture(height: int, width: int) -> NDArray[np.float32]:
    """Return a frame whose parts differ in colour and contrast."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    levels = [x / width, y / height, (x // 9 + y // 7) % 2 * y / height]
    return np.stack(levels, 2).astype(np.float32)


def alone(path: Path, frame: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what ONNX Runtime makes of a whole frame."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    made = session.run(None, {"x": frame.transpose(2, 0, 1)[None]})[0]
    frame_made: NDArray[np.float32] = made[0].transpose(1, 2, 0)
    return frame_made


@pytest.mark.parametrize("kind", GLOBAL)
def test_a_network_that_looks_at_the_whole_frame_is_not_tiled(tmp_path: Path, kind: str) -> None:
    path = model(tmp_path, kind)
    # Attention takes the square of a frame's pixels.
    frame = picture(20, 270) if kind == "attention" else picture(280, 300)
    with restore_rt.load(path, threads=1) as restorer:
        np.testing.assert_allclose(restorer(frame), alone(path, frame), atol=1e-5)
        assert restorer.tile is None
        assert "global looks at the whole frame" in said(restorer)
        assert "tiles" not in restorer.description


@pytest.mark.parametrize("kind", GLOBAL)
def test_one_of_a_fixed_size_refuses_larger_frames(tmp_path: Path, kind: str) -> None:
    path = model(tmp_path, kind, (1, 3, 48, 64))
    frame = picture(48, 64)
    with restore_rt.load(path, threads=1) as restorer:
        np.testing.assert_allclose(restorer(frame), alone(path, frame), atol=1e-5)
        assert "up to 48 pixels high and 64 pixels wide" in said(restorer)
        with pytest.raises(InputError, match=r"is 65 pixels wide; .* takes up to 64: give smaller"):
            restorer(picture(48, 65))


def test_tiles_cannot_be_asked_for(tmp_path: Path) -> None:
    path = model(tmp_path, "average pool")
    for option in ("tile", "overlap", "feather"):
        wanted: Any = {option: 64}
        with pytest.raises(InputError, match=f"{option} is 64, but global looks at the whole"):
            restore_rt.load(path, threads=1, **wanted)


def test_a_frame_that_memory_cannot_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: OnnxRuntimeBackend, *_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(OnnxRuntimeBackend, "run", full)
    with (
        restore_rt.load(model(tmp_path, "average pool"), threads=1) as restorer,
        pytest.raises(
            BackendError, match="out of memory with whole frames, which this model needs"
        ),
    ):
        restorer(picture(50, 60))


def sideways(radius: int) -> list[NDArray[Any]]:
    """Move the luma to the right."""
    kernel = np.zeros((1, 1, 3, 3))
    kernel[0, 0, 1, 0] = 1
    return [kernel] * radius


@pytest.mark.usefixtures("tiles")
@pytest.mark.parametrize(
    ("kernels", "halo"), [(shift(3), 32), (blur(40), 32), (shift(32), 32), (sideways(50), 50)]
)
def test_a_local_network_is_tiled_with_the_halo_that_it_needs(
    make_model: MakeModel, kernels: Any, halo: int
) -> None:
    path = make_model(kernels, manifest=False)
    frame = np.ascontiguousarray(picture(300, 420)[..., 2])
    with restore_rt.load(path, threads=1) as restorer:
        assert restorer.tile == (256, 256)
        assert restorer.manifest.halo == halo
        made = restorer(frame)
    whole = alone(path, frame[..., None])[..., 0]
    np.testing.assert_allclose(made, whole, atol=0.5 / 255)


def test_the_command_says_why_it_takes_whole_frames(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    Image.fromarray((255 * picture(50, 65)).astype(np.uint8)).save(tmp_path / "in.png")
    line = ["image", str(tmp_path / "in.png"), "-o", str(tmp_path / "out.png"), "--threads", "1"]
    assert run([*line, "--model", str(model(tmp_path, "squeeze excite"))]) == 0
    assert "restore-rt: global looks at the whole frame" in capsys.readouterr().err
    fixed = model(tmp_path, "squeeze excite", (1, 3, 48, 64))
    assert run([*line, "--overwrite", "--model", str(fixed)]) != 0
    error = capsys.readouterr().err
    assert "the frame is 50 pixels high" in error
    assert "Traceback" not in error
