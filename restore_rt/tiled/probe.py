"""Trial runs of a network on the CPU, before anything is known of it but its interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from restore_rt.model.graph import inputs_of
from restore_rt.tiled.session import import_onnxruntime
from restore_rt.wording import one_line

if TYPE_CHECKING:
    import onnx

__all__ = ["Probe", "ProbeError"]


class ProbeError(Exception):
    """A trial run failed; the message is one line, for an error of ours."""


class Probe:
    """A network in ONNX Runtime, for inputs of any shape.

    Parameters
    ----------
    network
        With float32 input and output.
    threads
        CPU threads to use.

    Raises
    ------
    ProbeError
        ONNX Runtime cannot open it.
    BackendError
        ONNX Runtime is not installed.
    """

    def __init__(self, network: onnx.ModelProto, threads: int) -> None:
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Failures are told in an error of ours.
        options.log_severity_level = 4
        self._name = inputs_of(network)[0].name
        try:
            self._session = onnxruntime.InferenceSession(
                network.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ProbeError(f"ONNX Runtime cannot open it: {one_line(error)}") from error

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """Run the network.

        Raises
        ------
        ProbeError
            It fails on this input.
        """
        try:
            made: NDArray[Any] = self._session.run(None, {self._name: x})[0]
        except Exception as error:
            raise ProbeError(f"it fails on an input of {x.shape} ({one_line(error)})") from error
        return made
