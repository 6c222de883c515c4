"""Share one restorer between threads: ``python examples/threads.py a.png b.png c.png``.

A restorer may be called from any thread; calls of a server's requests need no lock. Where one
thread has all the frames, ``stream`` is faster.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

import restore_rt


def main(*paths: str) -> None:
    """Restore each picture on a thread of its own and write it as PATH_x2.png."""
    with restore_rt.load("photo-x2") as restorer, ThreadPoolExecutor(4) as pool:

        def restore(path: str) -> str:
            with Image.open(path) as image:
                result = restorer(np.asarray(image.convert("RGB")))
            target = f"{path.rpartition('.')[0]}_x2.png"
            Image.fromarray(result).save(target)
            return target

        for target in pool.map(restore, paths):
            print(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
