"""A model repository of Triton Inference Server, of our model files."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from restore_rt.errors import InputError, RestoreError
from restore_rt.export.triton.config import Device, Serving, Versions, model_config
from restore_rt.export.triton.models import ServedModel, read_served_model
from restore_rt.files import output_error

__all__ = ["check_place", "write_repository"]

_CONFIG = "config.pbtxt"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_MOST_VERSION = 2**31 - 1

# What a client has to know of a network that it feeds.
_TOLD = ("task", "content", "scale", "colour", "value_range", "halo", "multiple", "tile")


def write_repository(
    model_paths: Sequence[Path],
    directory: Path,
    *,
    name: str | None = None,
    version: int = 1,
    max_batch_size: int | None = None,
    dynamic_batching: bool = True,
    preferred_batch_sizes: Sequence[int] = (),
    max_queue_delay_us: int = 0,
    instances: int = 1,
    device: Device = "auto",
    gpus: Sequence[int] = (),
    versions: Versions = "latest",
    parameters: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write models to a repository that Triton Inference Server can load.

    Each becomes ``NAME/config.pbtxt`` and ``NAME/VERSION/model.onnx`` (or ``model.plan``). Other
    models there, and other versions of the same model, stay. All of it is written, or nothing.

    Parameters
    ----------
    model_paths
        ``.onnx`` files, and ``.engine`` files with their descriptions beside them.
    directory
        The repository; made if it does not exist.
    name
        Of the model in the repository, if it is one; by default that of its manifest, else of its
        file.
    version
        Number of the version.
    max_batch_size
        The most pictures in a batch; 0 for a model that takes its shapes as they are. By default
        8 or what the engine takes, and 0 where the network has a fixed batch.
    dynamic_batching
        Requests of one size are put together in batches, where batches may be.
    preferred_batch_sizes
        Batches that are run at once; by default any.
    max_queue_delay_us
        How long a request may wait for others, in microseconds.
    instances
        Copies of the network that run at once, on each device.
    device
        Where they run; ``"auto"`` is on GPUs where Triton finds some.
    gpus
        Numbers of the GPUs; by default all.
    versions
        Which versions are served: the newest, all, or those of these numbers.
    parameters
        Settings for the backend, by name, beside those that tell a client of the network
        (``restore_rt.scale`` and others).
    overwrite
        A version that exists, and a configuration that differs, may be replaced.

    Returns
    -------
    list of Path
        The folders of the models.

    Raises
    ------
    ModelError
        A file is no model, is damaged, or takes what Triton has no type for.
    InputError
        An option has a value that is not allowed, or something exists and may not be replaced.
    OutputError
        The repository cannot be written.
    """
    serving = Serving(
        max_batch_size=max_batch_size,
        dynamic_batching=dynamic_batching,
        preferred_batch_sizes=preferred_batch_sizes,
        max_queue_delay_us=max_queue_delay_us,
        instances=instances,
        device=device,
        gpus=gpus,
        versions=versions,
    )
    models = _models(model_paths, name)
    for model in models:
        check_place(directory, model.name, version, overwrite=overwrite)
    configs = {model.name: _config(model, serving, parameters or {}) for model in models}
    texts = {
        name: _config_text(directory / name, config, overwrite=overwrite)
        for name, config in configs.items()
    }
    _write(models, texts, directory, version)
    return [directory / model.name for model in models]


def _models(paths: Sequence[Path], name: str | None) -> list[ServedModel]:
    if not paths:
        raise InputError("no model is given; give at least one .onnx or .engine file")
    if name is not None and len(paths) > 1:
        raise InputError(f"name is {name!r}, for {len(paths)} models; give one model, or no name")
    models = [read_served_model(path, name) for path in paths]
    twice = [name for name, count in Counter(model.name for model in models).items() if count > 1]
    if twice:
        raise InputError(f"two models are called {twice[0]!r}; write them one by one, with names")
    return models


def _config(model: ServedModel, serving: Serving, parameters: Mapping[str, str]) -> ModelConfig:
    facts = {}
    if model.manifest is not None:
        for key in _TOLD:
            value = getattr(model.manifest, key)
            facts[f"restore_rt.{key}"] = value if isinstance(value, str) else json.dumps(value)
    return model_config(
        model.name,
        model.kind,
        model.inputs,
        model.outputs,
        serving,
        parameters={**facts, **parameters},
        most_batch=model.most_batch,
    )


def check_place(directory: Path, name: str, version: int, *, overwrite: bool = False) -> None:
    """Refuse, before any work, a model or version that a repository cannot have or would lose.

    Raises `InputError` if the name or the version is none, is taken, or lies where a file is;
    `OutputError` if the repository cannot be read.
    """
    if type(version) is not int or not 1 <= version <= _MOST_VERSION:
        raise InputError(f"version is {version!r}; it must be a whole number from 1 upwards")
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be the name of a model in Triton: allowed are letters, digits, _, - "
            "and dots, not first; give another name"
        )
    folder = directory / name
    try:
        for path in (folder, directory):
            if path.exists() and not path.is_dir():
                raise InputError(f"cannot write to {path}: it is a file, not a folder")
        if not overwrite and (folder / str(version)).exists():
            raise InputError(
                f"{folder / str(version)} exists; give another version, or --overwrite to "
                "replace it"
            )
    except OSError as error:
        raise output_error(error, folder) from error


def _config_text(folder: Path, config: ModelConfig, *, overwrite: bool) -> str:
    """Return the text to write: the existing file's if it says the same, comments included.

    Raises `InputError` if the existing file says something else and may not be replaced,
    `OutputError` if it cannot be read.
    """
    path = folder / _CONFIG
    try:
        before = path.read_text("utf-8", errors="replace") if path.exists() else None
    except OSError as error:
        raise output_error(error, folder) from error
    if before is not None:
        try:
            same = text_format.Parse(before, ModelConfig()) == config
        except text_format.ParseError:
            same = False
        if same:
            return before
        if not overwrite:
            raise InputError(
                f"{path} differs from what this model and these options need, and all versions "
                "share it; give the options of before, or --overwrite to replace it"
            )
    return str(text_format.MessageToString(config, as_utf8=True))


def _write(
    models: list[ServedModel], texts: Mapping[str, str], directory: Path, version: int
) -> None:
    """Write all to a hidden folder of the same disk, then move it into place or take it back."""
    made = not directory.exists()
    staging = directory / f".restore-rt-{secrets.token_hex(6)}"
    moved: list[tuple[Path, Path | None]] = []
    try:
        directory.mkdir(exist_ok=True)
        staging.mkdir()
        for model in models:
            new = staging / model.name / str(version)
            new.mkdir(parents=True)
            shutil.copyfile(model.path, new / model.file)
            (new.parent / _CONFIG).write_text(texts[model.name], "utf-8")
            for path in (new / model.file, new.parent / _CONFIG):
                _flush(path)
        for model in models:
            target = directory / model.name
            new = staging / model.name
            if not target.exists():
                _move(new, target, moved, staging)
                continue
            _move(new / str(version), target / str(version), moved, staging)
            _move(new / _CONFIG, target / _CONFIG, moved, staging)
    except BaseException as error:
        for target, before in reversed(moved):
            _remove(target)
            if before is not None:
                before.rename(target)
        _remove(staging)
        if made and directory.is_dir() and not any(directory.iterdir()):
            directory.rmdir()
        if isinstance(error, OSError) and not isinstance(error, RestoreError):
            raise output_error(error, directory) from error
        raise
    _remove(staging)


def _move(new: Path, target: Path, moved: list[tuple[Path, Path | None]], staging: Path) -> None:
    before = None
    if target.exists():
        before = staging / f"before-{len(moved)}"
        target.rename(before)
    try:
        new.rename(target)
    except BaseException:
        if before is not None:
            before.rename(target)
        raise
    moved.append((target, before))


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
