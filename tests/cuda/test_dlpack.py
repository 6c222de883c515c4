"""DLPack in the extension, with NumPy as the partner: the build for the host offers our memory."""

from __future__ import annotations

import gc
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from restore_rt.errors import InputError
from tests.cuda.place import HostPlace


class Offer:
    """What NumPy takes: it calls these two."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.int32])
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_offered_is_the_same_memory(kernels: ModuleType, dtype: type, order: Any) -> None:
    array: NDArray[Any] = np.asarray(np.arange(24).reshape(4, 6), dtype, order=order)
    memory = HostPlace(kernels).put(array)
    taken = np.from_dlpack(Offer(kernels.to_dlpack(memory, 0)))
    assert taken.dtype == array.dtype
    assert taken.strides == array.strides
    assert taken.ctypes.data == memory.like.ctypes.data
    np.testing.assert_array_equal(taken, array)


def test_memory_lives_until_the_taker_lets_go(kernels: ModuleType) -> None:
    memory = HostPlace(kernels).put(np.arange(5, dtype=np.uint8))
    before = sys.getrefcount(memory)
    taken = np.from_dlpack(Offer(kernels.to_dlpack(memory, 0)))
    assert sys.getrefcount(memory) == before + 1
    del taken
    gc.collect()
    assert sys.getrefcount(memory) == before


def test_an_offer_that_nobody_takes_lets_go_by_itself(kernels: ModuleType) -> None:
    memory = HostPlace(kernels).put(np.arange(5, dtype=np.uint8))
    before = sys.getrefcount(memory)
    capsule = kernels.to_dlpack(memory, 0)
    assert sys.getrefcount(memory) == before + 1
    del capsule
    assert sys.getrefcount(memory) == before


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32])
def test_what_is_taken_is_the_same_memory(kernels: ModuleType, dtype: type) -> None:
    array: NDArray[Any] = np.arange(24).astype(dtype).reshape(4, 6)[1:, ::2]
    taken = kernels.from_dlpack(array.__dlpack__())
    fields = taken.__cuda_array_interface__
    assert fields["shape"] == array.shape
    assert np.dtype(fields["typestr"]) == array.dtype
    assert fields["data"] == (array.ctypes.data, False)
    assert fields["strides"] == array.strides


def test_what_was_taken_is_given_back(kernels: ModuleType) -> None:
    array = np.arange(6, dtype=np.float32)
    before = sys.getrefcount(array)
    taken = kernels.from_dlpack(array.__dlpack__())
    assert sys.getrefcount(array) > before
    del taken
    gc.collect()
    assert sys.getrefcount(array) == before


def test_a_capsule_is_taken_once(kernels: ModuleType) -> None:
    capsule = np.arange(6, dtype=np.float32).__dlpack__()
    kernels.from_dlpack(capsule)
    with pytest.raises(InputError, match="can be taken once"):
        kernels.from_dlpack(capsule)


def test_other_types_are_refused_both_ways(kernels: ModuleType) -> None:
    with pytest.raises(InputError, match="integers or floats of whole bytes"):
        kernels.from_dlpack(np.zeros(3, np.complex64).__dlpack__())
    memory = HostPlace(kernels).put(np.zeros(3, np.complex64))
    with pytest.raises(InputError, match="DLPack passes on integers and floats"):
        kernels.to_dlpack(memory, 0)
