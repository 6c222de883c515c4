"""Every figure in the README stands in a file of benchmarks/results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

WHOLE = ("frames_per_second", "without_encoder")
WAYS = ("fp32", "bf16", "onnxruntime")
ROOT = Path(__file__).parent.parent
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


def results(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text("utf-8"))


def test_speed_of_a_frame() -> None:
    figures = results("frame")
    times = figures["milliseconds"]
    for step in ("split", "network", "merge", "chroma"):
        assert f"{step} {times[step]['median']:.2f} ms" in README
    assert f"{figures['ratios']['split_and_merge_over_network']:.1%}" in README
    assert f"{figures['ratios']['oracle_over_split_and_merge']:.0f} times" in README


def test_speed_of_the_command() -> None:
    figures = results("clip")
    for rates in figures["frames_per_second"].values():
        assert f"{rates['median']:.1f} frames/s" in README
    assert f"bottleneck is the {figures['median_run']['bottleneck']}" in README


def test_speed_of_the_engines() -> None:
    columns = ("native fp32", "native bf16", "onnxruntime", "openvino fp32", "openvino bf16")
    for case in results("native")["cases"]:
        times = [f"{case['milliseconds'][name]['median']:.2f}" for name in columns]
        assert f"| {case['size']} | {case['threads']} | {' | '.join(times)} |" in README


def span(cases: list[dict[str, Any]], pair: str) -> str:
    ratios = [case["times_as_fast"][pair] for case in cases]
    return f"{min(ratios):.2f} to {max(ratios):.2f} times"


def test_speed_on_other_processors() -> None:
    cases = results("native_xeon")["cases"]
    masked = results("avx2")["masked"]["cases"]
    fp32, bf16 = "native fp32 to onnxruntime", "native bf16 to onnxruntime"
    for found in (span(cases, fp32), span(cases, bf16), span(masked, fp32)):
        assert found in README
    clip = results("clip_xeon")
    for figures in (clip, clip["larger_clip"]):
        whole, bare = (figures[key]["native"]["median"] for key in WHOLE)
        assert f"{whole:.1f}" in README
        assert f"{bare:.1f}" in README
    ratio = clip["times_as_fast_as_onnxruntime_without_encoder"]["native"]
    assert f"{ratio:.2f} times as many" in README


def test_speed_of_the_ladder() -> None:
    for name, model in results("ladder")["models"].items():
        if name == "bicubic":
            continue
        times = [f"{model['milliseconds'][way]['median']:.2f}" for way in WAYS]
        assert f"| `{name}` | {' | '.join(times)} |" in README


def test_speed_of_the_import() -> None:
    times = results("startup")["milliseconds"]
    assert f"takes {times['restore_rt']['median']:.0f} ms" in README
    assert f"NumPy takes {times['numpy']['median']:.0f} ms" in README


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks" / "results").glob("model_*.json")))
def test_quality_of_every_model(path: Path) -> None:
    record = json.loads(path.read_text("utf-8"))
    name = record["model"]["name"]
    assert f"| [`{name}`](restore_rt/zoo/{name}.md) |" in README
    assert f"| {record['model']['parameters']:,} |" in README
    for label, case in record["cases"].items():
        base, ours = case["totals"][case["baseline"]], case["totals"][name]
        row = f"| `{name}` | {label} | {base['psnr_y']:.2f} | {ours['psnr_y']:.2f} |"
        if case["lettered"]:
            row += f" {base['cer_page']:.3f} | {ours['cer_page']:.3f} |"
        assert row in README


def test_sharpness() -> None:
    pixels, adversary = (
        results(f"model_{name}")["cases"]["Set14"]["totals"][name]["niqe"]
        for name in ("photo-x4", "photo-x4-gan")
    )
    assert f"from {pixels:.2f} for `photo-x4` to {adversary:.2f}" in README


def test_the_guide_says_how_fast_data_comes() -> None:
    guide = " ".join((ROOT / "docs" / "training.md").read_text(encoding="utf-8").split())
    recipes = results("loader")["recipes"]
    assert f"({max(r['waited'] for r in recipes.values()):.1%} of the time with each of" in guide
    video = recipes["video-x2"]
    assert f"with {video['steps_per_second_if_each_patch_were_new']:.1f} batches/s" in guide
    assert f"it takes {video['steps_per_second']:.1f}:" in guide


def test_the_guide_says_what_attention_is_worth() -> None:
    guide = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    runs = results("attention")["runs"]
    for name, of_seeds in runs.items():
        means = [sum(run[key] for run in of_seeds) / len(of_seeds) for key in of_seeds[0]]
        assert f"| `{name}` | {' | '.join(f'{mean:.2f}' for mean in means)} |" in guide
    ahead = [
        [none[key] - patch[key] for none, patch in zip(runs["none"], runs["patch"], strict=True)]
        for key in ("clean", "passed_on")
    ]
    assert [f"{max(figures):.2f}" for figures in ahead] == ["0.15", "0.01"]
