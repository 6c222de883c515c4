"""Degradation steps for the network's input, which recipes compose.

Everything is deterministic: what is random comes from a seeded generator of the caller.
"""

from restore_rt.training.degradations import codecs, holes, optics, printing, resizing, video
from restore_rt.training.degradations.steps import STEPS, Clip, Step, degrade, parse_spec, read_step

__all__ = [
    "STEPS",
    "Clip",
    "Step",
    "codecs",
    "degrade",
    "holes",
    "optics",
    "parse_spec",
    "printing",
    "read_step",
    "resizing",
    "video",
]
