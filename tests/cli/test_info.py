"""``restore-rt info``, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from restore_rt.inspection import inspect_model
from restore_rt.model.manifest import Manifest, read_manifest, write_manifest
from tests.cli.command import only_line, restore_rt
from tests.cli.conftest import Cli
from tests.networks import nearest, save_model


def test_the_table_says_what_people_ask(cli: Cli) -> None:
    said = cli("info", "video-x2", "--size", "960x540")
    assert said.err == ""
    text = " ".join(said.out.split())
    for wanted in (
        "name video-x2",
        "checksums right",
        "input x: float32 (n, 1, h, w)",
        "parameters 23,940 (23,940 float32) operators 12 Conv, 11 Relu, 1 Add, 1 DepthToSpace",
        "Cost of an input of 960x540",
        "output 1920x1080",
        "multiply-adds 5,940 for each pixel of the output",
        "memory, activations 66.4 MB",
        "native on cpu yes: video-x2 on native backend",
        "onnxruntime on cuda no: backend 'onnxruntime'",
    ):
        assert wanted in text


def test_json_holds_all_that_is_found(cli: Cli) -> None:
    data = json.loads(cli("info", "video-x2", "--json").out)
    found = inspect_model("video-x2")
    assert data["parameters"] == 23_940
    assert data["path"] == str(found.path)
    assert data["manifest"]["sha256"] == found.manifest.sha256  # type: ignore[union-attr]
    assert data["inputs"] == [{"name": "x", "type": "float32", "shape": ["n", 1, "h", "w"]}]
    assert data["cost"]["size"] == [1104, 1944]
    assert data["cost"]["memory"]["total"] == found.cost.memory.total
    assert data["runs_on"]["native on cpu"]["runs"] is True


def test_what_is_unknown_is_called_so(tmp_path: Path, cli: Cli) -> None:
    path = save_model(tmp_path / "plain.onnx", nearest(3, 2), scale=2, manifest=False)
    model = onnx.load(path)
    model.graph.node[0].op_type, model.graph.node[0].domain = "Secret", "elsewhere"
    model.opset_import.append(onnx.helper.make_opsetid("elsewhere", 1))
    onnx.save(model, path)
    text = " ".join(cli("info", path).out.split())
    assert "Manifest none Network" in text
    assert "multiply-adds unknown" in text
    assert "memory, total unknown" in text
    assert "elsewhere.Secret" in text
    assert "cpu no: " in text


def test_a_file_cannot_steer_the_terminal(tmp_path: Path, cli: Cli) -> None:
    path = save_model(tmp_path / "evil.onnx", nearest(3, 2), scale=2, licence="\x1b]0;x\x07[red]")
    text = cli("info", path).out
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "?]0;x?[red]" in text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["song-x9"], 1, "'song-x9' is neither a shipped model"),
        (["no.onnx"], 1, "there is no model file 'no.onnx'"),
        (["text.onnx"], 1, "text.onnx cannot be read as an ONNX model"),
        (["text.txt"], 1, "text.txt is not an .onnx file"),
        (["video-x2", "--size", "540"], 2, "--size is '540'; give width and height"),
        (["video-x2", "--size", "0x9"], 2, "size is 0x9; allowed are"),
        (["comic-x1", "--size", "9x8"], 2, "size is 9x8; allowed are multiples of 4"),
    ],
)
def test_wrong_use(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
    cli: Cli,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("text.onnx", "text.txt"):
        (tmp_path / name).write_text("just text")
    said = cli("info", *arguments, code=code)
    assert said.out == ""
    assert only_line(said.err).startswith(f"restore-rt: error: {message}")


def test_onnxruntime_need_not_be_there() -> None:
    for model, place, runs in (
        ("video-x2", "native on cpu", True),
        ("comic-x2", "onnxruntime on cpu", False),
    ):
        done = restore_rt(
            "info", model, "--json", before="import sys; sys.modules['onnxruntime'] = None"
        )
        assert done.returncode == 0, done.stderr
        verdict = json.loads(done.stdout)["runs_on"][place]
        assert verdict["runs"] is runs
        assert runs or "pip install 'restore-rt[cpu]'" in verdict["reason"]


def test_torch_is_not_loaded() -> None:
    check = "import atexit, sys\natexit.register(lambda: print('TORCH', 'torch' in sys.modules))"
    done = restore_rt("info", "video-x2", before=check)
    assert done.stdout.splitlines()[-1] == "TORCH False"


def test_a_manifest_that_contradicts_the_network_is_told(tmp_path: Path, cli: Cli) -> None:
    path = save_model(tmp_path / "wrong.onnx", nearest(3, 2), scale=2)
    model = onnx.load(path)
    manifest = read_manifest(model)
    assert manifest is not None
    write_manifest(model, Manifest(**{**manifest.__dict__, "scale": 3}))
    onnx.save(model, path)
    verdict = json.loads(cli("info", path, "--json").out)["runs_on"]["native on cpu"]
    assert verdict["runs"] is False
    assert "by its manifest it would be 3 and 3" in verdict["reason"]
