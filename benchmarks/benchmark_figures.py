"""The tables of ``benchmarks/README.md``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from figure_parts import MACHINE, RESULTS, engine_name, machine_words, part, results, table
from quality_figures import quality_cost

from restore_rt.wording import count_of

__all__ = ["BLOCKS"]

Figures = dict[str, Any]


def machine() -> str:
    """Return what all was measured on, and with which versions."""
    record = results(MACHINE)
    software: dict[str, str] = {}
    for each in record["parts"].values():
        software |= each["software"]
    versions = ", ".join(f"{name} {version}" for name, version in software.items())
    minutes = record["minutes_of_make_bench"]
    took = "" if minutes is None else f" `make bench` took {minutes:.1f} minutes."
    days = sorted({each["created"][:10] for each in record["parts"].values()})
    return (
        f"{machine_words(record['machine'])[0].upper()}{machine_words(record['machine'])[1:]}, "
        f"{record['machine']['processor']}, {record['machine']['system']}; "
        f"measured {' and '.join(days)}; {versions}. All of it stands in "
        f"[`results/{MACHINE}.json`](results/{MACHINE}.json).{took}"
    )


def agreement() -> str:
    """Return how well the benchmark agrees with itself."""
    found = part("agreement")
    same, slower = found["same"], found["a_tenth_more"]
    runs = sum(same["verdicts"].values())
    spread = max(found["control_spread"])
    wanted = (("no difference", same), ("slower", slower))
    told = [
        f'{each["verdicts"].get(verdict, 0)} "{verdict}" (ratios {_range(each["ratios"], 3)})'
        for verdict, each in wanted
    ]
    return (
        f"Of {runs} pairs of runs of the same thing, `compare` calls {told[0]}; of "
        f"{sum(slower['verdicts'].values())} pairs of which one has frames a tenth higher, "
        f"{told[1]}. Timing a frame costs {found['overhead_us']:.1f} us. The control loop's "
        f"slowest round took at most {spread:.2f} times as long as its fastest."
    )


def kernels() -> str:
    """Return split and merge beside what else can do them."""
    found = part("kernels")
    texts = []
    for case in found["cases"]:
        times = case["milliseconds"]
        moved = (case["bytes_read"] + case["bytes_written"]) / 1e6
        rows = [
            (
                who,
                f"{one['median']:.3f}",
                f"{one['p10']:.3f} to {one['p90']:.3f}",
                f"{one['gigabytes_per_second']:.2f}",
                f"{one['median'] / times['memcpy']['median']:.2f}",
            )
            for who, one in times.items()
        ]
        threads = count_of(case["threads"], "thread")
        texts.append(
            f"{case['operation'].capitalize()} of {case['frame']}, {threads}, {moved:.1f} MB:\n\n"
            + table(("", "median ms", "p10 to p90", "GB/s", "times memcpy's time"), rows)
        )
    return f"{found['what'].capitalize()}.\n\n" + "\n\n".join(texts)


def engines() -> str:
    """Return what engines take for the same network, and what each is to the native one."""
    found = part("engines")
    texts = []
    for case in found["cases"]:
        rows = [
            (
                engine_name(one["engine"]),
                one["precision"],
                f"{one['milliseconds']['median']:.2f}",
                f"{one['milliseconds']['p10']:.2f} to {one['milliseconds']['p90']:.2f}",
                # Where the native engine runs in no such precision there is nothing to compare.
                "" if one["times_native"] is None else f"{one['times_native']:.2f}",
            )
            for one in case["engines"]
        ]
        head = ("engine", "precision", "median ms", "p10 to p90", "times the native engine's")
        texts.append(
            f"{case['size']}, {count_of(case['threads'], 'thread')}:\n\n{table(head, rows)}"
        )
    absent = _absent(
        (f"{each['engine']} {each['precision']}", each["reason"]) for each in found["absent"]
    )
    return "\n\n".join(texts) + absent


def masked() -> str:
    """Return the engines as on a processor that has AVX2 and nothing wider."""
    rows = []
    for case in part("avx2")["masked"]["cases"]:
        times = case["milliseconds"]
        for name, one in times.items():
            ratio = one["median"] / times["native fp32"]["median"]
            engine, _, precision = name.partition(" ")
            # ONNX Runtime's name stands alone.
            kind = precision or "fp32"
            cells = (engine_name(engine), kind, f"{one['median']:.2f}", f"{ratio:.2f}")
            rows.append((case["size"], str(case["threads"]), *cells))
    return table(
        ("size", "threads", "engine", "precision", "median ms", "times the native engine's"), rows
    )


def systems() -> str:
    """Return whole commands beside what one would run instead."""
    found = part("systems")
    texts = []
    for kind, title in (("video", "A clip"), ("picture", "A picture")):
        rows = []
        for name, one in found[kind].items():
            seconds = one["seconds"]
            off, psnr = one.get("most_off"), one.get("psnr_to_restore_rt")
            rows.append(
                (
                    name,
                    f"{seconds['median']:.2f}",
                    f"{one['frames_per_second']:.1f}" if "frames_per_second" in one else "",
                    f"{one['peak_mb']:.0f}" if one["peak_mb"] is not None else "",
                    f"off by {off}"
                    if off is not None
                    else "the same"
                    if psnr is None
                    else f"{psnr:.1f} dB",
                )
            )
        head = ("", "seconds", "frames/s", "process, MB", "to restore-rt's")
        texts.append(f"{title}:\n\n{table(head, rows)}")
    runs = next(iter(found["video"].values()))["seconds"]["runs"]
    return (
        f"What is run: {found['what']}; {count_of(runs, 'run')} of each, in "
        "turn.\n\n" + "\n\n".join(texts) + _absent(found["absent"].items())
    )


def frames() -> str:
    """Return a frame of every model, as ``restore-rt bench`` tells."""
    rows = []
    for made in part("bench")["measurements"]:
        derived, verified = made["derived"], made["verified"]
        low, high = derived["p50_interval_ms"]
        rows.append(
            (
                f"`{made['model']['name']}`",
                engine_name(made["backend"]),
                f"{derived['p50_ms']:.1f}",
                f"{low:.1f} to {high:.1f}",
                *(f"{derived[f'p{at}_ms']:.1f}" for at in (95, 99)),
                f"{made['max_ms']:.1f}",
                f"{made['jitter_ms']:.2f}",
                f"{derived['frames_per_second']:.1f}",
                f"{made['host_peak_mb']:.0f}",
                f"{made['load_seconds']:.2f}",
                "not" if verified is None else f"to {verified['worst']}",
            )
        )
    head = (
        *("model", "runs in", "p50 ms", "95 % interval", "p95", "p99", "max", "jitter"),
        *("frames/s", "process, MB", "ready in s", "verified, of 255"),
    )
    return table(head, rows)


def scaling() -> str:
    """Return how time and memory grow, as measured and as predicted."""
    found = part("scaling")["series"]
    texts = []
    for name, rows in found.items():
        cells = []
        for row in rows:
            took, beside, memory = (
                row["milliseconds"]["median"],
                row["megabytes_beside_frames"],
                row["predicted_mb"],
            )
            tile = row["tile"]
            cells.append(
                (
                    engine_name(row["backend"]),
                    row["frame"],
                    "" if tile is None else f"{tile[1]}x{tile[0]}",
                    "" if row["threads"] is None else str(row["threads"]),
                    str(row["streams"]),
                    f"{took:.1f}",
                    f"{row['predicted_ms']:.1f}",
                    f"{took / row['predicted_ms']:.2f}",
                    f"{row['frames_per_second']:.1f}",
                    "" if beside is None else f"{beside:.0f}",
                    "" if memory is None else f"{memory:.0f}",
                )
            )
        head = (
            *("runs in", "frame", "tile", "threads", "callers", "ms", "predicted", "ratio"),
            *("frames/s", "MB beside frames", "predicted"),
        )
        grows = {"streams": "callers"}.get(name, name)
        texts.append(f"By {grows}:\n\n{table(head, cells)}")
    return "\n\n".join(texts)


def machines() -> str:
    """Return the native engine beside others on all machines that have figures of it."""
    rows = []
    for path in sorted(RESULTS.glob("*.json")):
        record = results(path.stem)
        cases = record.get("parts", {}).get("native")
        if cases is None:
            continue
        spans = []
        for pair in _PAIRS:
            ratios = [
                each["times_as_fast"][pair]
                for each in cases["cases"]
                if pair in each["times_as_fast"]
            ]
            spans.append(f"{_range(ratios, 2)}" if ratios else "")
        model = f"`{cases['model']['name']}` {cases['model']['version']}"
        words = machine_words(record["machine"])
        rows.append((f"[{words}](results/{path.name})", model, cases["created"][:10], *spans))
    return table(("machine", "model", "measured", *_PAIRS), rows)


_PAIRS = (
    "native fp32 to onnxruntime",
    "native fp32 to openvino fp32",
    "native bf16 to onnxruntime",
    "native bf16 to openvino bf16",
)


def _of(name: str, told: Callable[[], str]) -> Callable[[], str]:
    """Return what tells of a part, where there is one."""
    return lambda: told() if name in results(MACHINE)["parts"] else "Not yet measured."


BLOCKS: dict[str, Callable[[], str]] = {
    "machine": machine,
    "agreement": _of("agreement", agreement),
    "frames": _of("bench", frames),
    "quality_cost": _of("quality_cost", quality_cost),
    "kernels": _of("kernels", kernels),
    "engines": _of("engines", engines),
    "masked": _of("avx2", masked),
    "systems": _of("systems", systems),
    "scaling": _of("scaling", scaling),
    "machines": machines,
}


def _range(values: Iterable[float], decimals: int) -> str:
    known = list(values)
    return f"{min(known):.{decimals}f} to {max(known):.{decimals}f}"


def _absent(reasons: Iterable[tuple[str, str]]) -> str:
    lines = [f"- {who}: {why}" for who, why in reasons]
    return "\n\nNot measured:\n\n" + "\n".join(lines) if lines else ""
