"""A window that shows restored frames, beside what they were before."""

from __future__ import annotations

import os
from collections import deque
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from restore_rt.errors import OutputError
from restore_rt.live.clock import RunClock
from restore_rt.live.sink import Sink
from restore_rt.video.clock import Frame
from restore_rt.video.colour import Converter
from restore_rt.video.conversion import orientation
from restore_rt.video.reader import VideoReader

__all__ = ["KEYS", "WindowSink"]

KEYS = {
    "s": "before and after, with a line between them that the mouse drags",
    "f": "full screen",
    "space": "pause",
    "i": "hide and show the model, frame rate and latency",
    "q, Esc": "quit",
}
"""What the keys of the window do."""

# Part of the screen that a window takes at most when it opens.
_ROOM = 0.9
_TEXT_SIZE, _MARGIN, _LINE = 24, 8, 2
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_SECOND = 1.0
# Drivers of SDL without a screen.
_UNSEEN = ("dummy", "offscreen")


class WindowSink(Sink):
    """Shows frames as they come. SDL wants it to be used by the main thread alone.

    Parameters
    ----------
    reader
        Of the source.
    clock
        Of the run; the window pauses it.
    scale
        Output size over input size.

    Raises
    ------
    OutputError
        pygame-ce is not installed, or there is no screen.
    """

    def __init__(self, reader: VideoReader, clock: RunClock, *, scale: int) -> None:
        super().__init__(reader.layout)
        self._clock = clock
        siting = reader.tags.siting(centred=reader.centred_chroma)
        matrix = reader.tags.matrix_for(reader.width, reader.height)
        self._converter = Converter(matrix, full=reader.tags.is_full, siting=siting)
        self._turns, self._mirrored = orientation(reader.extras.get("DISPLAYMATRIX", b""))
        wide = float(reader.sample_aspect_ratio or 1)
        width, height = round(reader.width * scale * wide), reader.height * scale
        self._width, self._height = (height, width) if self._turns % 2 else (width, height)
        self._split = self._full = False
        self._told = True
        self._divider = 0.5
        self._last: tuple[av.VideoFrame, av.VideoFrame, str] | None = None
        self._times: deque[float] = deque()
        self._pygame = _import_pygame()
        try:
            self._pygame.display.init()
            self._check_driver()
            self._pygame.font.init()
            self._font = self._pygame.font.Font(None, _TEXT_SIZE)
            screens = self._pygame.display.get_desktop_sizes()
            fit = min(1.0, *(_ROOM * side / own for side, own in zip(
                screens[0], (self._width, self._height), strict=True)))  # fmt: skip
            self._size = (round(self._width * fit), round(self._height * fit))
            self._pygame.display.set_caption(f"{reader.name} - restore-rt live")
            self._open()
        except self._pygame.error as error:
            self.close()
            raise OutputError(
                f"a window cannot be opened ({error}); it needs a screen: set DISPLAY, or give "
                "another sink"
            ) from error

    def deliver(self, frame: Frame, picture: av.VideoFrame, *, age: float, model: str) -> None:
        """Show a frame."""
        now = self._clock.now()
        self._times.append(now)
        while now - self._times[0] > _SECOND:
            self._times.popleft()
        text = f"{model}  {len(self._times)} frames/s  {age * 1000:.0f} ms"
        self._last = (frame.picture, picture, text)
        self._take_events()
        self._draw()

    def idle(self) -> None:
        """Heed keys and the mouse while no frame comes."""
        if self._take_events():
            self._draw()

    def close(self) -> None:
        """Close the window."""
        self._pygame.display.quit()
        self._pygame.font.quit()

    abort = close

    def _check_driver(self) -> None:
        """Refuse to draw where nobody sees it, which SDL does without a screen."""
        driver = self._pygame.display.get_driver()
        if driver in _UNSEEN and "SDL_VIDEODRIVER" not in os.environ:
            raise self._pygame.error("no screen")

    def _open(self) -> None:
        pygame = self._pygame
        if self._full:
            self._screen = pygame.display.set_mode((0, 0), pygame.FULLSCREEN)
        else:
            self._screen = pygame.display.set_mode(self._size, pygame.RESIZABLE)
        pygame.mouse.set_visible(not self._full)

    def _take_events(self) -> bool:
        """Do what the user asks for; return whether anything was asked."""
        pygame, events = self._pygame, self._pygame.event.get()
        for event in events:
            if event.type == pygame.QUIT:
                self.ended = True
            elif event.type == pygame.KEYDOWN:
                self._press(event.key)
            elif event.type == pygame.MOUSEMOTION and event.buttons[0]:
                left, _, width, _ = self._place()
                self._divider = min(1.0, max(0.0, (event.pos[0] - left) / width))
        return bool(events)

    def _press(self, key: int) -> None:
        pygame = self._pygame
        if key in (pygame.K_q, pygame.K_ESCAPE):
            self.ended = True
        elif key == pygame.K_s:
            self._split = not self._split
        elif key == pygame.K_i:
            self._told = not self._told
        elif key == pygame.K_f:
            self._full = not self._full
            self._open()
        elif key == pygame.K_SPACE and self._clock.paused:
            self._clock.go_on()
        elif key == pygame.K_SPACE:
            self._clock.pause()

    def _place(self) -> tuple[int, int, int, int]:
        """Return where the picture lies in the window: left, top, width and height."""
        whole_width, whole_height = self._screen.get_size()
        fit = min(whole_width / self._width, whole_height / self._height)
        width, height = max(1, round(self._width * fit)), max(1, round(self._height * fit))
        return (whole_width - width) // 2, (whole_height - height) // 2, width, height

    def _draw(self) -> None:
        if self._last is None:
            return
        before, after, text = self._last
        left, top, width, height = self._place()
        self._screen.fill(_BLACK)
        self._screen.blit(self._surface(after, width, height), (left, top))
        if self._split:
            middle = round(width * self._divider)
            half = (0, 0, middle, height)
            self._screen.blit(self._surface(before, width, height), (left, top), half)
            self._screen.fill(_WHITE, (left + middle - _LINE // 2, top, _LINE, height))
            bottom = top + height - _TEXT_SIZE - _MARGIN
            self._write("before", left + middle - _MARGIN, bottom, to_left=True)
            self._write("after", left + middle + _MARGIN, bottom)
        if self._told:
            paused = "  paused" if self._clock.paused else ""
            self._write(text + paused, left + _MARGIN, top + _MARGIN)
        self._pygame.display.flip()

    def _surface(self, picture: av.VideoFrame, width: int, height: int) -> Any:
        """Return a picture, upright and of the size that it is shown in."""
        turned = (height, width) if self._turns % 2 else (width, height)
        pixels: NDArray[Any] = self._converter.to_view(picture, *turned)
        if self._mirrored:
            pixels = pixels[:, ::-1]
        data = np.ascontiguousarray(np.rot90(pixels, self._turns))
        return self._pygame.image.frombuffer(data, (width, height), "RGB")

    def _write(self, text: str, x: int, y: int, *, to_left: bool = False) -> None:
        line = self._font.render(text, True, _WHITE, _BLACK)
        self._screen.blit(line, (x - line.get_width() if to_left else x, y))


def _import_pygame() -> Any:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        import pygame
    except ImportError as error:
        raise OutputError(
            "a window needs pygame-ce: pip install 'restore-rt[live]'; other sinks do without"
        ) from error
    return pygame
