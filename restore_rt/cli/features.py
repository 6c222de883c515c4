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
    overwrite: options.OverwriteOption = False,
) -> None:
    """Train the feature network of perceptual losses on what was done to patches of pictures.

    A recipe without weights of its own in [perceptual] compares with the shipped one, which this
    command made.
    """
    try:
        import torch  # noqa: F401
    except ImportError:
        raise InputError("training needs PyTorch; pip install 'restore-rt[train]'") from None
    from tempfile import TemporaryDirectory

    from restore_rt.files import check_target
    from restore_rt.training.feature_training import train_features as run_training
    from restore_rt.training.features import FeatureNet, load_features, save_features

    if output.suffix != ".safetensors":
        raise InputError(f"--output is {str(output)!r}; its name must end in .safetensors")
    check_target(output, overwrite=overwrite)
    with TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "features.pt"
        run_training(
            data, checkpoint, folders=folders, steps=steps, seed=seed, device=device, say=note
        )
        network = load_features(checkpoint)
    assert isinstance(network, FeatureNet)
    save_features(network, output, overwrite=overwrite)
    print(output)
