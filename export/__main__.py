"""``python -m restore_rt.export CHECKPOINT -o FILE.onnx``."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from restore_rt.errors import InputError, RestoreError
from restore_rt.export.exporter import OPSET, export_onnx


def main(arguments: list[str] | None = None) -> int:
    """Export; 0 on success, else one line on standard error and 1, or 2 for wrong use."""
    parser = argparse.ArgumentParser(
        "python -m restore_rt.export",
        description="Export a checkpoint to a checked ONNX file.",
        epilog="Exit codes: 0 done, 1 failed and nothing was written, 2 wrong use, 130 stopped.",
    )
    parser.add_argument("checkpoint", type=Path, help="what training wrote: last.pt or best.pt")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the ONNX file to write")
    parser.add_argument("--images", type=Path, help="pictures to compare the two networks on")
    parser.add_argument(
        "--tile", type=int, nargs=2, metavar=("H", "W"), help="recommended tile; else the recipe's"
    )
    parser.add_argument("--opset", type=int, default=OPSET, help=f"default {OPSET}")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
    options = parser.parse_args(arguments)
    try:
        export_onnx(
            options.checkpoint,
            options.out,
            images=options.images,
            tile=tuple(options.tile) if options.tile else None,
            opset=options.opset,
            overwrite=options.overwrite,
            say=partial(print, flush=True),
        )
    except RestoreError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
