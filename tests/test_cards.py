"""Every figure of quality in a model's card stands in a file of benchmarks/results."""

from __future__ import annotations

import importlib
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import onnx
import pytest

import restore_rt
from restore_rt.bench import Case, Measurement
from restore_rt.bench.report import Round
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import parameter_count
from tests.shipped import restoring

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
RESULTS = BENCHMARKS / "results"
CLIPS = "clips, H.264 CRF 28"
NAMES = sorted(manifest.name for manifest in restoring())
# What a model must reach before it may take its name, on luma in dB ...
FLOORS = {
    ("video-x2", "Set5"): 36.7,
    ("video-x2", "Set14"): 32.4,
    ("video-x2-fast", "Set5"): 36.4,
    ("video-x2-fast", "Set14"): 32.2,
    ("video-x2-tiny", "Set5"): 36.1,
    ("video-x2-tiny", "Set14"): 32.1,
    ("video-x2-quality", "Set5"): 37.0,
    ("video-x2-quality", "Set14"): 32.8,
    ("photo-x2", "Set5"): 37.5,
    ("photo-x2", "Set14"): 33.0,
    ("repair-x1", "classic5, JPEG 10"): 28.9,
    ("repair-x1", "classic5, JPEG 20"): 31.0,
}
# ... and what it must gain over bicubic, or over the damaged input.
GAINS = {
    ("video-x2", CLIPS): 0.4,
    ("video-x2-quality", CLIPS): 0.4,
    ("comic-x2", "comics, JPEG 70, 50, 60"): 2.5,
    ("comic-x1", "comics, JPEG 30 to 60 three times"): 1.2,
}
SIZES = {
    "video-x2-tiny": 2_300,
    "video-x2-fast": 11_000,
    "video-x2": 25_000,
    "video-x2-quality": 60_000,
    "video-x2-sharp": 25_000,
    "photo-x2": 700_000,
    "comic-x2": 1_500_000,
    "comic-x1": 1_500_000,
    "repair-x1": 700_000,
    "photo-x4": 2_000_000,
    "photo-x4-gan": 2_000_000,
}


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the benchmark that measures what the cards tell."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("models")


def test_every_shipped_model_is_measured(models: Any) -> None:
    assert {manifest.name for manifest in restoring()} == models.MODELS.keys()
    for name, labels in models.MODELS.items():
        cases = _record(name)["cases"]
        assert [*cases] == labels
        for label, case in cases.items():
            given = models.CASES[label]
            found = (case["folder"], case["degrade"], case["files"])
            assert found == (given.folder, given.degrade, given.files)


def test_a_wrong_name_is_told_before_anything_is_measured(
    models: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(models, "measure", lambda *_: pytest.fail("it was measured"))
    monkeypatch.setattr(sys, "argv", ["models.py", "--data", ".", "video-x2", "video-x9"])
    with pytest.raises(SystemExit):
        models.main()
    assert "'video-x9' is not shipped; there are " in capsys.readouterr().err


def _record(name: str) -> Any:
    return json.loads((RESULTS / f"model_{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_a_card_is_of_the_shipped_model(name: str) -> None:
    card = zoo.path_of(name).with_suffix(".md").read_text(encoding="utf-8")
    record = _record(name)
    manifests = {manifest.name: manifest for manifest in restore_rt.models()}
    assert record["model"]["sha256"] == manifests[name].sha256
    assert f"{record['model']['parameters']:,} parameters" in card
    assert f"| version | {manifests[name].version} |" in card


def test_speeds_are_of_the_shipped_networks(models: Any) -> None:
    """Their weights may be of an older version, which the card then names."""
    timed = importlib.import_module("tables").timed
    for manifest in restoring():
        made, _ = timed(manifest.name)
        assert made["model"]["parameters"] == _parameters(manifest.name)
        same = made["model"]["sha256"] == manifest.sha256
        assert same == (made["model"]["version"] == manifest.version)
        assert made["verified"]["pixels"] > 0
        assert len(made["rounds"]) >= 5
        # What follows from the rounds follows from them as it does today.
        rounds = tuple(Round(**each) for each in made["rounds"])
        found = Measurement(case=Case(), description="", model=made["model"], rounds=rounds)
        assert made["derived"]["p50_ms"] == pytest.approx(found.p50_ms.value)
        low, high = made["derived"]["p50_interval_ms"]
        assert high - low < 0.1 * made["derived"]["p50_ms"]


def test_the_ladder_goes_up(models: Any) -> None:
    part = importlib.import_module("tables").part
    measured = part("bench", "amd-epyc-avx512-bf16-vnni")["measurements"]
    times = {made["model"]["name"]: made["derived"]["p50_ms"] for made in measured}
    for lower, higher in pairwise(
        ("video-x2-tiny", "video-x2-fast", "video-x2", "video-x2-quality")
    ):
        assert times[lower] < times[higher]
        sizes = [_record(name)["model"]["parameters"] for name in (lower, higher)]
        assert sizes[0] < sizes[1]
        assert _psnr(lower, "Set14")[1] < _psnr(higher, "Set14")[1]
    # Of streamed video the one in the middle restores most, as the largest one's card says.
    assert _psnr("video-x2-fast", CLIPS)[1] < _psnr("video-x2", CLIPS)[1]
    assert _psnr("video-x2-quality", CLIPS)[1] < _psnr("video-x2", CLIPS)[1]


def _parameters(name: str) -> int:
    return parameter_count(onnx.load(zoo.path_of(name)))


def _psnr(name: str, label: str) -> tuple[float, float]:
    case = _record(name)["cases"][label]
    return case["totals"][case["baseline"]]["psnr_y"], case["totals"][name]["psnr_y"]


@pytest.mark.parametrize(("name", "label"), FLOORS)
def test_a_model_reaches_its_floor(name: str, label: str) -> None:
    assert _psnr(name, label)[1] >= FLOORS[name, label]


@pytest.mark.parametrize(("name", "label"), GAINS)
def test_a_model_gains_what_it_must(name: str, label: str) -> None:
    before, after = _psnr(name, label)
    assert after - before >= GAINS[name, label]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_is_no_larger_than_allowed(name: str) -> None:
    assert _record(name)["model"]["parameters"] <= SIZES[name]


def test_lettering_can_be_read_again() -> None:
    case = _record("comic-x2")["cases"]["comics, JPEG 70, 50, 60"]
    totals = case["totals"]
    assert totals["comic-x2"]["cer_page"] <= 0.75 * totals[case["baseline"]]["cer_page"]


def test_what_an_adversary_is_worth() -> None:
    pixels, adversary = _record("photo-x4")["cases"], _record("photo-x4-gan")["cases"]
    assert pixels.keys() == adversary.keys()
    for label, case in adversary.items():
        sharper = case["totals"]["photo-x4-gan"]["niqe"]
        assert sharper < pixels[label]["totals"]["photo-x4"]["niqe"]
