"""A fake TensorRT, and its backends on a fake GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from restore_rt.model.manifest import Manifest
from restore_rt.tensorrt.backend import TensorRtBackend, open_network_backend
from restore_rt.tensorrt.library import Library
from tests.gpu.fake_gpu import Gpu
from tests.tensorrt.fake_runtime import FakeRuntime

Opened = Callable[..., TensorRtBackend]


@pytest.fixture
def fake() -> FakeRuntime:
    """Return a fake TensorRT with a runtime."""
    return FakeRuntime()


@pytest.fixture
def opened(model: onnx.ModelProto, manifest: Manifest, gpu: Gpu, cache: Path) -> Opened:
    """Return a function that opens ``model``, or another ``network``, in a fake or real library."""
    usual: dict[str, Any] = {"network": model, "gpu": gpu, "folder": cache}

    def open_with(library: FakeRuntime | Library, **changes: Any) -> TensorRtBackend:
        options = usual | changes
        gpu = options.pop("gpu")
        return open_network_backend(
            options.pop("network"),
            manifest,
            library=library if isinstance(library, Library) else library.library(),
            device=gpu.device,
            stream=gpu.stream,
            pool=gpu.pool,
            **options,
        )

    return open_with
