"""Show a camera's picture restored: ``python examples/camera.py``; Esc ends it.

The argument is a camera's number (0 by default) or a file. Showing a window needs the package
``opencv-python``; ``opencv-python-headless`` has no windows.
"""

import sys

import cv2

import restore_rt

ESCAPE = 27


def main(source: str = "0") -> None:
    """Restore and show frames until Esc is pressed or none is left."""
    camera = cv2.VideoCapture(int(source) if source.isdigit() else source)
    # The newest frame is wanted, not the oldest that waits.
    camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    with restore_rt.load("video-x2") as restorer:
        while cv2.waitKey(1) != ESCAPE:
            found, frame = camera.read()
            if not found:
                break
            cv2.imshow("restore_rt", restorer(frame, channel_order="bgr"))
    camera.release()


if __name__ == "__main__":
    main(*sys.argv[1:])
