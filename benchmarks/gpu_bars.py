"""What is demanded of a GPU, and whether the figures of a run meet it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["frame_bars", "kernel_bars", "plain_bars", "unmeasured"]

LEAST_KERNEL_SHARE = 0.7
MOST_OVER_COPIES = 1.5
LEAST_OF_NETWORK = 0.9
LEAST_OVER_PLAIN = 5.0

Figures = dict[str, Any]


def kernel_bars(kernels: Iterable[Figures]) -> list[Figures]:
    """Judge split and merge by the worst of their cases."""
    bars = []
    cases = list(kernels)
    for name in ("split", "merge"):
        worst = min(
            (case for case in cases if case["kernel"] == name),
            key=lambda case: float(case["share_of_copy_of_as_many_bytes"]),
        )
        share = worst["share_of_copy_of_as_many_bytes"]
        bars.append(
            _judged(
                f"{name} reaches {LEAST_KERNEL_SHARE:.0%} of the rate of a copy of as many bytes "
                "on the GPU, at 1080p to 2160p",
                share,
                share >= LEAST_KERNEL_SHARE,
                f"worst: {worst['frame']} {worst['samples']}, {worst['tiles']} tiles; "
                f"{worst['share_of_large_copy']:.0%} of the rate of a large copy",
            )
        )
    return bars


def frame_bars(frames: Iterable[Figures], *, model: str, frame: str) -> list[Figures]:
    """Judge frames of a kind from host to host by the copies or the network, whichever is longer.

    Times are those a frame takes in a stream, in which copies go both ways at once.
    """
    bars = []
    for case in frames:
        if case["model"] != model or not case["frame"].startswith(frame):
            continue
        taken = 1e3 / case["frames_per_second"]["median"]
        copies = case["copies_alone_milliseconds"]["median"]
        network = case["network_alone_milliseconds"]["median"]
        against = f"{network:.4g} against {copies:.4g} ms"
        what = f"{model}, {case['frame']}, {case['backend']} {case['precision']}"
        if network < copies:
            ratio = round(taken / copies, 3)
            bars.append(
                _judged(
                    f"{what}: a frame takes at most {MOST_OVER_COPIES} times its pinned copies",
                    ratio,
                    ratio <= MOST_OVER_COPIES,
                    f"the network is shorter than the copies: {against}",
                )
            )
        else:
            share = round(network / taken, 3)
            bars.append(
                _judged(
                    f"{what}: {LEAST_OF_NETWORK:.0%} of the rate of the network alone",
                    share,
                    share >= LEAST_OF_NETWORK,
                    f"the network is longer than the copies: {against}",
                )
            )
    return bars


def plain_bars(comparisons: Iterable[Figures]) -> list[Figures]:
    """Judge how many times the frames of the plain way are reached."""
    return [
        _judged(
            f"{case['model']}, {case['frame']}: {LEAST_OVER_PLAIN:.0f} times the frames per second "
            "of the plain way",
            case["times_plain"],
            case["times_plain"] >= LEAST_OVER_PLAIN,
            f"ours with backend {case['backend']}",
        )
        for case in comparisons
    ]


def unmeasured(bar: str, why: str) -> Figures:
    """Return the entry of a bar for which there is no figure."""
    return {"bar": bar, "measured": None, "verdict": "not measured", "note": why}


def _judged(bar: str, measured: float, met: bool, note: str) -> Figures:
    return {"bar": bar, "measured": measured, "verdict": "met" if met else "missed", "note": note}
