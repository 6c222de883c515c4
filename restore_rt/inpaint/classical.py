"""OpenCV's in-painting, which needs no model."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import InputError, MissingBackendError

__all__ = ["METHODS", "Method", "fill_classically", "import_opencv"]

Method = Literal["telea", "ns", "fsr"]
METHODS: tuple[str, ...] = get_args(Method)

# Pixels around a hole that Telea's and the Navier-Stokes method look at.
_RADIUS = 3.0


def fill_classically(
    frame: NDArray[Any], holes: NDArray[np.uint8], *, method: Method
) -> NDArray[Any]:
    """Return a frame with its holes filled by OpenCV, in 8 or 16 bits; fsr in 8 bits alone.

    Parameters
    ----------
    frame
        (H, W) or (H, W, 3), uint8, uint16 or float32.
    holes
        (H, W), uint8, not 0 in holes.
    method
        ``"telea"`` (fast marching), ``"ns"`` (Navier-Stokes) or ``"fsr"`` (frequency selective
        reconstruction, slow and the best of them; in opencv-contrib alone).

    Raises
    ------
    InputError
        There is no such method.
    MissingBackendError
        OpenCV is not installed, or without the part that has the method.
    """
    if method not in METHODS:
        raise InputError(f"method is {method!r}; allowed are {', '.join(METHODS)}")
    cv2 = import_opencv(method)
    source = np.ascontiguousarray(frame)
    # OpenCV 5.0 takes other types, too, and fills them with wrong values.
    working = np.uint8 if method == "fsr" or source.dtype == np.uint8 else np.uint16
    filled = _filled(cv2, _converted(source, np.dtype(working)), holes, method)
    return _converted(filled, source.dtype)


def _filled(
    cv2: Any, source: NDArray[Any], holes: NDArray[np.uint8], method: Method
) -> NDArray[Any]:
    if method == "fsr":
        filled = source.copy()
        # Here what is not 0 is known.
        known = np.where(holes == 0, np.uint8(255), np.uint8(0))
        cv2.xphoto.inpaint(source, known, filled, cv2.xphoto.INPAINT_FSR_FAST)
        return filled
    flag = cv2.INPAINT_TELEA if method == "telea" else cv2.INPAINT_NS
    if source.dtype == np.uint8 or source.ndim == 2:
        return np.asarray(cv2.inpaint(source, holes, _RADIUS, flag))
    # Of more than 8 bits it takes one channel alone.
    planes = [
        cv2.inpaint(np.ascontiguousarray(source[..., channel]), holes, _RADIUS, flag)
        for channel in range(source.shape[2])
    ]
    return np.stack(planes, axis=-1)


def _converted(frame: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return samples of another type, black and white being those of the types."""
    if frame.dtype == dtype:
        return frame
    before, after = (1 if d == np.float32 else np.iinfo(d).max for d in (frame.dtype, dtype))
    values = frame.astype(np.float32) * np.float32(after / before)
    return np.asarray(
        values if dtype == np.float32 else np.rint(np.clip(values, 0, after)).astype(dtype)
    )


def import_opencv(method: str) -> Any:
    """Return OpenCV's module.

    Raises
    ------
    MissingBackendError
        It is not installed, or without the part that has the method.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingBackendError(
            f"the method {method} needs OpenCV, which is not installed: "
            "pip install 'restore-rt[inpaint]'"
        ) from error
    if method == "fsr" and not hasattr(cv2, "xphoto"):
        raise MissingBackendError(
            "the method fsr needs OpenCV's contributed modules, and the OpenCV here is without "
            "them: pip uninstall opencv-python opencv-python-headless, then "
            "pip install 'restore-rt[inpaint]'"
        )
    return cv2
