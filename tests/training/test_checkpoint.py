from __future__ import annotations

import errno
from pathlib import Path

import pytest
from torch import nn

from restore_rt.errors import InputError, OutputError
from restore_rt.training.loop.checkpoint import load_checkpoint, load_weights, save_checkpoint


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"step": 3})
    assert load_checkpoint(path)["step"] == 3
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match=r"last\.pt cannot be read as a checkpoint"):
        load_checkpoint(path)
    with pytest.raises(InputError, match="no checkpoint at"):
        load_checkpoint(tmp_path / "none.pt")


@pytest.mark.parametrize(
    ("code", "what"), [(errno.ENOSPC, "the disk is full"), (errno.EIO, "the disk reports an error")]
)
def test_a_full_disk_is_one_error_and_leaves_the_former_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, what: str
) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"step": 3})

    def full(self: Path, data: object) -> int:
        raise OSError(code, "as the system says it")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=rf"cannot write .*last\.pt: {what}"):
        save_checkpoint(path, {"step": 4})
    assert load_checkpoint(path)["step"] == 3
    assert list(tmp_path.iterdir()) == [path]


def test_weights_of_another_network_are_one_error() -> None:
    with pytest.raises(InputError, match=r"last\.pt does not fit .*weight") as caught:
        load_weights(nn.Conv2d(1, 1, 1), {}, Path("last.pt"))
    assert "\n" not in str(caught.value)
