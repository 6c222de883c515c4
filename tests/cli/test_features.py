from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from restore_rt.training.features import training as feature_training
from restore_rt.training.features.networks import FeatureNet, load_features
from tests.cli.conftest import Cli, Said
from tests.training.conftest import write_pictures


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Cli:
    """Return the command, made short, with pictures of which some are held out."""
    monkeypatch.setattr(feature_training, "HELD_OUT_BATCHES", 1)
    monkeypatch.setattr(feature_training, "HOLDOUT", 3)
    write_pictures(tmp_path / "data")

    def start(
        output: str = "mine.safetensors", *options: str, folder: str = "patterns", code: int = 0
    ) -> Said:
        where = ["-o", tmp_path / output, "--data", tmp_path / "data", "--folder", folder]
        return cli("train-features", *where, "--steps", "2", "--device", "cpu", *options, code=code)

    return start


def test_the_command_writes_features_that_a_recipe_can_name(command: Cli, tmp_path: Path) -> None:
    told = ["--trained-on", "waves", "--licence", "CC0-1.0"]
    said = command("mine.safetensors", *told)
    assert said.out == f"{tmp_path / 'mine.safetensors'}\n"
    assert "step 2/2" in said.err
    features = load_features(tmp_path / "mine.safetensors")
    assert isinstance(features, FeatureNet)
    with safe_open(tmp_path / "mine.safetensors", "pt") as file:
        origin = json.loads(file.metadata()["restore_rt"])
    assert (origin["trained_on"], origin["licence"]) == ("waves", "CC0-1.0")
    assert features.features(torch.zeros(1, 3, 16, 16), "conv4_2").shape == (1, 128, 2, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "mine.safetensors"]

    # The seed decides.
    first = (tmp_path / "mine.safetensors").read_bytes()
    command("same.safetensors", *told)
    assert (tmp_path / "same.safetensors").read_bytes() == first
    command("other.safetensors", *told, "--seed", "1")
    assert (tmp_path / "other.safetensors").read_bytes() != first


def test_wrong_use_is_one_line_and_writes_nothing(command: Cli, tmp_path: Path) -> None:
    assert "must end in .safetensors" in command("mine.pt", code=2).err
    assert "cannot list the folder" in command(folder="none", code=2).err
    (tmp_path / "mine.safetensors").write_bytes(b"precious")
    assert "--overwrite" in command(code=2).err
    assert (tmp_path / "mine.safetensors").read_bytes() == b"precious"
