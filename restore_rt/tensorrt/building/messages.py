"""TensorRT's messages, and the explanation of failures from them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from restore_rt.tensorrt.library import Library
from restore_rt.wording import one_line

if TYPE_CHECKING:
    from restore_rt.tensorrt.api import Parser, TensorRt

__all__ = ["Log", "explain", "log_of", "parser_errors"]

_MOST_KEPT = 100
_MOST_SHOWN = 3

# What is said on any machine without a GPU, beside the reason.
_NOISE = ("catchCudaError", "Thread context has not been set", "cudaResources.cpp")

_MEMORY = ("workspace", "out of memory", "outofmemory", "could not find any implementation")
_MEMORY_FIX = (
    "Most often that is too little memory: give a larger --workspace or none, a smaller profile, "
    "or end other programs on the GPU"
)
_DRIVER = ("insufficient for cuda runtime", "no cuda-capable device")
_DRIVER_FIX = "NVIDIA's driver is missing or too old for this library"


class Log:
    """The errors of the build that is under way.

    Attributes
    ----------
    logger
        Argument of TensorRT's constructors.
    errors
        Messages; cleared before each build.
    """

    def __init__(self, trt: TensorRt) -> None:
        self.errors: list[str] = []
        errors, severity = self.errors, trt.ILogger.Severity
        serious = (severity.ERROR, severity.INTERNAL_ERROR)

        class Logger(trt.ILogger):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            # An exception would go through C++, which does not expect it.
            def log(self, severity: Any, msg: str) -> None:
                if severity in serious and len(errors) < _MOST_KEPT:
                    errors.append(msg)

        self.logger: Any = Logger()


@functools.cache
def log_of(library: Library) -> Log:
    """Return the log of a library; always the same, as a library keeps its first logger."""
    return Log(library.module)


def parser_errors(parser: Parser) -> list[str]:
    """Return the parser's errors, with the node's name."""
    found = []
    for index in range(parser.num_errors):
        error = parser.get_error(index)
        number, operator = error.node(), error.node_operator()
        where = ""
        if number >= 0 and operator:
            where = f"node {error.node_name() or number} ({operator}): "
        found.append(where + _essence(error.desc()))
    return found


def explain(errors: list[str]) -> str:
    """Return a failure's messages on one line, with a remedy if known."""
    telling = [_essence(text) for text in errors if not any(mark in text for mark in _NOISE)]
    shown = list(dict.fromkeys(telling or map(_essence, errors)))[:_MOST_SHOWN]
    text = "; ".join(shown) or "it does not say why"
    lower = " ".join(errors).lower()
    if any(mark in lower for mark in _MEMORY):
        text += f". {_MEMORY_FIX}"
    elif not telling and any(mark in lower for mark in _DRIVER):
        text += f". {_DRIVER_FIX}"
    return text


def _essence(text: str) -> str:
    lines = [line for line in text.splitlines() if not any(mark in line for mark in _NOISE)]
    return one_line(Exception(" ".join(lines or text.splitlines())))
