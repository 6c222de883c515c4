"""``restore-rt train-features``: train the small network that perceptual losses compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from restore_rt.cli import options
from restore_rt.cli.console import note
from restore_rt.errors import InputError

__all__ = ["train_features"]


def train_features(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The .safetensors file to write."),
    ],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Holds the folders.")],
    folders: Annotated[
        list[str],
        typer.Option("--folder", metavar="NAME", help="A folder of pictures; give several."),
    ],
    steps: Annotated[int, typer.Option("--steps", min=1, help="Batches to train on.")] = 1600,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all that is random.")] = 0,
    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        typer.Option("--device", help="Where it runs; auto takes a GPU if there is one, and says."),
    ] = "auto",
    trained_on: Annotated[
        str,
        typer.Option("--trained-on", metavar="TEXT", help="The pictures' credits, for the file."),
    ] = "",
    licence: Annotated[
        str, typer.Option("--licence", metavar="TEXT", help="The pictures' licence, for the file.")
    ] = "",
    overwrite: options.OverwriteOption = False,
) -> None:
    """Train the feature network of perceptual losses on what was done to patches of pictures.

    A recipe without weights of its own in [perceptual] compares with the shipped one, which this
    command made. The file's header says how it was made, and of what.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise InputError("training needs PyTorch; pip install 'restore-rt[train]'") from None
    from restore_rt.training.features.training import train_features as run_training

    run_training(
        data,
        output,
        folders=folders,
        steps=steps,
        seed=seed,
        device=device,
        trained_on=trained_on,
        licence=licence,
        overwrite=overwrite,
        say=note,
    )
    print(output)
