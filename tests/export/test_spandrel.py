"""What spandrel knows: with another module in its place, and with it where it imports."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from restore_rt.errors import InputError
from restore_rt.export.sources import load_source
from tests.export.published import State, saved, srvgg_state

SMALL = {"filters": 6, "growth": 3, "blocks": 2}
COMPACT = srvgg_state(width=4, convs=1, scale=2)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(5)


class Descriptor:
    """What spandrel gives, as far as it is used."""

    def __init__(self, **changes: Any) -> None:
        usual: dict[str, Any] = {
            "model": nn.Upsample(scale_factor=2.0),
            "architecture": SimpleNamespace(name="Plain"),
            "scale": 2,
            "input_channels": 3,
            "output_channels": 3,
            "size_requirements": SimpleNamespace(multiple_of=1, minimum=0, square=False),
            "tiling": SimpleNamespace(name="SUPPORTED"),
            "_call_fn": lambda model, x: model(x) * 0.5,
        }
        self.__dict__.update(usual | changes)


class UnsupportedError(Exception):
    pass


def stub(monkeypatch: pytest.MonkeyPatch, answer: Any, kind: type = Descriptor) -> list[State]:
    """Put a library in the place of spandrel, which gives or raises `answer`."""
    seen: list[State] = []

    class Loader:
        def __init__(self, device: str) -> None:
            assert device == "cpu"

        def load_from_state_dict(self, state: State) -> Any:
            seen.append(state)
            if isinstance(answer, Exception):
                raise answer
            return answer

    library = SimpleNamespace(
        ModelLoader=Loader, UnsupportedModelError=UnsupportedError, ImageModelDescriptor=kind
    )
    monkeypatch.setitem(sys.modules, "spandrel", library)
    return seen


OTHER = {"module.head.weight": torch.rand(3, 3, 1, 1)}


def test_spandrel_makes_what_ours_do_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = SimpleNamespace(multiple_of=48, minimum=96, square=False)
    seen = stub(monkeypatch, Descriptor(size_requirements=sizes))
    source = load_source(saved({"params": OTHER}, tmp_path / "x.pth"))
    # Read by us, and given without its wrapper.
    assert [list(state) for state in seen] == [["module.head.weight"]]
    assert (source.scale, source.colour, source.tile) == (2, "rgb", (288, 288))
    x = torch.rand(1, 3, 2, 2)
    expected = x.repeat_interleave(2, 2).repeat_interleave(2, 3) * 0.5
    assert torch.equal(source.network(x), expected)
    seen.clear()
    assert load_source(saved(COMPACT, tmp_path / "ours.pth")).scale == 2
    assert not seen


class Folds(nn.Module):
    """As SPAN does, it folds its branches anew in every run."""

    def __init__(self) -> None:
        super().__init__()
        self.folded = 0

    def update_params(self) -> None:
        self.folded += 1

    def forward(self, x: Tensor) -> Tensor:
        self.update_params()
        return x


def test_layers_that_fold_in_every_run_fold_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = Folds()
    stub(monkeypatch, Descriptor(model=nn.Sequential(layer), scale=1))
    network = load_source(saved(OTHER, tmp_path / "x.pth")).network
    network(network(torch.rand(1, 3, 2, 2)))
    assert layer.folded == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (UnsupportedError(), "and spandrel, which does not know it"),
        (RuntimeError("size mismatch\nof much"), "spandrel, which fails on it: size mismatch"),
        (Descriptor(input_channels=4), "Plain, which takes 4 channels and gives 3; allowed are"),
        (Descriptor(scale=16), "Plain, which enlarges 16 times; allowed are 1 to 8"),
        (Descriptor(tiling=SimpleNamespace(name="DISCOURAGED")), "looks at the whole picture"),
        (
            Descriptor(size_requirements=SimpleNamespace(multiple_of=1, minimum=0, square=True)),
            "Plain, which takes square pictures alone",
        ),
        (SimpleNamespace(architecture=SimpleNamespace(name="LaMa")), "LaMa, which needs a mask"),
        (Descriptor(_call_fn=None), "of a version that hides how a network is called"),
    ],
)
def test_what_spandrel_makes_that_cannot_be_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any, message: str
) -> None:
    stub(monkeypatch, answer)
    with pytest.raises(InputError, match=message) as caught:
        load_source(saved(OTHER, tmp_path / "x.pth"))
    assert "\n" not in str(caught.value)


def test_without_spandrel_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    path = saved(OTHER, tmp_path / "x.pth")
    message = (
        r"which is not installed; it knows more networks: pip install 'restore-rt\[spandrel\]'"
    )
    with pytest.raises(InputError, match=message):
        load_source(path)
    assert load_source(saved(COMPACT, tmp_path / "ours.pth")).scale == 2


def test_a_spandrel_that_does_not_import_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "spandrel.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')\n"
    )
    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    message = (
        r"does not import \(operator torchvision::nms does not exist\); install the torchvision"
    )
    with pytest.raises(InputError, match=message):
        load_source(saved(OTHER, tmp_path / "x.pth"))


def test_the_real_spandrel_makes_the_same_of_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        import spandrel  # noqa: F401
    except Exception as error:
        pytest.skip(f"spandrel does not import here: {error}")
    from restore_rt.export import foreign

    path = saved(COMPACT, tmp_path / "x.pth")
    ours = load_source(path)
    monkeypatch.setattr(foreign, "recognise", lambda state: None)
    theirs = load_source(path)
    x = torch.rand(1, 3, 9, 8)
    with torch.no_grad():
        torch.testing.assert_close(theirs.network(x), ours.network(x))
    assert (theirs.scale, theirs.colour) == (ours.scale, ours.colour)
