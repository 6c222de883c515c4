"""Networks of the library spandrel, which is imported only when needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from restore_rt.errors import ModelError

__all__ = ["SpandrelError", "Taken", "load_with_spandrel"]

_INSTALL = "pip install 'restore-rt[spandrel]'"


class SpandrelError(ModelError):
    """Spandrel is missing or does not know a network, or the network cannot be exported."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A network that spandrel made, called `title` there, in eval mode.

    It takes (N, C, H, W) and gives (N, C, scale*H, scale*W), values 0 to 1; `channels` is C, 1 or
    3. Height and width must be multiples of `multiple`, and at least `minimum`.
    """

    network: nn.Module
    scale: int
    channels: int
    multiple: int
    minimum: int
    title: str


def load_with_spandrel(states: Sequence[Mapping[str, Tensor]]) -> Taken:
    """Return the network of one of the states, if spandrel knows it.

    Spandrel gets weights that were read without it, so it reads no file. Raises `SpandrelError` if
    it cannot; the message follows "spandrel".
    """
    library = _import()
    found = next((made for state in states if (made := _make(library, state))), None)
    if found is None:
        raise SpandrelError("does not know it")
    title = str(found.architecture.name)
    if not isinstance(found, library.ImageModelDescriptor):
        raise SpandrelError(f"knows it as {title}, which needs a mask beside the picture")
    channels = found.input_channels
    if channels != found.output_channels or channels not in (1, 3):
        raise SpandrelError(
            f"knows it as {title}, which takes {channels} channels and gives "
            f"{found.output_channels}; allowed are 3 and 3, or 1 and 1"
        )
    sizes = found.size_requirements
    if sizes.square:
        raise SpandrelError(f"knows it as {title}, which takes square pictures alone")
    if found.tiling.name != "SUPPORTED":
        raise SpandrelError(
            f"knows it as {title}, which looks at the whole picture, so it cannot run on tiles"
        )
    return Taken(
        network=_Called(found).eval(),
        scale=found.scale,
        channels=channels,
        multiple=sizes.multiple_of,
        minimum=sizes.minimum,
        title=title,
    )


def _make(library: Any, state: Mapping[str, Tensor]) -> Any:
    try:
        return library.ModelLoader(device="cpu").load_from_state_dict(dict(state))
    except library.UnsupportedModelError:
        return None
    except Exception as error:
        # Its readers of each architecture fail in many ways on what only looks like theirs.
        raise SpandrelError(f"fails on it: {_first_line(error)}") from error


def _import() -> Any:
    try:
        import spandrel
    except ImportError as error:
        if error.name == "spandrel":
            raise SpandrelError(f"is not installed; it knows more networks: {_INSTALL}") from None
        raise _broken(error) from error
    except Exception as error:
        # Torchvision of another build than torch ends in a RuntimeError, for one.
        raise _broken(error) from error
    return spandrel


def _broken(error: Exception) -> SpandrelError:
    return SpandrelError(
        f"is installed but does not import ({_first_line(error)}); install the torchvision that is "
        f"built for this torch, or both anew: {_INSTALL}"
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


class _Called(nn.Module):
    """A network with what spandrel does around it: some take or give other values than 0 to 1.

    Calling the descriptor itself would pad to sizes known only when it runs, which cannot be
    exported.
    """

    def __init__(self, descriptor: Any) -> None:
        super().__init__()
        self.network = descriptor.model
        call = getattr(descriptor, "_call_fn", None)
        if call is None:
            raise SpandrelError(
                "is of a version that hides how a network is called; use 0.4, which was tried"
            )
        self._call: Callable[[nn.Module, Tensor], Tensor] = call
        _settle(self.network)

    def forward(self, x: Tensor) -> Tensor:
        return self._call(self.network, x)


def _settle(network: nn.Module) -> None:
    """Let layers fold their branches once; SPAN does it in each run, which crashes the export."""
    for module in network.eval().modules():
        fold = getattr(module, "update_params", None)
        if callable(fold):
            fold()
            module.__dict__["update_params"] = _nothing


def _nothing() -> None:
    pass
