from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from restore_rt.tensorrt.library import Library
from restore_rt.tensorrt.pair import read_engine
from restore_rt.tensorrt.profile import Profile
from tests.cli.command import names_in, only_line, restore_rt

NO_LIBRARY = "import sys\nsys.modules['tensorrt'] = sys.modules['tensorrt_rtx_bindings'] = None"
NO_GPU = (
    "from restore_rt.tensorrt.building import build as building\nbuilding.find_gpu = lambda: None\n"
)
INTERRUPT = NO_GPU + (
    "import os, signal, time\n"
    "from restore_rt.tensorrt.building.running import Steps\n"
    "real = Steps.step\n"
    "def step(self):\n"
    "    os.kill(os.getpid(), signal.{signal})\n"
    "    time.sleep(0.3)\n"
    "    return real(self)\n"
    "Steps.step = step"
)


def test_an_engine_is_built_and_described(
    rtx: Library, nearest_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.engine"
    done = restore_rt(
        "build", nearest_model, "-o", out, "--profile", "8x8:32x48:2x64x64", "--target", "sm89",
        "--library", "rtx", "--json",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    plan, sidecar = read_engine(out, rtx, onnx=nearest_model)
    said = json.loads(done.stdout)
    assert said["engine"] == str(out)
    assert said["sidecar"] == f"{out}.json"
    assert said["target"] == sidecar.target == "sm89"
    assert said["plan_bytes"] == len(plan)
    assert sidecar.profile == Profile.parse("8x8:32x48:2x64x64")


def test_a_shipped_model_is_built_with_its_own_profile(rtx: Library, tmp_path: Path) -> None:
    out = tmp_path / "v.engine"
    done = restore_rt("build", "video-x2", "-o", out, "--target", "sm120")
    assert (done.returncode, done.stderr) == (0, "")
    assert only_line(done.stdout).startswith(
        f"{out}: video-x2 in fp32 for sm120, profile 1x1x1:1x1104x1944:1x1104x1944, "
    )
    assert names_in(tmp_path) == ["v.engine", "v.engine.json"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "m.onnx"], "must end in .engine"),
        (["-o", "m.engine", "--profile", "8by8"], "'8by8' is no shape; give HxW or NxHxW"),
        (["-o", "m.engine", "--profile", "16x16:8x8:32x32"], "must not be less in opt than"),
        (["-o", "m.engine", "--profile", "8x8:16x16"], "with 2 shapes"),
        (["-o", "m.engine", "--library", "openvino"], "--library"),
        (["-o", "m.engine", "--workspace", "0"], "allowed are 1 to"),
        (["-o", "m.engine", "--workspace", "much"], "--workspace"),
        (["-o", "none/m.engine"], "folder does not exist"),
        ([], "--output"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str], said: str, nearest_model: Path, tmp_path: Path
) -> None:
    done = restore_rt("build", nearest_model, *arguments, folder=tmp_path)
    assert done.returncode == (1 if "none/" in str(arguments) else 2)
    assert said in only_line(done.stderr)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say which it is with --target: sm75, "),
        (["--target", "sm90"], "target is sm90; TensorRT-RTX"),
        (["--target", "ampere+"], "target is ampere+; TensorRT-RTX"),
        (["--target", "ada"], "target is 'ada'; give a compute capability like sm89"),
        (["--target", "sm89", "--timing-cache", "t"], "leave --timing-cache out"),
    ],
)
def test_what_tensorrt_rtx_cannot_do_is_one_line(
    arguments: list[str], said: str, rtx: Library, nearest_model: Path, tmp_path: Path
) -> None:
    line = ["build", str(nearest_model), "-o", "m.engine", "--library", "rtx", *arguments]
    done = restore_rt(*line, before=NO_GPU, folder=tmp_path)
    assert done.returncode == 2
    assert said in only_line(done.stderr)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("library", "said"),
    [
        ("auto", "pip install 'restore-rt[tensorrt]' or 'restore-rt[rtx]'"),
        ("rtx", "TensorRT-RTX is not installed: pip install 'restore-rt[rtx]'"),
        ("tensorrt", "TensorRT is not installed: pip install 'restore-rt[tensorrt]'"),
    ],
)
def test_a_missing_library_is_one_line(
    library: str, said: str, nearest_model: Path, tmp_path: Path
) -> None:
    line = ["build", str(nearest_model), "-o", str(tmp_path / "m.engine"), "--library", library]
    done = restore_rt(*line, before=NO_LIBRARY)
    assert done.returncode == 1
    assert said in only_line(done.stderr)
    assert names_in(tmp_path) == []


def test_no_model_and_a_damaged_one_are_one_line(nearest_model: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(nearest_model.read_bytes()[:300])
    for model, said in (("video-x9", "restore-rt models"), (damaged, "damaged.onnx")):
        done = restore_rt("build", model, "-o", tmp_path / "m.engine", "--target", "sm89")
        assert done.returncode == 1
        assert said in only_line(done.stderr)
    assert names_in(tmp_path) == ["damaged.onnx"]


def test_existing_engines_are_kept_unless_they_may_be_replaced(
    rtx: Library, nearest_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.engine"
    out.write_bytes(b"mine")
    line = ["build", str(nearest_model), "-o", str(out), "--target", "sm89", "--library", "rtx"]
    done = restore_rt(*line)
    assert done.returncode == 2
    assert "--overwrite" in only_line(done.stderr)
    assert out.read_bytes() == b"mine"
    assert restore_rt(*line, "--overwrite").returncode == 0
    assert read_engine(out, rtx)[1].target == "sm89"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
@pytest.mark.parametrize(("signal", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_a_build_and_leaves_nothing(
    signal: str, code: int, rtx: Library, nearest_model: Path, tmp_path: Path
) -> None:
    line = ["build", str(nearest_model), "-o", str(tmp_path / "m.engine")]
    before = INTERRUPT.format(signal=signal)
    done = restore_rt(*line, "--target", "sm89", "--library", "rtx", before=before)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert names_in(tmp_path) == []
