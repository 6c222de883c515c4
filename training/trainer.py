"""The training loop: seeded, resumable, and stopped by the first NaN."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from restore_rt.errors import InputError
from restore_rt.files import check_target, output_error, whole_file
from restore_rt.training.checkpoint import load_checkpoint, save_checkpoint
from restore_rt.training.data import PatchSet, load_data
from restore_rt.training.faults import TrainingError
from restore_rt.training.precision import Precision, whole_float32
from restore_rt.training.recipe import Recipe
from restore_rt.training.records import Records
from restore_rt.training.regions import Pair
from restore_rt.training.state import KEYS, WEIGHTS, TrainingState, learning_rate
from restore_rt.training.validation import sample_grid, validate

__all__ = ["LAST", "TrainingError", "learning_rate", "train"]

# The file in a run's folder from which it is resumed.
LAST = "last.pt"
BEST = "best.pt"
SECONDS_BETWEEN_LINES = 10.0


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
        Go on from ``last.pt`` in `run`; without it, a run that exists is refused. Pictures, fonts
        and weights of a perceptual loss must be those of before; device and precision may differ.
    start
        A checkpoint of the same network whose averaged weights to begin with.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: a GPU if PyTorch finds one.
    stop_after
        Stop, with a checkpoint, after this step at the latest, 1 or more; None trains to the end.
    threads
        Threads that prepare pictures beside the training, 1 or more.
    say
        Takes one line of progress.
    follow
        Is told how many steps are done, before the first and after each. While there is one,
        `say` gets no lines on the pace, but still what else there is to say.

    Returns
    -------
    Path
        The last checkpoint.

    Raises
    ------
    InputError
        If the data, a checkpoint or the run's folder are not as they must be; a folder that was
        made for the run is removed again.
    OutputError
        If the run's folder cannot be written.
    TrainingError
        If a loss or a gradient is not finite.
    """
    last = run / LAST
    for name, value in (("stop_after", stop_after), ("threads", threads)):
        if value is not None and value < 1:
            raise InputError(f"{name} is {value}; must be at least 1")
    if last.exists() and not resume:
        raise InputError(f"{run} has a run already; resume it, or name another folder")
    if resume and not last.exists():
        raise InputError(f"nothing to resume in {run}; start without resuming")
    if resume and start:
        raise InputError(f"a run that is resumed has its weights; leave out the start {start}")
    before = load_checkpoint(last, needs=KEYS) if resume else None
    end = recipe.optim.steps if stop_after is None else min(recipe.optim.steps, stop_after)
    if before is not None:
        if before["recipe"] != recipe.text:
            raise InputError(
                f"{last} belongs to another recipe than the one given; use "
                f"{run / 'recipe.toml'}, or another folder"
            )
        if before["step"] >= end:
            say(f"nothing left to do: {last} is of step {before['step']}, the end is step {end}")
            return last
    beginning = load_checkpoint(start, needs=WEIGHTS) if start else None
    precision = Precision(recipe.optim.precision, device)
    with ExitStack() as stack:
        if precision.dtype is None:
            stack.enter_context(whole_float32())
        state = TrainingState(recipe, precision)
        if before is not None:
            state.load(before, last)
        elif beginning is not None and start is not None:
            state.begin_with(beginning, start)
        stack.enter_context(_folder(run))
        say(f"{recipe.model.name}: preparing pictures from {data}; training on {precision}")
        patches, pairs, made_from = load_data(recipe, data, say=say, threads=threads)
        stack.callback(patches.regions.close)
        state.made_from |= made_from
        if before is not None:
            _check_same(before, state, data, last)
            say(f"resuming after step {state.done}")
            _say_what_changed(before, state, say)
        elif beginning is not None:
            say(f"starting with the weights of {start}")
        with whole_file(run / "recipe.toml", overwrite=True) as temporary:
            temporary.write_text(recipe.text, encoding="utf-8")
        records = Records(run, state.done, say)
        stack.callback(records.close)
        _Run(state, run, pairs, records, say).go(patches, end, follow)
    return last


@contextmanager
def _folder(run: Path) -> Iterator[None]:
    """Make the run's folder, and see to it that an error before anything is written leaves none."""
    new = [f for f in (run / "samples", run, *run.parents) if not f.exists()]
    try:
        try:
            (run / "samples").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(error, run) from None
        check_target(run / LAST, overwrite=True)
        yield
    except BaseException:
        for folder in new:
            # What has something in it by now stays.
            with suppress(OSError):
                folder.rmdir()
        raise


def _check_same(before: Mapping[str, Any], state: TrainingState, data: Path, last: Path) -> None:
    """Refuse to resume with other pictures, fonts or features than before."""
    what = {
        "pictures": f"the pictures in {data}",
        "fonts": "the fonts of data.lettering",
        "features": "the weights of [perceptual]",
    }
    for name, number in state.made_from.items():
        # Former versions did not keep all of these.
        if before.get(name, number) != number:
            raise InputError(
                f"{what[name]} are not those that {last} was trained with; restore them, or "
                "start another run"
            )


def _say_what_changed(
    before: Mapping[str, Any], state: TrainingState, say: Callable[[str], None]
) -> None:
    now = state.content()
    then = [before.get(name, now[name]) for name in ("device", "dtype")]
    if then != [now["device"], now["dtype"]]:
        say(
            f"it ran on {then[0]} in {then[1]} before, now on {now['device']} in {now['dtype']}: "
            "the result will not be that of an unbroken run"
        )


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

    def go(self, patches: PatchSet, end: int, follow: Callable[[int], None] | None) -> None:
        """Train up to the step `end`."""
        state, optim = self.state, self.state.recipe.optim
        if state.done >= end:
            return
        # The first batch waits until the regions are there, which is no part of the pace.
        batch = patches.batch(state.done)
        pace = _Pace(patches, state.done, optim.steps)
        if follow:
            follow(state.done)
        while True:
            try:
                loss = state.step(*batch)
            except TrainingError as error:
                kept = (self.folder / LAST).exists()
                raise TrainingError(
                    f"step {state.done + 1}: {error}"
                    + ("; the last good checkpoint is kept" if kept else "")
                ) from None
            if follow:
                follow(state.done)
            elif pace.is_due() or state.done == end:
                rate = learning_rate(optim, state.done - 1)
                self.say(pace.line(state.done, f"loss {loss:.5f}  rate {rate:.2e}"))
            if state.done % optim.epoch == 0 or state.done == optim.steps:
                self.validate()
            elif state.done == end:
                save_checkpoint(self.folder / LAST, state.content())
            if state.done == end:
                return
            batch = patches.batch(state.done)

    def validate(self) -> None:
        """Measure the average on the held-out pairs, and write records and checkpoints."""
        state, recipe = self.state, self.state.recipe
        scale, device = recipe.network.scale, state.precision.device
        scores = validate(state.average, self.pairs, scale=scale, device=device)
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
        self.records.add(row, sample_grid(state.average, self.pairs, scale=scale, device=device))
        # A run can stop later than this, so the figures say which step they are of.
        state.metrics = {"validation_step": float(state.done)}
        state.metrics |= {f"validation_psnr_{name}": value for name, value in scores.items()}
        higher = overall > state.best
        state.best = max(state.best, overall)
        # The best first: a run killed between the two is resumed before this step, and comes to it
        # again.
        if higher or recipe.adversary:
            save_checkpoint(self.folder / BEST, state.content())
        save_checkpoint(self.folder / LAST, state.content())
        mark = "  (best)" if higher and not recipe.adversary else ""
        self.say(f"step {state.done}: PSNR in dB {_shown(scores)}{mark}")


def _shown(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in scores.items())


class _Pace:
    """How fast the steps are taken."""

    def __init__(self, patches: PatchSet, first: int, steps: int) -> None:
        self.regions, self.first, self.steps = patches.regions, first, steps
        self.waited = self.regions.waited
        self.started = self.logged = time.monotonic()

    def is_due(self) -> bool:
        """Tell whether the last line was some time ago."""
        return time.monotonic() - self.logged >= SECONDS_BETWEEN_LINES

    def line(self, done: int, figures: str) -> str:
        """Give the line to say after so many steps."""
        self.logged = time.monotonic()
        passed = max(self.logged - self.started, 1e-9)
        speed = (done - self.first) / passed
        share = (self.regions.waited - self.waited) / passed
        return (
            f"step {done}/{self.steps}  {figures}  {speed:.1f} steps/s  "
            f"{(self.steps - done) / speed / 60:.0f} min left  waited {share:.1%} for data"
        )
