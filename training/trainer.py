"""The training loop: seeded, exactly resumable, and stopped by the first NaN."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from restore_rt.errors import InputError, RestoreError
from restore_rt.files import whole_file
from restore_rt.training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from restore_rt.training.data import Picture, load_pictures
from restore_rt.training.evaluate import psnr
from restore_rt.training.losses import LOSSES
from restore_rt.training.networks import build
from restore_rt.training.recipe import Optim, Recipe

__all__ = ["LAST", "TrainingError", "learning_rate", "train"]

# The file in a run's folder from which it is resumed.
LAST = "last.pt"
LOG_SECONDS = 10.0


class TrainingError(RestoreError):
    """Training cannot go on: the loss or a gradient is no longer a number."""


def learning_rate(optim: Optim, step: int) -> float:
    """Give the rate at `step`, counted from 0: a linear warm-up, then half a cosine."""
    if step < optim.warmup:
        return optim.rate * (step + 1) / optim.warmup
    progress = (step - optim.warmup) / max(1, optim.steps - optim.warmup)
    return optim.rate_end + (optim.rate - optim.rate_end) * (1 + math.cos(math.pi * progress)) / 2


def train(
    recipe: Recipe,
    data: Path,
    run: Path,
    *,
    resume: bool = False,
    stop_after: int | None = None,
    say: Callable[[str], None] = print,
) -> Path:
    """Train what the recipe describes.

    Writes ``last.pt`` and ``best.pt`` (by PSNR on the held-out pictures), ``metrics.csv`` and
    ``recipe.toml`` into the run's folder. A run that was broken off and resumed gives bit for bit
    what an unbroken one gives on the same machine.

    Parameters
    ----------
    recipe
        What to train.
    data
        The folder that holds the recipe's folders.
    run
        Where results go; made if missing.
    resume
        Go on from ``last.pt`` in `run`; without it, a run that exists is refused.
    stop_after
        Stop, with a checkpoint, after this step at the latest, 1 or more; None trains to the end.
    say
        Takes one line of progress.

    Returns
    -------
    Path
        The last checkpoint.

    Raises
    ------
    InputError
        If the data or the run's folder are not as they must be.
    OutputError
        If the run's folder cannot be written.
    TrainingError
        If the loss or a gradient is not finite.
    """
    last, optim = run / LAST, recipe.optim
    if stop_after is not None and stop_after < 1:
        raise InputError(f"stop_after is {stop_after}; must be at least 1, or None")
    if last.exists() and not resume:
        raise InputError(f"{run} has a run already; resume it, or name another folder")
    if resume and not last.exists():
        raise InputError(f"nothing to resume in {run}; start without resuming")
    state = load_checkpoint(last) if resume else None
    if state is not None and state["recipe"] != recipe.text:
        raise InputError(
            f"{last} belongs to another recipe than the one given; use "
            f"{run / 'recipe.toml'}, or another folder"
        )
    say(f"{recipe.model.name}: preparing pictures from {data}")
    pictures, held_out = load_pictures(recipe, data, run / "cache", say=say)
    say(f"{len(pictures.pictures)} pictures to train on, {len(held_out)} held out")

    torch.manual_seed(recipe.seed)
    network = _network(recipe)
    average = _network(recipe).eval()
    average.load_state_dict(network.state_dict())
    adam = torch.optim.Adam(network.parameters(), lr=optim.rate)
    loss_of = LOSSES[optim.loss]
    first, best = 0, -math.inf
    metrics: dict[str, float] = {}
    # Since the last validation.
    losses: list[float] = []
    if state is not None:
        load_weights(network, state["network"], last)
        load_weights(average, state["average"], last)
        adam.load_state_dict(state["adam"])
        first, best, metrics, losses = (state[k] for k in ("step", "best", "metrics", "losses"))
        say(f"resuming after step {first}")
    else:
        with whole_file(run / "recipe.toml", overwrite=True) as temporary:
            temporary.write_text(recipe.text, encoding="utf-8")
    table = _Metrics(run / "metrics.csv", first)

    def checkpoint(step: int) -> dict[str, Any]:
        return {
            "recipe": recipe.text,
            "step": step,
            "best": best,
            "metrics": metrics,
            "losses": losses,
            "network": network.state_dict(),
            "average": average.state_dict(),
            "adam": adam.state_dict(),
        }

    end = optim.steps if stop_after is None else min(optim.steps, stop_after)
    started = logged = time.monotonic()
    for step in range(first, end):
        rate = learning_rate(optim, step)
        for group in adam.param_groups:
            group["lr"] = rate
        x, y = pictures.batch(step)
        adam.zero_grad()
        loss: Tensor = loss_of(network(x.contiguous(memory_format=torch.channels_last)), y)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(network.parameters(), optim.clip)
        if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
            raise TrainingError(
                f"step {step + 1}: loss is {loss.item()}, gradient norm {norm.item()}; the last "
                f"good checkpoint is kept. Lower optim.rate, which was {rate:.3g} here"
            )
        adam.step()
        _follow(average, network, min(optim.ema, (step + 1) / (step + 10)))
        losses.append(loss.item())

        done, now = step + 1, time.monotonic()
        if now - logged >= LOG_SECONDS or done == end:
            speed = (done - first) / (now - started)
            left = (optim.steps - done) / speed
            say(
                f"step {done}/{optim.steps}  loss {losses[-1]:.5f}  rate {rate:.2e}  "
                f"{speed:.1f} steps/s  {left / 60:.0f} min left"
            )
            logged = now
        if done % optim.epoch == 0 or done == optim.steps:
            clean, coded = validate(average, held_out, recipe.network.scale)
            table.add(step=done, loss=float(np.mean(losses)), rate=rate, clean=clean, h264=coded)
            # A run can stop later than this, so the figures say which step they are of.
            metrics = {
                "validation_step": float(done),
                "validation_psnr_clean": clean,
                "validation_psnr_h264_crf28": coded,
            }
            losses.clear()
            better = (clean + coded) / 2 > best
            best = max(best, (clean + coded) / 2)
            # The best first: a run killed between the two is resumed before this step, and comes
            # to it again.
            if better:
                save_checkpoint(run / "best.pt", checkpoint(done))
            save_checkpoint(last, checkpoint(done))
            say(
                f"step {done}: {clean:.3f} dB clean, {coded:.3f} dB after H.264"
                + ("  (best)" if better else "")
            )
        elif done == end:
            save_checkpoint(last, checkpoint(done))
    return last


@torch.no_grad()
def validate(network: nn.Module, pictures: list[Picture], scale: int) -> tuple[float, float]:
    """Mean PSNR over held-out pictures and channels, in dB: from clean inputs, and coded ones.

    The network must be in evaluation mode.
    """
    scores: tuple[list[float], list[float]] = ([], [])
    for picture in pictures:
        for pairs, into in zip(picture.inputs, scores, strict=True):
            for pair in pairs:
                x = torch.from_numpy(pair.input).float().div_(255)[None]
                restored = network(x.contiguous(memory_format=torch.channels_last))[0]
                restored = restored.mul(255).clamp_(0, 255).numpy()
                bottom, right = pair.y + restored.shape[1], pair.x + restored.shape[2]
                target = picture.target[:, pair.y : bottom, pair.x : right].astype(np.float32)
                into += [psnr(a, b, shave=scale) for a, b in zip(restored, target, strict=True)]
    return float(np.mean(scores[0])), float(np.mean(scores[1]))


def _network(recipe: Recipe) -> nn.Module:
    net = recipe.network
    network = build(net.name, scale=net.scale, colour=net.colour, **net.params)
    # Convolutions of few channels are faster so, on a CPU.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
    # Buffers are constants, counts, or averages already.
    for mine, theirs in zip(average.buffers(), network.buffers(), strict=True):
        mine.copy_(theirs)


class _Metrics:
    """One row of metrics.csv per epoch; on resuming, rows after the checkpoint are dropped."""

    COLUMNS = ("step", "loss", "rate", "clean", "h264")

    def __init__(self, path: Path, step: int) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if step and path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["step"]) <= step]
        self._write()

    def add(self, **row: float) -> None:
        self.rows.append(row)
        self._write()

    def _write(self) -> None:
        with (
            whole_file(self.path, overwrite=True) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, self.COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)
