"""The option that names the folder of pictures."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

__all__ = ["add_data_option"]


def add_data_option(parser: argparse.ArgumentParser, example: str) -> None:
    """Add ``--data``, which is required unless RESTORE_RT_DATA is set; `example` lies in it."""
    default = os.environ.get("RESTORE_RT_DATA")
    parser.add_argument(
        "--data",
        type=Path,
        default=default,
        required=default is None,
        help=f"the folder that holds {example} and so on; default: RESTORE_RT_DATA",
    )
