"""The training loop: seeded, resumable, and stopped by the first NaN."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from restore_rt.errors import InputError, OutputError
from restore_rt.files import whole_file
from restore_rt.training.data.batches import PatchSet, load_data
from restore_rt.training.data.regions import Pair
from restore_rt.training.faults import TrainingError
from restore_rt.training.loop.checkpoint import load_checkpoint, save_checkpoint
from restore_rt.training.loop.folder import BEST, LAST, RECIPE, check_unused, run_folder
from restore_rt.training.loop.records import Records
from restore_rt.training.loop.resuming import check_material, check_recipe, say_what_changed
from restore_rt.training.loop.starting import load_start
from restore_rt.training.loop.state import KEYS, TrainingState, learning_rate
from restore_rt.training.loop.validation import sample_grid, validate
from restore_rt.training.precision import Precision, whole_float32
from restore_rt.training.recipes import Recipe

__all__ = ["LAST", "TrainingError", "learning_rate", "train"]

SECONDS_BETWEEN_LINES = 10.0


def train(
    recipe: Recipe,
    data: Path,
    run: Path,
    *,
    resume: bool = False,
    start: str | Path | None = None,
    device: str = "auto",
    stop_after: int | None = None,
    threads: int = 2,
    say: Callable[[str], None] = print,
    follow: Callable[[int, str], None] | None = None,
    stop: Callable[[int], bool] | None = None,
) -> Path:
    """Train a recipe's network.

    Writes ``last.pt`` and ``best.pt`` (by PSNR on the held-out pictures; with an adversary, which
    PSNR does not judge, the latest), ``metrics.csv``, ``metrics.json``, ``samples/``,
    ``tensorboard/`` and ``recipe.toml`` into the run's folder. A run on a CPU that was broken off
    and resumed gives bit for bit what an unbroken one gives on the same machine; one on a GPU as
    closely as cuDNN repeats itself.

    Parameters
    ----------
    recipe
        What to train.
    data
        The folder that holds the recipe's folders.
    run
        Where results go; made if missing.
    resume
        Go on from ``last.pt`` in `run`; without it, a folder that has what a run writes is refused.
        What the recipe says, pictures, fonts and weights of a perceptual loss must be as before;
        device, precision and PyTorch's number of threads may differ, which is said.
    start
        What to begin with: a checkpoint, of which the averaged weights are taken, a model file
        (.onnx) of ours, or a shipped model's name; of the same network, or of a CompactNet of
        fewer layers. The layers that are new begin as the identity.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU if PyTorch finds one.
    stop_after
        Stop, with a checkpoint, after this step at the latest, 1 or more; None trains to the end.
    threads
        Threads that prepare pictures beside the training, 1 or more.
    say
        Takes one line of progress.
    follow
        Is told how many steps are done, before the first and after each, and then also, as text,
        the loss and the pace. While there is one, `say` gets no lines on the pace, but still what
        else there is to say.
    stop
        Is told how many steps are done, before the first and after each, and gives True to stop
        there, with a checkpoint: for whoever handles signals.

    Returns
    -------
    Path
        The last checkpoint.

    Raises
    ------
    InputError
        If the data, a checkpoint or the run's folder are not as they must be, or another process
        trains in it; a folder that was made for the run is removed again.
    OutputError
        If the run's folder or a checkpoint cannot be written; the checkpoint of before is whole.
        Of other files that cannot be written only `say` is told.
    TrainingError
        If a loss or a gradient is not finite.
    """
    last = run / LAST
    for name, value in (("stop_after", stop_after), ("threads", threads)):
        if value is not None and value < 1:
            raise InputError(f"{name} is {value}; must be at least 1")
    if resume and start:
        raise InputError(f"a run that is resumed has its weights; leave out the start {start}")
    end = recipe.optim.steps if stop_after is None else min(recipe.optim.steps, stop_after)
    with ExitStack() as stack:
        stack.enter_context(run_folder(run, say))
        before = None
        if not resume:
            check_unused(run, recipe.text)
        elif not last.exists():
            raise InputError(f"nothing to resume in {run}; start without resuming")
        else:
            before = load_checkpoint(last, needs=KEYS)
            check_recipe(before, recipe, last)
            if before["step"] >= end:
                say(
                    f"nothing left to do: {last} is of step {before['step']}, the end is step {end}"
                )
                return last
        beginning = load_start(start) if start else None
        precision = Precision(recipe.optim.precision, device)
        if precision.dtype is None:
            stack.enter_context(whole_float32())
        state = TrainingState(recipe, precision)
        if before is not None:
            state.load(before, last)
        elif beginning is not None:
            state.begin_with(beginning)
        say(f"{recipe.model.name}: preparing pictures from {data}; training on {precision}")
        patches, pairs, made_from = load_data(recipe, data, say=say, threads=threads)
        stack.callback(patches.regions.close)
        state.made_from |= made_from
        if before is not None:
            check_material(before, state.made_from, data, last)
            say(f"resuming after step {state.done}")
            say_what_changed(before, state.content(), say)
        elif beginning is not None:
            say(f"starting with the weights of {beginning.path}")
        with whole_file(run / RECIPE, overwrite=True) as temporary:
            temporary.write_text(recipe.text, encoding="utf-8")
        records = Records(run, state.done, say)
        _Run(state, run, pairs, records, say).go(patches, end, follow, stop)
    return last


class _Run:
    """A training under way, and the folder in which it leaves its results."""

    def __init__(
        self,
        state: TrainingState,
        folder: Path,
        pairs: dict[str, list[Pair]],
        records: Records,
        say: Callable[[str], None],
    ) -> None:
        self.state, self.folder, self.pairs = state, folder, pairs
        self.records, self.say = records, say

    def go(
        self,
        patches: PatchSet,
        end: int,
        follow: Callable[[int, str], None] | None,
        stop: Callable[[int], bool] | None,
    ) -> None:
        """Train up to the step `end`, or until `stop` gives True."""
        state, optim = self.state, self.state.recipe.optim
        # The first batch waits until the regions are there, which is no part of the pace.
        batch = patches.batch(state.done)
        pace = _Pace(patches, state.done, optim.steps)
        if follow:
            follow(state.done, "")
        validated = False
        while not (stop and stop(state.done)):
            try:
                loss = state.step(*batch)
            except TrainingError as error:
                raise TrainingError(f"step {state.done + 1}: {error}{self._kept()}") from None
            if follow:
                follow(state.done, f"loss {loss:.5f}  {pace.figures(state.done)}")
            elif pace.is_due() or state.done == end:
                rate = learning_rate(optim, state.done - 1)
                self.say(pace.line(state.done, f"loss {loss:.5f}  rate {rate:.2e}"))
            validated = state.done % optim.validation_interval == 0 or state.done == optim.steps
            if validated:
                self.validate()
            if state.done == end:
                break
            batch = patches.batch(state.done)
        if not validated:
            self._save(LAST)

    def _save(self, name: str) -> None:
        try:
            save_checkpoint(self.folder / name, self.state.content())
        except OutputError as error:
            raise OutputError(f"step {self.state.done}: {error}{self._kept()}") from None

    def _kept(self) -> str:
        return "; the last good checkpoint is kept" if (self.folder / LAST).exists() else ""

    def validate(self) -> None:
        """Measure the average on the held-out pairs, and write records and checkpoints."""
        state, recipe = self.state, self.state.recipe
        scale, device = recipe.network.scale, state.precision.device
        levels = recipe.data.levels
        scores = validate(state.average, self.pairs, scale=scale, device=device, levels=levels)
        if not np.isfinite([*scores.values()]).all():
            raise TrainingError(
                f"step {state.done}: PSNR on the held-out pictures is {_shown(scores)}; lower "
                "optim.rate"
            )
        shares = [variant.share for variant in recipe.data.variants]
        overall = float(np.average([scores[v.name] for v in recipe.data.variants], weights=shares))
        row = {"step": float(state.done)} | state.figures()
        row["rate"] = learning_rate(recipe.optim, state.done - 1)
        row |= {f"psnr_{name}": value for name, value in scores.items()}
        # A run can stop later than this, so the figures say which step they are of.
        state.metrics = {"validation_step": float(state.done)}
        state.metrics |= {f"validation_psnr_{name}": value for name, value in scores.items()}
        higher = overall > state.best
        state.best = max(state.best, overall)
        # The best first: a run killed between the two is resumed before this step, and comes to it
        # again.
        if higher or recipe.adversary:
            self._save(BEST)
        self._save(LAST)
        grid = sample_grid(state.average, self.pairs, scale=scale, device=device, levels=levels)
        self.records.add(row, grid)
        mark = "  (best)" if higher and not recipe.adversary else ""
        self.say(f"step {state.done}: PSNR in dB {_shown(scores)}{mark}")


def _shown(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in scores.items())


class _Pace:
    """Speed of a training."""

    def __init__(self, patches: PatchSet, first: int, steps: int) -> None:
        self.regions, self.first, self.steps = patches.regions, first, steps
        self.waited = self.regions.waited
        self.started = self.logged = time.monotonic()

    def is_due(self) -> bool:
        """Return whether the next line is due."""
        return time.monotonic() - self.logged >= SECONDS_BETWEEN_LINES

    def figures(self, done: int) -> str:
        """Return the pace after a number of steps."""
        passed = max(time.monotonic() - self.started, 1e-9)
        waited = (self.regions.waited - self.waited) / passed
        return f"{(done - self.first) / passed:.1f} steps/s  waited {waited:.1%} for data"

    def line(self, done: int, figures: str) -> str:
        """Return the progress line after a number of steps."""
        self.logged = time.monotonic()
        left = (self.steps - done) * (self.logged - self.started) / (done - self.first)
        return (
            f"step {done}/{self.steps}  {figures}  {self.figures(done)}  {left / 60:.0f} min left"
        )
