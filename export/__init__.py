"""The export stage: a checkpoint becomes an ONNX file that was checked and describes itself."""

if __name__ != "restore_rt.export":
    raise ImportError(
        f"export was imported as {__name__!r}; import it as 'restore_rt.export' "
        "(pip install -e '.[export]'), so that only one copy of it is loaded"
    )

from restore_rt.export.exporter import ExportError, export_onnx

__all__ = ["ExportError", "export_onnx"]
