"""The double page: panels, gutters, captions and the cutting mat that it lies on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from clip.canvas import CREAM, INK, MUSTARD, PAPER, TEAL, Canvas, mix
from clip.curves import path, rectangle, rounded
from clip.dawn import dawn
from clip.lettering import bubble, caption, shout
from clip.night import night
from clip.panels import flash, polish, shelf, study

__all__ = ["SPREAD", "draw_page"]

# The camera's whole world, in units; the paper is (0, 0) to (2560, 1440) in it.
SPREAD = (-192.0, -108.0, 2944.0, 1656.0)


def draw_page(scale: float) -> Canvas:
    """Draw everything that the camera moves over, with ``scale`` pixels to a unit."""
    page = Canvas(SPREAD, scale, mix(TEAL, INK, 0.42))
    _mat(page)
    _paper(page)
    _panel(page, "60,60 1250,60 1250,700 60,700", lambda c: night(c, 0.4), 1280)
    _panel(page, "60,728 640,728 640,1380 60,1380", study, 580)
    _panel(page, "668,728 1250,728 1250,1380 668,1380", shelf, 582)
    _panel(page, "1310,60 1796,60 1728,760 1310,760", polish, 486)
    _panel(page, "1826,60 2500,60 2500,760 1758,760", lambda c: flash(c, 0.3), 742)
    _panel(page, "1310,788 2500,788 2500,1380 1310,1380", dawn, 1190)
    _words(page)
    return page


def _panel(page: Canvas, outline: str, scene: Callable[[Canvas], None], units: float) -> None:
    """Draw a scene that is ``units`` wide in its own measure, show it in an outline, frame it."""
    corners = path(outline)
    left, top = corners.min(axis=0)
    width, height = np.ptp(corners, axis=0)
    share = units / width
    canvas = Canvas((0, 0, units, float(height * share)), page.scale / share)
    scene(canvas)
    page.place(canvas, (float(left), float(top)), corners)
    page.ink(corners, 5, weight=0.2)


def _mat(page: Canvas) -> None:
    x0, y0, w, h = page.box
    tone = mix(TEAL, CREAM, 0.3)
    faint = mix(TEAL, INK, 0.22)
    for k in range(int(w / 12) + 1):
        x = x0 + 12 * k
        page.line([(x, y0), (x, y0 + h)], tone if k % 8 == 0 else faint, 1.4 if k % 8 == 0 else 0.7)
    for k in range(int(h / 12) + 1):
        y = y0 + 12 * k
        page.line([(x0, y), (x0 + w, y)], tone if k % 8 == 0 else faint, 1.4 if k % 8 == 0 else 0.7)
    for k in range(1, 30):
        page.type(f"{k}", x0 + 96 * k + 5, y0 + 20, 15, CREAM)
        page.type(f"{k}", x0 + 96 * k + 5, y0 + h - 8, 15, CREAM)


def _paper(page: Canvas) -> None:
    for k in range(12, 0, -1):
        sheet = rounded(-k * 1.6 + 8, -k * 1.6 + 14, 2560 + 3.2 * k, 1440 + 3.2 * k, 14)
        page.glaze(sheet, INK, 0.06)
    sheet = rectangle(0, 0, 2560, 1440)
    page.fill(sheet, PAPER)
    page.halftone(
        lambda x, y: 0.055 + 0 * (x + y), mix(PAPER, MUSTARD, 0.4), pitch=7, box=(0, 0, 2560, 1440)
    )
    page.wash(
        lambda x, y: 0.34 * np.exp(-np.abs(x - 1280) / 17) + 0 * y,
        (96, 76, 60),
        (1180, 0, 200, 1440),
    )
    page.line([(1280, 0), (1280, 1440)], (96, 76, 60), 1.2)
    page.ink(sheet, 2, mix(INK, PAPER, 0.3))
    for x, text, anchor in ((60, "4", "ls"), (2500, "5", "rs")):
        page.type(text, x, 1414, 22, INK, anchor=anchor, bold=0.4)
    small = "THE LENS, No. 1  ·  drawn by a program, one line at a time  ·  no photograph was used"
    page.type(small, 1250, 1412, 13, mix(INK, PAPER, 0.3), anchor="rs")
    page.type("THE LENS", 1310, 1412, 13, mix(INK, PAPER, 0.3))


def _words(page: Canvas) -> None:
    """Letter captions and bubbles last, so that they may lap over the gutters."""
    shout(page, "THE LENS", (508, 150), 82, MUSTARD, turn=-3, arch=0.14)
    caption(page, "EVERY NIGHT, AT THE EDGE OF THE MAP,\nA LIGHT WAS LIT.", 84, 590, 21)
    bubble(page, "IT ALL LOOKS\nSO… SOFT.", (488, 1160), 24, (352, 1246))
    bubble(page, "HAVE YOU TRIED\nCLEANING THE LENS?", (880, 796), 22, (872, 908))
    caption(page, "FIVE MINUTES\nLATER…", 1332, 80, 20, colour=mix(MUSTARD, CREAM, 0.35))
    caption(page, "AND BY MORNING YOU COULD\nCOUNT THE ROPES ON EVERY SHIP.", 1334, 812, 21)
    bubble(page, "THERE! EVERY LINE\nWHERE IT BELONGS.", (2180, 884), 22, (2290, 1000))
