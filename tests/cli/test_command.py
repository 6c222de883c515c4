"""The command in a process of its own: exit codes, what is said, what is left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore_rt import __version__, models
from restore_rt.video.codecs import CODECS
from tests.cli.command import START, names_in, only_line, restore_rt
from tests.cli.conftest import Cli


def picture(path: Path, size: tuple[int, int] = (32, 24)) -> Path:
    rng = np.random.default_rng(3)
    Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path)
    return path


def test_help_is_quick_to_start() -> None:
    heavy = ["onnx", "onnxruntime", "PIL", "imagecodecs", "av", "torch"]
    check = (
        "import atexit, sys\n"
        f"loaded = lambda: [name for name in {heavy!r} if name in sys.modules]\n"
        "atexit.register(lambda: print('LOADED', loaded()))"
    )
    for arguments in (["--help"], ["image", "--help"], ["--version"]):
        done = restore_rt(*arguments, before=check)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == "LOADED []"


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_help_names_verbs_and_exit_codes(arguments: list[str], cli: Cli) -> None:
    text = " ".join(cli(*arguments).out.split())
    for wanted in ("image", "video", "models", "doctor", "codes: 0 done; 1 failed", "143 term"):
        assert wanted in text


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"restore-rt {__version__}\n"


def test_exit_codes_reach_the_shell(tmp_path: Path) -> None:
    picture(tmp_path / "in.png")
    (tmp_path / "text.png").write_text("just text")
    for arguments, code, message in (
        (["in.png", "-o", "out.png", "--scale", "7"], 2, "--scale is 7"),
        (["in.png", "-o", "out.png", "--frobnicate"], 2, "No such option: --frobnicate"),
        (["text.png", "-o", "out.png"], 1, "text.png is not a picture"),
    ):
        done = restore_rt("image", *arguments, folder=tmp_path)
        assert done.returncode == code
        assert only_line(done.stderr).startswith(f"restore-rt: error: {message}")
        assert names_in(tmp_path) == ["in.png", "text.png"]


IN_PNG = ["image", "in.png", "-o"]


@pytest.mark.parametrize(
    ("code", "arguments", "message"),
    [
        (2, ["--frobnicate"], "--frobnicate"),
        (2, ["enhance"], "enhance"),
        (2, ["image", "in.png"], "--output"),
        (2, [*IN_PNG, "out.png", "--scale", "seven"], "--scale"),
        (2, [*IN_PNG, "out.png", "--scale", "7"], "--scale is 7.*allowed are"),
        (2, [*IN_PNG, "out.png", "--content", "song"], "song.*photo.*comic"),
        (2, [*IN_PNG, "out.png", "--tile", "1x2x3"], "--tile is '1x2x3'; give"),
        (2, [*IN_PNG, "out.png", "--backend", "x"], "for '--backend': 'x' is not one of 'auto',"),
        (2, [*IN_PNG, "out.png", "--tile", "0"], "tile is 0"),
        (2, [*IN_PNG, "out.png", "--threads", "0"], "threads is 0; .* from 1"),
        (2, [*IN_PNG, "out.gif"], r"suffix '\.gif'"),
        (2, [*IN_PNG, "in.png", "--overwrite"], "is an input"),
        (2, [*IN_PNG, "old.png"], "old.png exists.*--overwrite"),
        (1, ["image", "text.png", "-o", "out.png"], "text.png is not a picture"),
        (1, ["image", "no.png", "-o", "out.png"], "cannot read no.png: there is no such file"),
        (1, ["image", "cut.png", "-o", "out.png"], "cut.png .*damaged"),
        (1, [*IN_PNG, "no/out.png"], "folder does not exist"),
        (1, [*IN_PNG, "text.png/out.png"], "text.png/out.png: a part of its path is a file"),
        (1, [*IN_PNG, "out.png", "--model", "song-x9"], "'song-x9' is neither"),
        (1, [*IN_PNG, "out.png", "--model", "no.onnx"], "no model file 'no.onnx'"),
        (
            1,
            [*IN_PNG, "out.png", "--device", "cuda", "--backend", "onnxruntime"],
            "backend 'onnxruntime' cannot run on cuda:0 of this",
        ),
    ],
)
def test_errors_are_one_line_and_write_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    arguments: list[str],
    message: str,
    cli: Cli,
) -> None:
    monkeypatch.chdir(tmp_path)
    # On any machine: its driver is not asked.
    monkeypatch.setattr("restore_rt.gpu_opening.missing_pieces", lambda device=0: ["no driver"])
    whole = picture(tmp_path / "in.png").read_bytes()
    (tmp_path / "text.png").write_text("just text")
    (tmp_path / "cut.png").write_bytes(whole[:40])
    (tmp_path / "old.png").write_bytes(b"old")
    before = names_in(tmp_path)
    said = cli(*arguments, code=code)
    line = only_line(said.err)
    assert line.startswith("restore-rt: error: ")
    assert re.search(message, line), line
    assert said.out == ""
    assert names_in(tmp_path) == before
    assert (tmp_path / "old.png").read_bytes() == b"old"


def test_one_picture(tmp_path: Path) -> None:
    picture(tmp_path / "in.png")
    done = restore_rt("image", "in.png", "-o", "out.png", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert only_line(done.stdout).startswith("out.png: 64x48, ")
    with Image.open(tmp_path / "out.png") as image:
        assert (image.size, image.mode) == ((64, 48), "RGB")


def test_disk_full(tmp_path: Path, nearest_model: Path) -> None:
    for name in ("a.png", "b.png"):
        picture(tmp_path / name)
    picture(tmp_path / "big.png", (256, 256))
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))"
    line = ["image", "big.png", "-o", "out.png", "--model", str(nearest_model)]
    done = restore_rt(*line, before=limit, folder=tmp_path)
    assert done.returncode == 1
    assert "error: cannot write out.png: it grew beyond the largest file" in only_line(done.stderr)
    assert not (tmp_path / "out.png").exists()
    done = restore_rt(
        "image", "*.png", "-o", "out", "--model", nearest_model, before=limit, folder=tmp_path
    )
    assert done.returncode == 3
    assert "cannot write out/big.png" in only_line(done.stderr)
    assert names_in(tmp_path / "out") == ["a.png", "b.png"]
    assert "2 of 3 pictures restored" in done.stdout


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_interrupted(tmp_path: Path, number: signal.Signals, code: int) -> None:
    picture(tmp_path / "0.png", (64, 48))
    for index in range(1, 2000):
        (tmp_path / f"{index}.png").hardlink_to(tmp_path / "0.png")
    line = [sys.executable, "-c", START, "image", str(tmp_path / "*.png"), "-o", "out"]
    # Whoever runs the tests may ignore the signal, which a child would inherit.
    line[2] = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {START}"
    with subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "out").is_dir() or not names_in(tmp_path / "out"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        said = process.communicate(timeout=30)[1]
    assert process.returncode == code
    assert "Traceback" not in said
    for path in (tmp_path / "out").iterdir():
        assert not path.name.startswith(".")
        with Image.open(path) as image:
            image.load()


def test_a_hangup_that_nohup_ignores_stays_ignored() -> None:
    before = (
        "import atexit, signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "atexit.register(lambda: print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN))"
    )
    done = restore_rt("models", before=before)
    assert done.stdout.splitlines()[-1] == "True"


def test_unexpected_errors_ask_for_a_report(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    def plan(*arguments: object, **options: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr("restore_rt.cli.paths.plan", plan)
    line = only_line(cli("image", "a.png", "-o", "b.png", code=1).err)
    assert "unexpected KeyError: 'oops'; please report it" in line
    assert "RESTORE_RT_TRACEBACK=1" in line
    monkeypatch.setenv("RESTORE_RT_TRACEBACK", "1")
    assert "Traceback (most recent call last)" in cli("image", "a.png", "-o", "b.png", code=1).err


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    picture(tmp_path / name)
    done = restore_rt("image", name, "-o", "out/", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert names_in(tmp_path / "out") == [name]


def test_models(cli: Cli) -> None:
    listed = json.loads(cli("models", "--json").out)["models"]
    assert [entry["name"] for entry in listed] == [manifest.name for manifest in models()]
    table = cli("models").out
    for entry in listed:
        assert entry["parameters"] > 1000
        assert Path(entry["file"]).is_file()
        assert entry["name"] in table
        if entry["task"] == "inpaint":
            assert "by the damage" in table
        else:
            assert entry["speed"]["machine"] in " ".join(table.split())
            assert f"{entry['speed']['ms']:.1f}" in table
        assert entry["purpose"].split()[0] in table
    assert "PSNR" not in table


def test_doctor(cli: Cli) -> None:
    report = json.loads(cli("doctor", "--json").out)
    assert report["ok"] is True
    assert report["backends"]["cpu"].startswith("yes")
    assert report["backends"]["onnxruntime on cuda"].startswith("no")
    assert set(report["encoders"]) == set(CODECS)
    for name, codec in CODECS.items():
        assert report["encoders"][name] == f"yes, {codec.encoder}"
    assert all(test["first_frame_ms"] > 0 for test in report["self_test"])
    for arguments in (["doctor"], ["doctor", "-v"]):
        assert "ready" in cli(*arguments).out


def test_doctor_fits_on_one_screen(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.setattr("restore_rt.cli.console._WIDTH_WITHOUT_TERMINAL", 80)
    shown = cli("doctor").out
    assert len(shown.splitlines()) <= 24
    for wanted in ("native runs", "video-x2", "GPU", "no: ", "versions"):
        assert wanted in shown


def test_doctor_knows_the_encoders_that_are_used(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    monkeypatch.setitem(CODECS, "av1", replace(CODECS["av1"], encoder="libsong"))
    encoders = json.loads(cli("doctor", "--json").out)["encoders"]
    assert encoders["av1"] == "no: this build of av lacks libsong"
    assert encoders["ffv1"] == "yes, ffv1"


def test_doctor_without_onnxruntime() -> None:
    hide = "import sys; sys.modules['onnxruntime'] = None; sys.modules['av'] = None"
    short = restore_rt("doctor", before=hide)
    assert "cannot run" in short.stdout
    assert "restore-rt[cpu]" in " ".join(short.stdout.split())
    done = restore_rt("doctor", "-v", before=hide)
    assert done.returncode == 0
    assert "yes, native backend" in done.stdout
    assert "comic-x2 failed: MissingBackendError" in " ".join(done.stdout.split())
    assert "restore-rt[cpu]" in done.stdout
    assert "pip install 'restore-rt[video]'" in done.stdout
