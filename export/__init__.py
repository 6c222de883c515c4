"""The export stage: from a checkpoint to a checked ONNX file with a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if __name__ != "restore_rt.export":
    raise ImportError(
        f"export was imported as {__name__!r}; import it as 'restore_rt.export' "
        "(pip install -e '.[export]'), so that only one copy of it is loaded"
    )

if TYPE_CHECKING:
    from restore_rt.export.exporter import export_onnx
    from restore_rt.export.faults import ExportError

__all__ = ["ExportError", "export_onnx"]


def __getattr__(name: str) -> Any:
    # Late, since building an engine from an ONNX file needs no PyTorch.
    if name == "export_onnx":
        from restore_rt.export.exporter import export_onnx

        return export_onnx
    if name == "ExportError":
        from restore_rt.export.faults import ExportError

        return ExportError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
