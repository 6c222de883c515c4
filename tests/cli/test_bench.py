"""``restore-rt bench`` and ``bench compare`` as people type them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from restore_rt.bench import read_report
from restore_rt.bench.report import Quality
from restore_rt.cli import run
from tests.bench.made import MACHINE, measured, reported
from tests.cli.command import only_line

QUICK = ("--rounds", "1", "--most-rounds", "1", "--seconds", "0.02", "--sustain", "0")


def bench(model: Path, *more: str) -> list[str]:
    return ["bench", "--model", str(model), "--size", "24x32", *QUICK, *more]


def test_a_table_a_file_and_a_page(
    luma_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, page = tmp_path / "a.json", tmp_path / "a.html"
    assert run(bench(luma_model, "-o", str(report), "--html", str(page))) == 0
    said = capsys.readouterr().out
    (made,) = read_report(report).measurements
    assert f"{made.host_peak_mb:.0f}" in said
    assert "native backend" in said
    assert "against ONNX Runtime" in said
    assert "<svg" in page.read_text("utf-8")
    assert run(bench(luma_model, "-o", str(report))) == 2
    assert "exists" in only_line(capsys.readouterr().err)


def test_lists_may_be_repeated_or_have_commas(
    luma_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--threads", "1,2", "--backend", "native", "--backend", "onnxruntime", "--json")
    assert run(bench(luma_model, *more)) == 0
    data = json.loads(capsys.readouterr().out)
    cases = [(made["case"]["backend"], made["case"]["threads"]) for made in data["measurements"]]
    assert cases == [("native", 1), ("native", 2), ("onnxruntime", 1), ("onnxruntime", 2)]


def test_a_file_with_a_comma_in_its_name(
    luma_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "a,b.onnx"
    odd.write_bytes(luma_model.read_bytes())
    assert run(bench(odd, "--json")) == 0
    (made,) = json.loads(capsys.readouterr().out)["measurements"]
    assert made["case"]["model"] == str(odd)


def test_markdown_to_paste(luma_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(bench(luma_model, "--markdown")) == 0
    said = capsys.readouterr().out
    assert said.startswith("### ")
    assert "| --: |" in said


def test_a_sweep_from_a_file(
    luma_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = tmp_path / "sweep.toml"
    sweep.write_text(f"model = '{luma_model}'\nsize = ['24x32', '8x8']\n", "utf-8")
    assert run(["bench", "--sweep", str(sweep), *QUICK, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [made["case"]["height"] for made in data["measurements"]] == [24, 8]


def test_what_fails_is_told_beside_what_was_measured(
    luma_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(bench(luma_model, "--provider", "cpu,tensorrt")) == 1
    out, err = capsys.readouterr()
    assert "provider 'tensorrt' cannot run on this machine" in out
    assert "not measured: " in err
    assert run(bench(luma_model, "--provider", "tensorrt")) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "nothing was measured; " in only_line(err)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--size", "big"], 2, "size is 'big'"),
        (["--threads", "two"], 2, "--threads is 'two'"),
        (["--scope", "all"], 2, "scope is 'all'"),
        (["--scope", "device", "--backend", "native"], 2, "scope is 'device', which is for GPUs"),
        (["--graphs", "on,yes"], 2, "--graphs is 'yes'; allowed are on and off"),
        (["--graphs", "off", "--provider", "cpu"], 2, "graphs is False, which is for GPUs"),
        (["--rounds", "0"], 2, "greater than or equal to 1"),
        (["--rounds", "4", "--most-rounds", "3"], 2, "--most-rounds is 3, and --rounds 4"),
        (["--seconds", "inf"], 2, "less than or equal to 86400"),
        (["--markdown", "--json"], 2, "give one of them"),
        (["--sweep", "a.toml", "--size", "3x3"], 2, "--sweep and --size were given"),
        (["-o", "same", "--html", "./same"], 2, "-o and --html are both same"),
        (["--quality", "none.json"], 2, "cannot read none.json: No such file"),
        (["--clip", "none.mp4"], 1, "there is no file"),
        (["--model", "nope"], 1, "'nope' is neither"),
        (["--size", "9x9", "compare", "a", "b"], 2, "--size was given to `restore-rt bench`"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: Sequence[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in only_line(err)


@pytest.fixture
def evaluated(luma_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return what ``restore-rt eval --json`` writes of that model."""
    random, pictures = np.random.default_rng(0), tmp_path / "pictures"
    pictures.mkdir()
    for name in ("a", "b"):
        pixels = random.integers(0, 256, (48, 64, 3), np.uint8)
        Image.fromarray(pixels).save(pictures / f"{name}.png")
    path = tmp_path / "eval.json"
    asked = ["--data", str(pictures), "--degrade", "reduce", "--json", str(path)]
    assert run(["eval", str(luma_model), *asked]) == 0
    capsys.readouterr()
    return path


def test_quality_stands_beside_the_time(
    luma_model: Path, evaluated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, page = tmp_path / "a.json", tmp_path / "a.html"
    more = ("--quality", str(evaluated), "-o", str(report), "--html", str(page))
    assert run(bench(luma_model, *more)) == 0
    said = " ".join(capsys.readouterr().out.split())
    data = json.loads(evaluated.read_text("utf-8"))
    (name,) = data["totals"].keys() - {"bicubic", "lanczos", "original"}
    psnr, ssim = (data["totals"][name][key] for key in ("psnr_y", "ssim_y"))
    assert f"PSNR {psnr:.2f} dB, SSIM {ssim:.4f}, 2 pictures, reduce" in said
    (made,) = read_report(report).measurements
    assert made.quality == Quality(psnr, ssim, 2, "reduce")
    assert "Quality against time" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 2}, "is not what `restore-rt eval --json` writes (ValueError: schema 2)"),
        ({"totals": {"lanczos": {"psnr_y": "x", "ssim_y": 1}}}, "'x' is no figure"),
        ({"candidates": [{"name": "bicubic"}]}, "is of bicubic, and none of them is measured"),
        ({"candidates": None}, "is not what `restore-rt eval --json` writes"),
    ],
)
def test_quality_of_something_else_is_refused_before_anything_is_measured(
    change: dict[str, Any],
    said: str,
    luma_model: Path,
    evaluated: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = {**json.loads(evaluated.read_text("utf-8")), **change}
    evaluated.write_text(json.dumps(data), "utf-8")
    assert run(bench(luma_model, "--quality", str(evaluated))) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in only_line(err)


def test_quality_of_other_weights_is_refused(
    luma_model: Path, evaluated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = json.loads(evaluated.read_text("utf-8"))
    data["candidates"][-1]["sha256"] = "0" * 64
    evaluated.write_text(json.dumps(data), "utf-8")
    assert run(bench(luma_model, "--quality", str(evaluated))) == 2
    assert "is of other weights of" in only_line(capsys.readouterr().err)


def test_quality_is_that_of_the_same_weights_where_two_have_one_name(
    luma_model: Path, evaluated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = json.loads(evaluated.read_text("utf-8"))
    ours = data["candidates"][-1]
    data["candidates"].insert(0, {**ours, "name": "retrained", "sha256": "0" * 64})
    data["totals"]["retrained"] = {"psnr_y": 1.0, "ssim_y": 0.1}
    evaluated.write_text(json.dumps(data), "utf-8")
    assert run(bench(luma_model, "--quality", str(evaluated), "--json")) == 0
    (made,) = json.loads(capsys.readouterr().out)["measurements"]
    assert made["quality"]["psnr_y"] == data["totals"][ours["name"]]["psnr_y"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Return reports: one, the same again, a slower one, a noisy one, one of another machine."""
    reports = {
        "before": reported(measured([10.0, 10.1, 10.05])),
        "same": reported(measured([10.0, 10.08, 10.06])),
        "slower": reported(measured([11.5, 11.6, 11.55])),
        "noisy": reported(measured([9.0, 14.0, 11.0])),
        "once": reported(measured([10.0])),
        "other": reported(
            measured([10.0, 10.1, 10.05]), machine={**MACHINE, "processor": "Another"}
        ),
    }
    for name, report in reports.items():
        report.write(tmp_path / f"{name}.json")
    return {name: tmp_path / f"{name}.json" for name in reports}


@pytest.mark.parametrize(
    ("after", "code", "verdict"),
    [
        ("same", 0, "no difference"),
        ("slower", 4, "slower"),
        ("noisy", 5, "undecided"),
        ("once", 5, "undecided"),
    ],
)
def test_the_exit_code_is_the_verdict(
    files: dict[str, Path],
    after: str,
    code: int,
    verdict: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pair = [str(files["before"]), str(files[after])]
    assert run(["bench", "compare", *pair]) == code
    assert f"{verdict}; less than 3% counts as none" in capsys.readouterr().out
    assert run(["bench", "compare", *pair, "--json"]) == code
    data = json.loads(capsys.readouterr().out)
    assert data["verdict"] == verdict
    ratio = data["differences"][0]["ratio"]
    assert ratio["value"] > 0
    # One round says nothing of its interval.
    assert (ratio["low"] is None) == (after == "once")


def test_faster_is_no_failure(files: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "compare", str(files["slower"]), str(files["before"])]) == 0
    assert "faster" in capsys.readouterr().out


def test_another_machine_needs_a_word(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    pair = [str(files["before"]), str(files["other"])]
    assert run(["bench", "compare", *pair]) == 2
    assert "different machines (processor: " in only_line(capsys.readouterr().err)
    assert run(["bench", "compare", *pair, "--across-machines"]) == 0
    assert "Different machines" in capsys.readouterr().out
