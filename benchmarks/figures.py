"""Writes the figures of the README, the guides and the models' cards, from ``benchmarks/results``.

What stands between ``<!-- figures: NAME -->`` and ``<!-- end of figures -->`` is written here and
nowhere else: ``python benchmarks/figures.py`` after anything was measured.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import benchmark_figures
from card_figures import card_blocks
from figure_parts import MACHINE, ROOT, engine_name, machine_words, part, results, table

from restore_rt.wording import count_of

ZOO = ROOT / "restore_rt" / "zoo"
README = ROOT / "README.md"
EXPORT = ROOT / "docs" / "export.md"
PERFORMANCE = ROOT / "docs" / "performance.md"
BENCHMARKS = ROOT / "benchmarks" / "README.md"

# The models in the README's order, and what they are for.
MODELS = {
    "video-x2": "video, in real time on a CPU",
    "video-x2-fast": "the same, faster",
    "video-x2-quality": "the same, better on clean sources, and slower",
    "photo-x2": "photographs",
    "photo-x4": "photographs, four times",
    "photo-x4-gan": "the same, sharper and less true",
    "comic-x2": "comics that were compressed again and again",
    "comic-x1": "the same at their own size",
    "repair-x1": "photographs with JPEG's artefacts",
}
# Where former versions were measured, on processors of other kinds.
EPYC, AMX = "amd-epyc-avx512-bf16-vnni", "intel-xeon-avx512-amx-bf16-vnni"
_LARGEST = "3840x2160"
# The test that stands for a model in the README; the first of its own tests where it has neither.
HEADLINES = ("Set14", "Set14, JPEG 20")
_BLOCK = re.compile(
    r"(?<=<!-- figures: )(\w+)( -->\n\n).*?(?=\n\n<!-- end of figures -->)", re.DOTALL
)

Figures = dict[str, Any]


def main() -> int:
    """Write all figures, or with ``--check`` say which are old."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    old = [path for path in documents() if written(path) != path.read_text(encoding="utf-8")]
    for path in old:
        print(f"{path.relative_to(ROOT)}: {'old' if options.check else 'written'}")
        if not options.check:
            path.write_text(written(path), encoding="utf-8")
    return int(options.check and bool(old))


def documents() -> list[Path]:
    """Return the documents with figures: both READMEs, two guides and the cards."""
    return [README, BENCHMARKS, EXPORT, PERFORMANCE, *sorted(ZOO.glob("*.md"))]


def written(path: Path) -> str:
    """Return a document with its figures as they were measured."""
    blocks = README_BLOCKS if path == README else BLOCKS
    if path.parent == ZOO:
        blocks = card_blocks(path.stem)
    elif path == BENCHMARKS:
        blocks = benchmark_figures.BLOCKS

    def block(found: re.Match[str]) -> str:
        text = blocks[found[1]]()
        if path == PERFORMANCE:
            text = re.sub(r"\]\((?=restore_rt/|benchmarks/)", "](../", text)
        return f"{found[1]}{found[2]}{text}"

    return _BLOCK.sub(block, path.read_text(encoding="utf-8"))


def model_table() -> str:
    """Return what is shipped."""
    rows = []
    for name, use in MODELS.items():
        scale = re.search(r"-x(\d)", name)
        assert scale is not None
        parameters = results(f"model_{name}")["model"]["parameters"]
        link = f"[`{name}`](restore_rt/zoo/{name}.md)"
        rows.append((link, use, scale[1], f"{parameters:,}"))
    return table(("model", "for", "scale", "parameters"), rows)


def readme_speed() -> str:
    """Return the milliseconds of one network in three engines, and of a frame with each model."""
    engines = ("native", "onnxruntime", "openvino")
    rows = []
    for case in part("engines")["cases"]:
        if case["threads"] != 2:
            continue
        times = {
            one["engine"]: f"{one['milliseconds']['median']:.2f}"
            for one in case["engines"]
            if one["precision"] == "fp32"
        }
        width, height = (int(side) for side in case["size"].split("x"))
        size = f"{case['size']} to {2 * width}x{2 * height}"
        rows.append((size, *(times[engine] for engine in engines)))
    models = [
        (f"`{made['model']['name']}`", f"{made['derived']['p50_ms']:.1f}")
        for made in part("bench")["measurements"]
    ]
    return (
        table(("`video-x2`", "native backend", "ONNX Runtime", "OpenVINO"), rows)
        + "\n\n"
        + table(("model", "a frame of 640x360, ms"), models)
    )


def readme_quality() -> str:
    """Return PSNR before and after of each model on one test."""
    rows = []
    for name in MODELS:
        cases = results(f"model_{name}")["cases"]
        label = next((key for key in HEADLINES if key in cases), next(iter(cases)))
        case = cases[label]
        values = (case["totals"][each]["psnr_y"] for each in (case["baseline"], name))
        link = f"[`{name}`](restore_rt/zoo/{name}.md)"
        rows.append((link, label, *(f"{value:.2f}" for value in values)))
    return table(("model", "test pictures", "before", "after"), rows)


def quality_table() -> str:
    """Return PSNR and errors of reading, before and after, of all models."""
    rows = []
    for name in MODELS:
        for label, case in results(f"model_{name}")["cases"].items():
            base, ours = case["totals"][case["baseline"]], case["totals"][name]
            cer = ["", ""]
            if case["lettered"]:
                cer = [f"{each['cer_page']:.3f}" for each in (base, ours)]
            psnr = [f"{each['psnr_y']:.2f}" for each in (base, ours)]
            rows.append((f"`{name}`", label, *psnr, *cer))
    head = ("model", "pictures", "before", "after", "CER by page, before", "CER by page, after")
    return table(head, rows)


def sharpness() -> str:
    """Return what NIQE says of the model that has an adversary."""
    pixels, adversary = (
        results(f"model_{name}")["cases"]["Set14"]["totals"][name]["niqe"]
        for name in ("photo-x4", "photo-x4-gan")
    )
    return (
        "`photo-x4-gan` is worse in PSNR and sharper: NIQE, which is lower for what looks like an "
        f"undamaged photograph, falls on\nSet14 from {pixels:.2f} for `photo-x4` to "
        f"{adversary:.2f}, see [its card](restore_rt/zoo/photo-x4-gan.md)."
    )


def video_speed() -> str:
    """Return the frames per second of the whole command."""
    found = part("clip")
    larger = found["larger_clip"]
    rows = []
    for kind, added in (("frames_per_second", ""), ("without_encoder", ", without encoder")):
        for way, rates in found[kind].items():
            command = f"`restore-rt video {found['options'][way]}`".replace(" `", "`")
            cells = [f"{each[kind][way]['median']:.1f}" for each in (found, larger)]
            rows.append((f"{command}{added}", _ran(rates), *cells))
    runs = found["frames_per_second"]["default"]["runs"]
    stage = found["median_run"]["bottleneck"]
    times = found["times_as_fast_as_onnxruntime_without_encoder"]["default"]
    return (
        f"`restore-rt video` on {machine_words(found['machine'])}, frames/s, decoding and x264 "
        f"included, with its preset `veryfast` where no other is named (medians of "
        f"{count_of(runs, 'run')}, in turn):\n\n"
        + table(("", "runs in", "640x360 to 1280x720", "960x540 to 1920x1080"), rows)
        + f"\n\nWhat takes the most time of the first is `{stage}`; without encoder it is "
        f"{times:.2f} times as fast as with ONNX Runtime."
    )


def engine_speed() -> str:
    """Return what engines take for the same network."""
    found = part("engines")
    cases = found["cases"]
    times: dict[str, list[str]] = {}
    for at, case in enumerate(cases):
        for one in case["engines"]:
            # How else the same engine does is told elsewhere.
            if one["precision"] == "fp32" and "," not in one["engine"]:
                cells = times.setdefault(one["engine"], [""] * len(cases))
                cells[at] = f"{one['milliseconds']['median']:.2f}"
    rows = [(engine_name(engine), *cells) for engine, cells in times.items()]
    head = [f"{case['size']}, {count_of(case['threads'], 'thread')}" for case in cases]
    runs = cases[0]["engines"][0]["milliseconds"]["runs"]
    libraries = found["software"]
    versions = ", ".join(
        f"{engine_name(name)} {libraries[name].partition('+')[0]}"
        for name in ("onnxruntime", "openvino", "ncnn", "torch")
        if name in libraries
    )
    return (
        f"`video-x2` alone, 8-bit luma to 8-bit luma, on {machine_words(found['machine'])}, all in "
        f"one process in turn, each from rest, medians of {runs} in ms ({versions}); "
        "[tiles, bf16 and int8](benchmarks/README.md#one-network-many-engines) are there, too:\n\n"
        + table(("engine", *head), rows)
        + f"\n\nThe native engine is {_times('onnxruntime', 'fp32')} as fast as ONNX Runtime and "
        f"{_times('openvino', 'fp32')} as fast as OpenVINO in fp32, and in int8 "
        f"{_times('onnxruntime', 'int8')} and {_times('openvino', 'int8')}; with AVX-512 masked "
        "off, as on a CPU with AVX2 alone, "
        f"{_span('avx2', MACHINE, 'native fp32 to onnxruntime')} as fast as ONNX Runtime. On CPUs "
        "where bf16 is faster, `video-x2` 1.1 was measured, of "
        f"{part('native', EPYC)['model']['parameters']:,} parameters: on an AMD EPYC with "
        f"AVX512_BF16 {_span('native', EPYC, 'native fp32 to onnxruntime')} as fast as ONNX "
        f"Runtime in fp32 and {_span('native', EPYC, 'native bf16 to onnxruntime')} in bf16, on an "
        f"Intel Xeon with AMX {_span('native', AMX, 'native fp32 to onnxruntime')} and "
        f"{_span('native', AMX, 'native bf16 to onnxruntime')}; in bf16 "
        f"{_span('native', EPYC, 'native bf16 to openvino bf16')} and "
        f"{_span('native', AMX, 'native bf16 to openvino bf16')} as fast as OpenVINO in bf16."
    )


def frame_speed() -> str:
    """Return what a frame takes with every model, as ``restore-rt bench`` tells."""
    report = part("bench")
    rows = []
    for made in report["measurements"]:
        derived = made["derived"]
        low, high = derived["p50_interval_ms"]
        rows.append(
            (
                f"`{made['model']['name']}`",
                "native engine" if made["backend"] == "native" else "ONNX Runtime",
                f"{derived['p50_ms']:.1f}",
                f"{low:.1f} to {high:.1f}",
                f"{derived['p99_ms']:.1f}",
                f"{made['host_peak_mb']:.0f}",
            )
        )
    head = ("model", "runs in", "p50, ms", "95 % interval", "p99, ms", "process, MB")
    return (
        "A frame of 640x360 with each model, by `restore-rt bench`; for the video models "
        "[quality beside it](benchmarks/README.md#quality-against-time):\n\n" + table(head, rows)
    )


def other_speed() -> str:
    """Return memory, tiles and the import."""
    frame, startup, scaling = part("frame"), part("startup"), part("scaling")
    imported = startup["milliseconds"]
    times, ratios = frame["milliseconds"], frame["ratios"]
    largest = {
        each["backend"]: each["megabytes_beside_frames"]
        for each in scaling["series"]["size"]
        if each["frame"] == _LARGEST
    }
    steps = ", ".join(
        f"{step} {times[step]['median']:.2f} ms" for step in ("split", "network", "merge", "chroma")
    )
    return (
        "- A frame of 3840x2160, made 7680x4320, takes "
        f"{largest['native']:.0f} MB beside the two in the native engine, and "
        f"{largest['onnxruntime']:.0f} MB in tiles with ONNX Runtime.\n"
        f"- In tiles, for what the native engine cannot run: {steps}; the kernels take "
        f"{ratios['split_and_merge_over_network']:.1%} of the network's time, and are "
        f"{ratios['oracle_over_split_and_merge']:.0f} times as fast as their NumPy oracle.\n"
        f"- `import restore_rt` takes {imported['restore_rt']['median']:.0f} ms, of which NumPy "
        f"takes {imported['numpy']['median']:.0f} ms."
    )


def precisions() -> str:
    """Return what narrower precisions cost, and int8 gains."""
    record = results("precisions")
    fp16, bf16, int8 = (record[key] for key in ("fp16", "bf16", "int8"))
    rows = []
    for name in sorted(fp16):
        cells = [f"{fp16[name]['simulated']:.1f}", "-", "-", "-"]
        if name in bf16:
            cases = bf16[name]["psnr_y"].values()
            lost = [max(case.values()) - min(case.values()) for case in cases]
            cells[1] = f"{max(lost):.3f}"
        if name in int8:
            found = int8[name]
            ratios = (1 / found["time_ratio"][key] for key in ("median", "max", "min"))
            median, slowest, fastest = ratios
            cells[2] = f"{found['psnr_y_fp32'] - found['psnr_y']:.2f}"
            cells[3] = f"{median:.1f} ({slowest:.1f} to {fastest:.1f})"
        rows.append((f"`{name}`", *cells))
    head = (
        *("model", "fp16, dB against fp32", "bf16, dB of PSNR lost"),
        *("int8, dB of PSNR lost", "int8, times as fast"),
    )
    libraries = record["software"]
    where = ", ".join(
        f"`{name}` on {machine_words(found['machine'])}" for name, found in int8.items()
    )
    pictures = next(iter(fp16.values()))["pictures"]
    return (
        table(head, rows)
        + f"\n\nfp16 is the worst of {pictures} pictures, as simulated. bf16 is what the native "
        "engine loses on Set5 or Set14, whichever is more, with all layers in bf16 that can be. "
        f"int8 was measured for {len(int8)} models with ONNX Runtime {libraries['onnxruntime']}, "
        f"{where}: medians of five rounds, and the slowest and the fastest."
    )


README_BLOCKS: dict[str, Callable[[], str]] = {"speed": readme_speed, "quality": readme_quality}

BLOCKS: dict[str, Callable[[], str]] = {
    "models": model_table,
    "quality": quality_table,
    "sharpness": sharpness,
    "video_speed": video_speed,
    "engine_speed": engine_speed,
    "frame_speed": frame_speed,
    "other_speed": other_speed,
    "precisions": precisions,
}


def _ran(found: Figures) -> str:
    return str(found["precision"]) if found["backend"] == "native" else "ONNX Runtime"


def _times(engine: str, precision: str) -> str:
    """How many times as fast as another engine the native one is, over all cases."""
    ratios = [
        one["times_native"]
        for case in part("engines")["cases"]
        for one in case["engines"]
        if (one["engine"], one["precision"]) == (engine, precision)
    ]
    if not ratios:
        raise SystemExit(f"{engine} in {precision} was not measured: install it, run engines.py")
    return f"{min(ratios):.2f} to {max(ratios):.2f} times"


def _span(name: str, machine: str, pair: str) -> str:
    record = part(name, machine)
    cases = record["masked"]["cases"] if name == "avx2" else record["cases"]
    ratios = [case["times_as_fast"][pair] for case in cases]
    return f"{min(ratios):.2f} to {max(ratios):.2f} times"


if __name__ == "__main__":
    sys.exit(main())
