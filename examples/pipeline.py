"""Use a video's restored frames in a program: ``python examples/pipeline.py in.mp4 [SECONDS]``.

Prints how bright each frame is, from a time on, and then where the program's time went. Decoding
and restoring run ahead on their own threads while this program works on a frame.
"""

import sys

import restore_rt
from restore_rt.video import Pipeline


def main(source: str, begin: str = "0") -> None:
    """Print the mean luma of each frame, and the stages."""
    with restore_rt.load("video-x2") as restorer, Pipeline(source, restorer) as pipeline:
        pipeline.seek(float(begin))
        for frame in pipeline:
            print(
                f"{frame.pts_seconds:.3f} s: {frame.planes.y.mean():.1f} "
                f"({pipeline.done} of {pipeline.total or 'unknown'})"
            )
        table = pipeline.table
    for row in table.rows:
        print(f"{row.stage}: {row.milliseconds:.1f} ms per frame")
    print(f"bottleneck: {table.bottleneck}")


if __name__ == "__main__":
    main(*sys.argv[1:])
