"""``restore-rt bench`` and ``bench compare`` as people type them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.bench.made import MACHINE, measured, reported
from tests.cli.command import only_line
from tests.cli.conftest import Cli

QUICK = ("--rounds", "1", "--seconds", "0.02", "--sustain", "0")


def bench(model: Path, *more: str) -> list[str]:
    return ["bench", "--model", str(model), "--size", "32x24", *QUICK, *more]


def test_a_table_and_files(luma_model: Path, tmp_path: Path, cli: Cli) -> None:
    report, text, plot = (tmp_path / name for name in ("a.json", "a.md", "a.svg"))
    files = ("-o", str(report), "--markdown", str(text), "--plot", str(plot))
    said = cli(*bench(luma_model, *files)).out
    (made,) = json.loads(report.read_text("utf-8"))["measurements"]
    assert f"{made['host_peak_mb']:.3g}" in said
    assert made["description"] in said
    assert "against ONNX Runtime" in said
    assert text.read_text("utf-8").startswith("**")
    assert "| --: |" in text.read_text("utf-8")
    assert "<svg" in plot.read_text("utf-8")
    assert "exists" in only_line(cli(*bench(luma_model, "-o", str(report)), code=2).err)


def test_a_plot_without_matplotlib_is_refused_before_anything_is_measured(
    luma_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr("restore_rt.bench.running.run", lambda *_, **__: pytest.fail("measured"))
    said = cli(*bench(luma_model, "--plot", str(tmp_path / "a.png")), code=2)
    assert "pip install 'restore-rt[bench]'" in only_line(said.err)


def test_lists_may_be_repeated_or_have_commas(luma_model: Path, cli: Cli) -> None:
    more = ("--threads", "1,2", "--backend", "native", "--backend", "onnxruntime", "--json")
    data = json.loads(cli(*bench(luma_model, *more)).out)
    cases = [(made["case"]["backend"], made["case"]["threads"]) for made in data["measurements"]]
    assert cases == [("native", 1), ("native", 2), ("onnxruntime", 1), ("onnxruntime", 2)]


def test_a_file_with_a_comma_in_its_name(luma_model: Path, tmp_path: Path, cli: Cli) -> None:
    odd = tmp_path / "a,b.onnx"
    odd.write_bytes(luma_model.read_bytes())
    (made,) = json.loads(cli(*bench(odd, "--json")).out)["measurements"]
    assert made["case"]["model"] == str(odd)


def test_a_sweep_from_a_file(luma_model: Path, tmp_path: Path, cli: Cli) -> None:
    sweep = tmp_path / "sweep.toml"
    sweep.write_text(f"model = '{luma_model}'\nsize = ['32x24', '8x8']\n", "utf-8")
    data = json.loads(cli("bench", "--sweep", sweep, *QUICK, "--json").out)
    assert [made["case"]["height"] for made in data["measurements"]] == [24, 8]


def test_what_fails_is_told_beside_what_was_measured(luma_model: Path, cli: Cli) -> None:
    out, err = cli(*bench(luma_model, "--backend", "auto,tensorrt"), code=1)
    assert "backend tensorrt: " in " ".join(out.split())
    assert "not measured: " in err
    out, err = cli(*bench(luma_model, "--backend", "tensorrt"), code=1)
    assert out == ""
    assert "nothing was measured; " in only_line(err)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--size", "big"], 2, "size is 'big'"),
        (["--threads", "two"], 2, "threads is 'two'"),
        (["--scope", "all"], 2, "scope is 'all'"),
        (["--scope", "device", "--backend", "native"], 2, "scope is 'device', which needs a GPU"),
        (["--rounds", "0"], 2, "greater than or equal to 1"),
        (["--seconds", "inf"], 2, "less than or equal to 86400"),
        (["--sweep", "a.toml", "--size", "3x3"], 2, "--sweep and --size were given"),
        (["--plot", "a.txt"], 2, "must end in .png, .svg, .pdf"),
        (["--clip", "none.mp4"], 1, "there is no file"),
        (["--model", "nope"], 1, "'nope' is neither"),
        (["--size", "9x9", "compare", "a", "b"], 2, "--size was given to `restore-rt bench`"),
    ],
)
def test_wrong_use_is_one_line(arguments: Sequence[str], code: int, said: str, cli: Cli) -> None:
    out, err = cli("bench", *arguments, code=code)
    assert out == ""
    assert said in only_line(err)


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
    files: dict[str, Path], after: str, code: int, verdict: str, cli: Cli
) -> None:
    pair = [files["before"], files[after]]
    said = cli("bench", "compare", *pair, code=code)
    assert f"{verdict}; changes below 3% count as none" in said.out
    data = json.loads(cli("bench", "compare", *pair, "--json", code=code).out)
    assert data["verdict"] == verdict
    ratio = data["differences"][0]["ratio"]
    assert ratio["value"] > 0
    # One round says nothing of its interval.
    assert (ratio["low"] is None) == (after == "once")


def test_faster_is_no_failure(files: dict[str, Path], cli: Cli) -> None:
    assert "faster" in cli("bench", "compare", files["slower"], files["before"]).out


def test_another_machine_is_refused(files: dict[str, Path], cli: Cli) -> None:
    said = cli("bench", "compare", files["before"], files["other"], code=2)
    assert "different machines (processor: " in only_line(said.err)
