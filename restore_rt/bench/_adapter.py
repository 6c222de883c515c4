from typing import Any

import restore_rt
from restore_rt.restorer import Restorer

if not hasattr(Restorer, "device"):
    Restorer.device = property(lambda self: "cpu" if self.lane is None else "cuda")  # type: ignore


def load(model: str, *, device: str, backend: str, precision: str, **more: Any) -> Restorer:
    provider: Any = "tensorrt" if backend == "tensorrt" else device.partition(":")[0]
    chosen: Any = "auto" if backend == "tensorrt" else backend
    narrow: Any = None if precision == "auto" else precision
    return restore_rt.load(model, provider=provider, backend=chosen, precision=narrow, **more)
