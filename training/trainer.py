"""The training loop: seeded, exactly resumable, and stopped by the first NaN."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from restore_rt.errors import InputError, RestoreError
from restore_rt.files import output_error, whole_file
from restore_rt.training.adversary import Opponent
from restore_rt.training.checkpoint import load_checkpoint, load_weights, save_checkpoint
from restore_rt.training.data import load_data
from restore_rt.training.networks import build
from restore_rt.training.objective import Objective
from restore_rt.training.precision import Precision
from restore_rt.training.recipe import Optim, Recipe
from restore_rt.training.records import Records
from restore_rt.training.validation import sample_grid, validate

__all__ = ["LAST", "TrainingError", "learning_rate", "train"]

# The file in a run's folder from which it is resumed.
LAST = "last.pt"
BEST = "best.pt"
SECONDS_BETWEEN_LINES = 10.0


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
    start: Path | None = None,
    device: str = "auto",
    stop_after: int | None = None,
    threads: int = 2,
    say: Callable[[str], None] = print,
    follow: Callable[[int], None] | None = None,
) -> Path:
    """Train what the recipe describes.

    Writes ``last.pt`` and ``best.pt`` (by PSNR on the held-out pictures; with an adversary, which
    PSNR does not judge, the latest), ``metrics.csv``, ``metrics.json``, ``samples/``,
    ``tensorboard/`` and ``recipe.toml`` into the run's folder. A run that was broken off and
    resumed gives bit for bit what an unbroken one gives on the same machine.

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
    start
        A checkpoint of the same network whose averaged weights to begin with.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU if PyTorch finds one.
    stop_after
        Stop, with a checkpoint, after this step at the latest, 1 or more; None trains to the end.
    threads
        Threads that prepare pictures beside the training.
    say
        Takes one line of progress.
    follow
        Is told how many steps are done, at the start and after each; then `say` is not.

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
    last = run / LAST
    if stop_after is not None and stop_after < 1:
        raise InputError(f"stop_after is {stop_after}; must be at least 1, or None")
    if last.exists() and not resume:
        raise InputError(f"{run} has a run already; resume it, or name another folder")
    if resume and not last.exists():
        raise InputError(f"nothing to resume in {run}; start without resuming")
    if resume and start:
        raise InputError(f"a run that is resumed has its weights; leave out the start {start}")
    state = load_checkpoint(last) if resume else None
    if state is not None and state["recipe"] != recipe.text:
        raise InputError(
            f"{last} belongs to another recipe than the one given; use "
            f"{run / 'recipe.toml'}, or another folder"
        )
    beginning = load_checkpoint(start) if start else None
    precision = Precision(recipe.optim.precision, device)
    say(f"{recipe.model.name}: preparing pictures from {data}; training on {precision}")
    patches, pairs, pictures = load_data(recipe, data, say=say, threads=threads)
    try:
        training = _Training(recipe, run, precision, say)
        if state is not None:
            if state["pictures"] != pictures:
                raise InputError(
                    f"the pictures in {data} are not those that {last} was trained on; restore "
                    "them, or start another run"
                )
            training.load(state, last)
            say(f"resuming after step {training.done}")
        elif beginning is not None and start is not None:
            training.begin_with(beginning, start)
            say(f"starting with the weights of {start}")
        try:
            (run / "samples").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(error, run) from None
        training.keep_recipe()
        training.pictures = pictures
        end = recipe.optim.steps if stop_after is None else min(recipe.optim.steps, stop_after)
        training.records = Records(run, training.done, say)
        _loop(training, patches.batch, end, pairs, lambda: patches.regions.waited, say, follow)
    finally:
        patches.regions.close()
    return last


def _loop(
    training: _Training,
    batch: Callable[[int], tuple[Tensor, Tensor]],
    end: int,
    pairs: dict[str, Any],
    waited: Callable[[], float],
    say: Callable[[str], None],
    follow: Callable[[int], None] | None,
) -> None:
    recipe, optim = training.recipe, training.recipe.optim
    first = training.done
    # The first batch waits until the regions are there, which is no part of the training's pace.
    ready = batch(first) if first < end else None
    if follow:
        follow(first)
    started = logged = time.monotonic()
    waited_before = waited()
    for step in range(first, end):
        x, y = ready if step == first and ready else batch(step)
        loss = training.step(x, y)
        done, now = training.done, time.monotonic()
        if follow:
            follow(done)
        elif now - logged >= SECONDS_BETWEEN_LINES or done == end:
            speed = (done - first) / (now - started)
            share = (waited() - waited_before) / (now - started)
            say(
                f"step {done}/{optim.steps}  loss {loss:.5f}  "
                f"rate {learning_rate(optim, step):.2e}  {speed:.1f} steps/s  "
                f"{(optim.steps - done) / speed / 60:.0f} min left  waited {share:.1%} for data"
            )
            logged = now
        if done % optim.epoch == 0 or done == optim.steps:
            scores, better = training.validate(pairs)
            shown = ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
            mark = "  (best)" if better and not recipe.adversary else ""
            say(f"step {done}: PSNR in dB {shown}{mark}")
        elif done == end:
            save_checkpoint(training.run / LAST, training.state())


class _Training:
    """A run's networks, optimisers and figures: what a checkpoint holds."""

    records: Records

    def __init__(
        self, recipe: Recipe, run: Path, precision: Precision, say: Callable[[str], None]
    ) -> None:
        self.recipe, self.run, self.precision = recipe, run, precision
        torch.manual_seed(recipe.seed)
        self.network = self._build()
        self.average = self._build().eval()
        self.average.load_state_dict(self.network.state_dict())
        self.adam = torch.optim.Adam(self.network.parameters(), lr=recipe.optim.rate)
        self.objective = Objective(recipe).to(precision.device)
        self.opponent = Opponent(recipe, precision.device) if recipe.adversary else None
        self.pictures = 0
        self.done = 0
        self.best = -math.inf
        self.metrics: dict[str, float] = {}
        # Since the last validation.
        self.losses: list[float] = []

    def _build(self) -> nn.Module:
        net = self.recipe.network
        network = build(net.name, scale=net.scale, colour=net.colour, **net.params)
        # Convolutions of few channels are faster so, on a CPU.
        return network.to(self.precision.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def step(self, x: Tensor, y: Tensor) -> float:
        """Train on a batch; returns the loss."""
        optim, adversary = self.recipe.optim, self.recipe.adversary
        rate = learning_rate(optim, self.done)
        for group in self.adam.param_groups:
            group["lr"] = rate
        device = self.precision.device
        x = x.to(device).contiguous(memory_format=torch.channels_last)
        y = y.to(device).contiguous(memory_format=torch.channels_last)
        self.adam.zero_grad()
        with self.precision.autocast():
            output = self.network(x)
        output = output.float()
        loss: Tensor = self.objective(output, y)
        if adversary and self.opponent:
            if self.done >= adversary.discriminator_start:
                self._finite(self.opponent.learn(output, y, self.precision.autocast), rate)
            if self.done >= adversary.adversarial_start:
                loss = loss + self.opponent.judge(output, y, self.precision.autocast)
        if adversary is None or self.done >= adversary.generator_start:
            self.precision.backward(loss, self.adam)
            norm = nn.utils.clip_grad_norm_(self.network.parameters(), optim.clip)
            if not self.precision.overflowed(norm):
                self._finite(loss.item(), rate, norm.item())
            self.precision.step(self.adam)
        self._finite(loss.item(), rate)
        _follow(self.average, self.network, min(optim.ema, (self.done + 1) / (self.done + 10)))
        self.losses.append(loss.item())
        self.done += 1
        return self.losses[-1]

    def _finite(self, loss: float, rate: float, norm: float = 0.0) -> None:
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingError(
                f"step {self.done + 1}: loss is {loss}, gradient norm {norm}"
                f"{_where(self.network)}; the last good checkpoint is kept. Lower optim.rate, "
                f"which was {rate:.3g} here"
            )

    def validate(self, pairs: dict[str, Any]) -> tuple[dict[str, float], bool]:
        """Measure the average on the held-out pairs, and write records and checkpoints."""
        scale, device = self.recipe.network.scale, self.precision.device
        scores = validate(self.average, pairs, scale=scale, device=device)
        shares = [variant.share for variant in self.recipe.data.variants]
        overall = float(
            np.average([scores[v.name] for v in self.recipe.data.variants], weights=shares)
        )
        row = {"step": float(self.done), "loss": float(np.mean(self.losses))}
        row["rate"] = learning_rate(self.recipe.optim, self.done - 1)
        row |= {f"psnr_{name}": value for name, value in scores.items()}
        self.records.add(row, sample_grid(self.average, pairs, scale=scale, device=device))
        # A run can stop later than this, so the figures say which step they are of.
        self.metrics = {"validation_step": float(self.done)}
        self.metrics |= {f"validation_psnr_{name}": value for name, value in scores.items()}
        self.losses.clear()
        better = overall > self.best or self.recipe.adversary is not None
        self.best = max(self.best, overall)
        # The best first: a run killed between the two is resumed before this step, and comes to it
        # again.
        if better:
            save_checkpoint(self.run / BEST, self.state())
        save_checkpoint(self.run / LAST, self.state())
        return scores, better

    def state(self) -> dict[str, Any]:
        """Give what a checkpoint keeps."""
        return {
            "recipe": self.recipe.text,
            "pictures": self.pictures,
            "step": self.done,
            "best": self.best,
            "metrics": self.metrics,
            "losses": self.losses,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "adam": self.adam.state_dict(),
            "scaler": self.precision.state(),
            "opponent": self.opponent.state() if self.opponent else {},
        }

    def load(self, state: dict[str, Any], path: Path) -> None:
        """Take up a checkpoint of this run, read from `path`."""
        load_weights(self.network, state["network"], path)
        load_weights(self.average, state["average"], path)
        self.adam.load_state_dict(state["adam"])
        self.precision.load(state["scaler"])
        if self.opponent:
            self.opponent.load(state["opponent"])
        self.done, self.best = state["step"], state["best"]
        self.metrics, self.losses = state["metrics"], state["losses"]

    def begin_with(self, state: dict[str, Any], path: Path) -> None:
        """Take the averaged weights of another run's checkpoint, read from `path`."""
        load_weights(self.network, state["average"], path)
        load_weights(self.average, state["average"], path)

    def keep_recipe(self) -> None:
        """Write the recipe beside the checkpoints."""
        with whole_file(self.run / "recipe.toml", overwrite=True) as temporary:
            temporary.write_text(self.recipe.text, encoding="utf-8")


def _where(network: nn.Module) -> str:
    """Name the first layer whose weights or gradients are not finite, if there is one."""
    for name, parameter in network.named_parameters():
        if not torch.isfinite(parameter).all():
            return f", weights of {name} are not finite"
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            return f", gradient of {name} is not finite"
    return ""


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
    # Buffers are constants, counts, or averages already.
    for mine, theirs in zip(average.buffers(), network.buffers(), strict=True):
        mine.copy_(theirs)
