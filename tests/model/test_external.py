"""Weights in files beside a model's: read from its own folder only."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest

import restore_rt
from restore_rt.cli import run
from restore_rt.errors import ModelError
from restore_rt.model import external
from restore_rt.model.reading import read_model
from tests.networks import MakeModel, nearest, network
from tests.pixels import enlarged, random_frame


def written(folder: Path, *, location: str = "weights.data", files: int = 1) -> Path:
    """Write a model of two convolutions whose weights lie in one file or in one for each."""
    kernels = [np.eye(3)[:, :, np.newaxis, np.newaxis], *nearest(3, 2)]
    model = network(kernels, 2)
    for index, tensor in enumerate(model.graph.initializer):
        file = location if files == 1 else f"w{index}.bin"
        onnx.external_data_helper.set_external_data(tensor, file)
    path = folder / "model.onnx"
    onnx.save(model, path)
    return path


def placed(path: Path, **entries: str) -> Path:
    """Change where the first tensor of a model lies."""
    model = onnx.load(path, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key in entries:
            entry.value = entries.pop(entry.key)
    for key, value in entries.items():
        model.graph.initializer[0].external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("files", [1, 2])
def test_weights_beside_the_model_are_read(
    tmp_path: Path, rng: np.random.Generator, files: int
) -> None:
    path = written(tmp_path, files=files)
    assert len(list(tmp_path.iterdir())) == 1 + files
    frame = random_frame(rng, (40, 50, 3), np.uint8)
    with restore_rt.load(path, threads=1) as restorer:
        np.testing.assert_array_equal(restorer(frame), enlarged(frame, 2))


def test_a_manifest_fits_weights_in_another_file(make_model: MakeModel, tmp_path: Path) -> None:
    model = onnx.load(make_model(nearest(3, 2), scale=2))
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / "moved.onnx"
    onnx.save(model, path, save_as_external_data=True, location="w.data", size_threshold=0)
    assert restore_rt.load(path, threads=1).manifest.scale == 2
    # Another model's weights are told, as they are in a single file.
    data = bytearray((tmp_path / "out" / "w.data").read_bytes())
    data[2] ^= 0x40
    (tmp_path / "out" / "w.data").write_bytes(data)
    with pytest.raises(
        ModelError, match=r"the weights in .* are not those that its manifest names"
    ):
        restore_rt.load(path, threads=1)


def test_a_folder_within_the_folder_and_a_link_within_it_are_fine(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "weights.data").rename(tmp_path / "parts" / "w")
    (tmp_path / "weights.data").symlink_to(Path("parts", "w"))
    whole = read_model(path)
    assert read_model(placed(path, location="parts/w")) == whole
    # As Windows writes it.
    assert read_model(placed(path, location="parts\\w")) == whole


@pytest.mark.parametrize(
    "location",
    [
        "/etc/passwd",
        "../secret",
        "parts/../../secret",
        "..\\secret",
        "C:\\secret",
        "C:secret",
        "\\\\server\\secret",
        "",
        ".",
        "..",
    ],
)
def test_no_other_folder_is_read(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(4096))
    (tmp_path / "model").mkdir()
    path = placed(written(tmp_path / "model"), location=location)
    with pytest.raises(ModelError, match=r"allowed are files in the model's own folder") as caught:
        read_model(path)
    assert repr(location) in str(caught.value)


@pytest.mark.parametrize("through", ["file", "folder"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, through: str) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "other").mkdir()
    path = written(tmp_path / "model")
    (tmp_path / "model" / "weights.data").rename(tmp_path / "other" / "weights.data")
    if through == "file":
        (tmp_path / "model" / "weights.data").symlink_to(tmp_path / "other" / "weights.data")
    else:
        (tmp_path / "model" / "parts").symlink_to(tmp_path / "other")
        placed(path, location="parts/weights.data")
    with pytest.raises(ModelError, match=r"a link to '.*other/weights.data'; allowed are files in"):
        read_model(path)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "weights.data").unlink()
    os.mkfifo(tmp_path / "weights.data")
    with pytest.raises(ModelError, match="no regular file"):
        read_model(path)
    (tmp_path / "weights.data").unlink()
    (tmp_path / "weights.data").mkdir()
    with pytest.raises(ModelError, match="no regular file"):
        read_model(path)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"offset": "100000"}, r"needs bytes 100000 to .* of 'weights.data', which has \d+: .*cut"),
        ({"length": "100000"}, r"needs bytes 0 to 100000 of .* cut off"),
        ({"offset": "-1"}, "the offset '-1' .* whole number"),
        ({"length": "1e3"}, "the length '1e3' .* whole number"),
        ({"length": "9" * 40}, "the length '9+' .* whole number"),
        ({"length": "8"}, r"has 8 bytes of data, and its shape \[3, 3, 1, 1\] needs 36"),
    ],
)
def test_a_wrong_place_in_the_file_is_an_error(
    tmp_path: Path, entries: dict[str, str], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        read_model(placed(written(tmp_path), **entries))


def test_more_data_than_a_model_can_have_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path)
    with (tmp_path / "weights.data").open("wb") as file:
        file.truncate(2**31)
    placed(path, length=str(2**31))
    monkeypatch.setattr(external, "_read", lambda *_: pytest.fail("it was read"))
    with pytest.raises(ModelError, match=r"more than .* bytes, which is the limit"):
        read_model(path)


def test_the_command_names_the_missing_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path)
    (tmp_path / "weights.data").unlink()
    assert run(["info", str(path)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"'weights.data', which is not in {str(tmp_path)!r}: get that file, too" in error
