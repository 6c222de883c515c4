"""That the mask of `make test-isa` takes effect; run by tests/isa/run.py alone, under the mask."""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor

from restore_rt import _ext
from tests.isa.test_sums import WHITE, largest_sums, off
from tests.native.test_native_int8 import by_onnx_runtime


def test_no_thread_and_no_backend_sees_what_is_masked() -> None:
    mask = ctypes.CDLL(os.environ["RESTORE_RT_MASK"])
    with ThreadPoolExecutor(1) as pool:
        for look in (mask.rrt_sees_vnni, mask.rrt_sees_avx512):
            assert not look()
            assert not pool.submit(look).result()
    assert _ext.cpu_adds_bytes_in_16_bits()
    assert not _ext.has_vnni()


def test_the_sums_of_onnx_runtime_saturate() -> None:
    model = largest_sums(127)
    assert off(by_onnx_runtime(model, WHITE), model) > 0.1
