"""The verbs of the command; what a verb needs is imported when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from restore_rt.cli.bench import bench
from restore_rt.cli.build import build
from restore_rt.cli.dataset import dataset
from restore_rt.cli.doctor import doctor
from restore_rt.cli.evaluate import evaluate
from restore_rt.cli.export import export
from restore_rt.cli.features import train_features
from restore_rt.cli.image import image
from restore_rt.cli.info import info
from restore_rt.cli.inpaint import inpaint
from restore_rt.cli.live import live
from restore_rt.cli.models import models
from restore_rt.cli.train import train
from restore_rt.cli.video import video

__all__ = ["app"]

_EXIT_CODES = (
    "Exit codes: 0 done; 1 failed, nothing was left at the output path; 2 wrong use, nothing was "
    "done; 3 the input was damaged, what could be decoded was written, or some of several inputs "
    "failed, the others were written; 130 interrupted; 143 terminated. Results go to "
    "standard output, everything else to standard error. RESTORE_RT_TRACEBACK=1 shows where an "
    "error came from."
)

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _version(wanted: bool) -> None:
    if wanted:
        from restore_rt import __version__

        typer.echo(f"restore-rt {__version__}")
        raise typer.Exit


@app.callback(epilog=_EXIT_CODES)
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Restore and upscale images and video."""


for _verb in (
    image,
    video,
    live,
    inpaint,
    models,
    info,
    doctor,
    train,
    train_features,
    export,
    build,
):
    app.command()(_verb)
app.command("eval")(evaluate)
app.add_typer(dataset)
app.add_typer(bench)
