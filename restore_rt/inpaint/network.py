"""A network that is given a picture with holes, in ONNX Runtime on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from restore_rt.tiled.session import Sessions, import_onnxruntime

if TYPE_CHECKING:
    import onnx

__all__ = ["OWN", "Convention", "InpaintNetwork", "Range"]

Range = tuple[float, float]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Convention:
    """How a network takes a picture and its holes.

    Attributes
    ----------
    image, mask
        Names of the inputs. Without ``mask`` there is one input of four channels, the mask first.
    taken, given
        Black and white of the picture that it takes, and of that which it gives.
    known, hole
        Values of the mask.
    integers, integer_mask
        Whether the picture, and whether the mask, is uint8.
    blanked
        Whether holes are 0 in the picture that it takes, rather than filled.
    """

    image: str = "image"
    mask: str | None = "mask"
    taken: Range = (0.0, 1.0)
    given: Range = (0.0, 1.0)
    known: float = 0.0
    hole: float = 1.0
    integers: bool = False
    integer_mask: bool = False
    blanked: bool = False

    def inputs(self, image: Floats, holes: Floats) -> dict[str, NDArray[Any]]:
        """Return what the network takes.

        Parameters
        ----------
        image
            (N, 3, H, W), 0 to 1.
        holes
            (N, 1, H, W), 1 in holes, else 0.
        """
        black, white = self.taken
        picture = image if self.taken == (0.0, 1.0) else image * (white - black) + black
        if self.blanked:
            picture = picture * (1 - holes)
        mask = holes if (self.known, self.hole) == (0.0, 1.0) else self._mask(holes)
        if self.mask is None:
            return {self.image: np.concatenate([mask, picture], axis=1)}
        return {
            self.image: _bytes(picture) if self.integers else picture,
            self.mask: _bytes(mask) if self.integer_mask else mask,
        }

    def picture(self, made: NDArray[Any]) -> Floats:
        """Return what the network gave, 0 to 1."""
        black, white = self.given
        result = made.astype(np.float32, copy=False)
        return result if self.given == (0.0, 1.0) else (result - black) / (white - black)

    def _mask(self, holes: Floats) -> Floats:
        return self.known + holes * np.float32(self.hole - self.known)


def _bytes(values: Floats) -> NDArray[np.uint8]:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


OWN = Convention()
"""That of models with a manifest."""


class InpaintNetwork(Sessions):
    """A network and its convention; one session serves all sizes.

    Parameters
    ----------
    model
        The network.
    convention
        How it takes pictures and holes.
    threads
        Threads that one run may use, at least 1.

    Raises
    ------
    BackendError
        ``onnxruntime`` is not installed.
    """

    name = "onnxruntime"

    def __init__(self, model: onnx.ModelProto, convention: Convention, *, threads: int) -> None:
        library = import_onnxruntime()
        super().__init__(library, model, threads=threads)
        self.description = f"ONNX Runtime {library.__version__}, {threads} threads"
        self._convention = convention

    def run(self, image: Floats, holes: Floats) -> Floats:
        """Return the network's picture, (N, 3, H, W), 0 to 1.

        Parameters
        ----------
        image, holes
            See ``Convention.inputs``.

        Raises
        ------
        BackendError
            The library failed, or memory ran out.
        """
        made = self.run_raw(self._convention.inputs(image, holes), image.shape)
        return self._convention.picture(made)

    def run_raw(self, inputs: dict[str, NDArray[Any]], shape: tuple[int, ...]) -> NDArray[Any]:
        """Return what the network gives for inputs of its own kind; ``shape`` is for errors."""
        # Damage of one picture comes in tiles of many sizes, each level of a pyramid has its own.
        session = self._opened(()).session
        try:
            made: NDArray[Any] = session.run([self._output], inputs)[0]
        except Exception as error:
            raise self._translated(error, shape) from error
        return made

    def _fixed_sizes(self, shape: tuple[int, ...]) -> dict[str, int]:
        return {}
