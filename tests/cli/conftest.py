"""The command in this process, and models that repeat pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from restore_rt.cli import run
from tests.networks import nearest, save_model


class Said(NamedTuple):
    """What a command printed."""

    out: str
    err: str


Cli = Callable[..., Said]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Return a function that runs ``restore-rt``, checks its exit code, and returns its output."""

    def call(*arguments: object, code: int = 0) -> Said:
        capsys.readouterr()
        try:
            found: object = run([str(argument) for argument in arguments])
        except SystemExit as stopped:
            found = stopped.code
        said = Said(*capsys.readouterr())
        assert found == code, said.err
        return said

    return call


@pytest.fixture(scope="session")
def nearest_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an .onnx file that enlarges RGB twice by repeating pixels."""
    path = tmp_path_factory.mktemp("model") / "nearest-x2.onnx"
    return save_model(path, nearest(3, 2), scale=2)


@pytest.fixture(scope="session")
def luma_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an .onnx file that enlarges luma twice by repeating pixels."""
    path = tmp_path_factory.mktemp("model") / "nearest-luma-x2.onnx"
    return save_model(path, nearest(1, 2), scale=2, content="video")
