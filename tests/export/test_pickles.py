"""A checkpoint that carries code does not run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from restore_rt.errors import InputError
from restore_rt.export.sources import load_source
from tests.export.published import saved, srvgg_state


class Creates:
    """On being unpickled, makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


class Runs:
    """On being unpickled, runs a line of Python."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (f"open({str(self.path)!r}, 'w').close()",)


@pytest.mark.parametrize("kind", [Creates, Runs])
@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", ["x.pth", "x.pt", "x.ckpt", "pytorch_model.bin"])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, kind: type, legacy: bool, name: str) -> None:
    marker = tmp_path / "marker"
    content = {"params": srvgg_state(width=4, convs=1, scale=2), "more": kind(marker)}
    path = saved(content, tmp_path / name, _use_new_zipfile_serialization=not legacy)
    # The file would do it to who trusts it.
    torch.load(path, weights_only=False)
    assert marker.exists()
    marker.unlink()
    with pytest.raises(InputError, match=r"holds Python objects .*code from the file, so nothing"):
        load_source(path)
    assert not marker.exists()


def test_a_whole_module_is_refused_by_its_name(tmp_path: Path) -> None:
    path = saved(nn.Sequential(nn.Conv2d(3, 3, 1)), tmp_path / "x.pth")
    message = r"objects \(torch\.nn\.modules\.\S+\) besides .*torch\.save\(model\.state_dict\(\)"
    with pytest.raises(InputError, match=message):
        load_source(path)
