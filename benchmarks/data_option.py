"""The option that names the folder of pictures."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

__all__ = ["add_data_option"]


def add_data_option(
    parser: argparse.ArgumentParser, example: str, *, required: bool = True
) -> None:
    """Add ``--data``; `example` lies in it.

    It may be left out if RESTORE_RT_DATA is set, or if nothing requires it, and is then None.
    """
    default = os.environ.get("RESTORE_RT_DATA")
    parser.add_argument(
        "--data",
        type=Path,
        default=default,
        required=required and default is None,
        help=f"the folder that holds {example} and so on; default: RESTORE_RT_DATA",
    )
