"""Libraries whose frames lie on the GPU, behind one face."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

__all__ = ["LIBRARIES", "WAYS", "Library", "OnlyDlpack", "OnlyInterface", "open_library"]

Array = NDArray[Any]

LIBRARIES = ("torch", "cupy")

# Of the GPU's clock: a frame that is not waited for would be seen before it is there.
_CYCLES = 200_000_000


class OnlyDlpack:
    """An array that offers itself by DLPack alone."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


class OnlyInterface:
    """An array that offers itself by CUDA's array interface alone."""

    def __init__(self, array: Any) -> None:
        self._array = array

    @property
    def __cuda_array_interface__(self) -> Any:
        return self._array.__cuda_array_interface__


WAYS = (OnlyDlpack, OnlyInterface)


class Library:
    """Puts arrays on the GPU, takes others' there, and has streams of its own."""

    name: str

    def put(self, array: Array) -> Any:
        """Copy an array to the GPU."""
        raise NotImplementedError

    def host(self, array: Any) -> Array:
        """Copy one of its arrays back."""
        raise NotImplementedError

    def take(self, offered: OnlyDlpack | OnlyInterface) -> Array:
        """Copy back what another library offers."""
        raise NotImplementedError

    def tells_stream(self, way: type) -> bool:
        """Tell whether it says on which stream an array is made."""
        raise NotImplementedError

    @contextmanager
    def busy_stream(self) -> Iterator[None]:
        """Make a stream the current one that has long work to do."""
        raise NotImplementedError
        yield

    def put_late(self, array: Array) -> Any:
        """Queue the making of an array, which is zeros until then, on the current stream."""
        raise NotImplementedError


class _Torch(Library):
    name = "torch"

    def __init__(self, torch: Any) -> None:
        if not torch.cuda.is_available():
            pytest.skip("this torch has no CUDA")
        self._torch = torch

    def put(self, array: Array) -> Any:
        return self._torch.from_numpy(array.copy()).cuda()

    def host(self, array: Any) -> Array:
        result: Array = array.cpu().numpy()
        return result

    def take(self, offered: OnlyDlpack | OnlyInterface) -> Array:
        if isinstance(offered, OnlyDlpack):
            return self.host(self._torch.from_dlpack(offered))
        return self.host(self._torch.as_tensor(offered, device="cuda"))

    def tells_stream(self, way: type) -> bool:
        # Its interface is version 2, without a stream.
        return way is OnlyDlpack

    @contextmanager
    def busy_stream(self) -> Iterator[None]:
        with self._torch.cuda.stream(self._torch.cuda.Stream()):
            yield

    def put_late(self, array: Array) -> Any:
        source = self.put(array)
        late = self._torch.zeros_like(source)
        self._torch.cuda.current_stream().synchronize()
        self._torch.cuda._sleep(_CYCLES)
        late.copy_(source)
        return late


class _CuPy(Library):
    name = "cupy"

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy
        self._spin = cupy.RawKernel(
            'extern "C" __global__ void spin(long long n)'
            "{ long long begin = clock64(); while (clock64() - begin < n); }",
            "spin",
        )

    def put(self, array: Array) -> Any:
        return self._cupy.asarray(array)

    def host(self, array: Any) -> Array:
        result: Array = self._cupy.asnumpy(array)
        return result

    def take(self, offered: OnlyDlpack | OnlyInterface) -> Array:
        if isinstance(offered, OnlyDlpack):
            return self.host(self._cupy.from_dlpack(offered))
        return self.host(self._cupy.asarray(offered))

    def tells_stream(self, way: type) -> bool:
        return True

    @contextmanager
    def busy_stream(self) -> Iterator[None]:
        with self._cupy.cuda.Stream(non_blocking=True):
            yield

    def put_late(self, array: Array) -> Any:
        source = self.put(array)
        late = self._cupy.zeros_like(source)
        self._cupy.cuda.get_current_stream().synchronize()
        self._spin((1,), (1,), (np.int64(_CYCLES),))
        late[...] = source
        return late


def open_library(name: str) -> Library:
    """Return a library, or skip where it is not installed or has no CUDA."""
    module = pytest.importorskip(name)
    return {"torch": _Torch, "cupy": _CuPy}[name](module)
