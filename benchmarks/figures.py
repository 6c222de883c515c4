"""Writes the figures of the README and the models' cards, from ``benchmarks/results``.

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

from card_figures import card_blocks
from figure_parts import ROOT, processor, results, table

from restore_rt.wording import count_of

ZOO = ROOT / "restore_rt" / "zoo"
README = ROOT / "README.md"
EXPORT = ROOT / "docs" / "export.md"

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
ENGINES = {
    "native": "native engine",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "ncnn": "ncnn",
    "torch": "PyTorch",
    "torch.compile": "PyTorch, compiled",
    "opencv dnn": "OpenCV dnn",
}
_LARGEST = 3840
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
    """Return what holds figures: the README, a guide and the cards."""
    return [README, EXPORT, *sorted(ZOO.glob("*.md"))]


def written(path: Path) -> str:
    """Return a document with its figures as they were measured."""
    blocks = card_blocks(path.stem) if path.parent == ZOO else BLOCKS

    def block(found: re.Match[str]) -> str:
        return f"{found[1]}{found[2]}{blocks[found[1]]()}"

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
    found = results("clip")
    larger = found["larger_clip"]
    rows = []
    for kind, added in (("frames_per_second", ""), ("without_encoder", ", without encoder")):
        for way, rates in found[kind].items():
            command = f"`restore-rt video {found['options'][way]}`".replace(" `", "`")
            cells = [f"{each[kind][way]['median']:.1f}" for each in (found, larger)]
            rows.append((f"{command}{added}", _ran(rates["model"]), *cells))
    runs = found["frames_per_second"]["default"]["runs"]
    stage = found["median_run"]["bottleneck"]
    times = found["times_as_fast_as_onnxruntime_without_encoder"]["default"]
    return (
        f"`restore-rt video` on {_machine(found)}, frames/s, decoding and x264 included, with its "
        f"preset `veryfast` where no other is named (medians of {runs} runs, in turn):\n\n"
        + table(("", "runs in", "640x360 to 1280x720", "960x540 to 1920x1080"), rows)
        + f"\n\nWhat takes the most time of the first is `{stage}`; without encoder it is "
        f"{times:.2f} times as fast as with ONNX Runtime."
    )


def engine_speed() -> str:
    """Return what engines take for the same network."""
    found = results("engines")
    cases = found["cases"]
    times: dict[tuple[str, str], list[str]] = {}
    for at, case in enumerate(cases):
        for one in case["engines"]:
            cells = times.setdefault((one["engine"], one["precision"]), [""] * len(cases))
            cells[at] = f"{one['milliseconds']['median']:.2f}"
    rows = [
        (_engine(engine), precision, *cells)
        for (engine, precision), cells in sorted(times.items(), key=_by_precision)
        # How else the same engine does is in the file.
        if "," not in engine
    ]
    head = [f"{case['size']}, {count_of(case['threads'], 'thread')}" for case in cases]
    runs = cases[0]["engines"][0]["milliseconds"]["runs"]
    libraries = found["machine"]["libraries"] | found["versions"]
    versions = ", ".join(
        f"{ENGINES[name]} {libraries[name].partition('+')[0]}"
        for name in ("onnxruntime", "openvino", "ncnn", "torch")
        if name in libraries
    )
    return (
        f"`video-x2` alone, 8-bit luma to 8-bit luma, on {_machine(found)}, all in one process in "
        f"turn, each from rest, medians of {runs} in ms ({versions}):\n\n"
        + table(("engine", "precision", *head), rows)
        + f"\n\nThe native engine is {_times('onnxruntime', 'fp32')} as fast as ONNX Runtime and "
        f"{_times('openvino', 'fp32')} as fast as OpenVINO in fp32; with AVX-512 masked off, as on "
        f"a CPU with AVX2 alone, {_span('avx2', 'native fp32 to onnxruntime')} as fast as ONNX "
        "Runtime. On CPUs where bf16 is faster, `video-x2` 1.1 was measured, of "
        f"{results('native_epyc')['model']['parameters']:,} parameters: on an AMD EPYC with "
        f"AVX512_BF16 {_span('native_epyc', 'native fp32 to onnxruntime')} as fast as ONNX Runtime "
        f"in fp32 and {_span('native_epyc', 'native bf16 to onnxruntime')} in bf16, on an Intel "
        f"Xeon with AMX {_span('native_amx', 'native fp32 to onnxruntime')} and "
        f"{_span('native_amx', 'native bf16 to onnxruntime')}; in bf16 "
        f"{_span('native_epyc', 'native bf16 to openvino bf16')} and "
        f"{_span('native_amx', 'native bf16 to openvino bf16')} as fast as OpenVINO in bf16."
    )


def frame_speed() -> str:
    """Return what a frame takes with every model, as ``restore-rt bench`` tells."""
    report = results("bench")
    rows = []
    for made in report["measurements"]:
        derived = made["derived"]
        low, high = derived["p50_interval_ms"]
        rows.append(
            (
                f"`{made['model']['name']}`",
                "native engine" if "native" in made["description"] else "ONNX Runtime",
                f"{derived['p50_ms']:.1f}",
                f"{low:.1f} to {high:.1f}",
                f"{derived['p99_ms']:.1f}",
                f"{made['host_peak_mb']:.0f}",
            )
        )
    head = ("model", "runs in", "p50, ms", "95 % interval", "p99, ms", "process, MB")
    return (
        "A frame of 640x360 with each model, by `restore-rt bench`; for the video models "
        "[quality beside it](docs/ladder.svg):\n\n" + table(head, rows)
    )


def other_speed() -> str:
    """Return memory, tiles and the import."""
    frame, startup, sizes = results("frame"), results("startup"), results("sizes")
    imported = startup["milliseconds"]
    times, ratios = frame["milliseconds"], frame["ratios"]
    largest = {
        made["case"]["backend"]: made["host_frames_mb"]
        for made in sizes["measurements"]
        if made["case"]["width"] == _LARGEST
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
    libraries = record["machine"]["libraries"]
    where = ", ".join(f"`{name}` on {_machine(found)}" for name, found in int8.items())
    pictures = next(iter(fp16.values()))["pictures"]
    return (
        table(head, rows)
        + f"\n\nfp16 is the worst of {pictures} pictures, as simulated. bf16 is what the native "
        "engine loses on Set5 or Set14, whichever is more, with all layers in bf16 that can be. "
        f"int8 was measured for {len(int8)} models with ONNX Runtime {libraries['onnxruntime']}, "
        f"{where}: medians of five rounds, and the slowest and the fastest."
    )


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


def _ran(description: str) -> str:
    if "native engine" not in description:
        return "ONNX Runtime"
    return "bf16" if "native engine, bf16" in description else "fp32"


def _machine(record: Figures) -> str:
    machine = record["machine"]
    extensions = machine.get("extensions", [])
    without = "" if "amx" in extensions else ", without AMX"
    return f"{machine['threads']} threads of {processor(machine['cpu'], machine['isa'])}{without}"


def _by_precision(row: tuple[tuple[str, str], list[str]]) -> int:
    return ("fp32", "bf16", "int8").index(row[0][1])


def _engine(name: str) -> str:
    first, comma, rest = name.partition(",")
    return f"{ENGINES.get(first, first)}{comma}{rest}"


def _times(engine: str, precision: str) -> str:
    """How many times as fast as another engine the native one is, over all cases."""
    ratios = [
        one["times_native"]
        for case in results("engines")["cases"]
        for one in case["engines"]
        if (one["engine"], one["precision"]) == (engine, precision)
    ]
    return f"{min(ratios):.2f} to {max(ratios):.2f} times"


def _span(name: str, pair: str) -> str:
    record = results(name)
    cases = record["masked"]["cases"] if name == "avx2" else record["cases"]
    ratios = [case["times_as_fast"][pair] for case in cases]
    return f"{min(ratios):.2f} to {max(ratios):.2f} times"


if __name__ == "__main__":
    sys.exit(main())
