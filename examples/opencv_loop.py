"""Restore a video in an OpenCV loop: ``python examples/opencv_loop.py in.mp4 out.mp4``.

OpenCV's frames are BGR, which is said in the call; results are BGR then, too. They are written into
one buffer, so that the loop allocates no frame of its own. Sound and exact timestamps are lost: see
pyav_frames.py.
"""

import sys

import cv2
import numpy as np

import restore_rt


def main(source: str, target: str) -> None:
    """Read, restore and write one frame after another."""
    video = cv2.VideoCapture(source)
    width, height = (int(video.get(side)) for side in (3, 4))
    with restore_rt.load("video-x2") as restorer:
        larger = np.empty((height * restorer.scale, width * restorer.scale, 3), np.uint8)
        size = (larger.shape[1], larger.shape[0])
        codec = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(target, codec, video.get(cv2.CAP_PROP_FPS), size)
        while True:
            found, frame = video.read()
            if not found:
                break
            restorer(frame, out=larger, channel_order="bgr")
            writer.write(larger)
    writer.release()
    video.release()


if __name__ == "__main__":
    main(*sys.argv[1:])
