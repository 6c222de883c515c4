"""A flight over a lake at sunrise: procedural terrain, light and clouds, nothing photographed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["Flight"]

Grid = NDArray[np.float32]

_WORLD = 1024.0
_WATER = 34.0
_HAZE = np.array([244, 205, 178], np.float32)
_SUN_TAN = 0.36


def _noise(rng: np.random.Generator, side: int, low: float, high: float) -> Grid:
    """Return periodic noise, (side, side), unit variance, of ``low`` to ``high`` cycles a side."""
    f = np.fft.fftfreq(side, 1 / side)
    radius = np.hypot(f[:, None], f[None, : side // 2 + 1])
    band = np.exp(-((np.log2(np.maximum(radius, 0.1) / np.sqrt(low * high)) / 0.6) ** 2) / 2)
    spectrum = np.fft.rfft2(rng.standard_normal((side, side))) * band
    field = np.fft.irfft2(spectrum, (side, side))
    result: Grid = (field / field.std()).astype(np.float32)
    return result


def _sample(grid: NDArray[Any], x: Grid, y: Grid) -> NDArray[Any]:
    """Sample a periodic map bilinearly at (x, y) in world units."""
    side = grid.shape[0]
    x, y = x * np.float32(side / _WORLD), y * np.float32(side / _WORLD)
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = x - x0, y - y0
    i, j = x0.astype(np.int32) % side, y0.astype(np.int32) % side
    i1, j1 = (i + 1) % side, (j + 1) % side
    if grid.ndim == 3:
        fx, fy = fx[..., None], fy[..., None]
    top = grid[j, i] + (grid[j, i1] - grid[j, i]) * fx
    bottom = grid[j1, i] + (grid[j1, i1] - grid[j1, i]) * fx
    result: NDArray[Any] = top + (bottom - top) * fy
    return result


def _smooth(low: float, high: float, value: NDArray[Any]) -> NDArray[Any]:
    t = np.clip((value - low) / (high - low), 0, 1)
    result: NDArray[Any] = t * t * (3 - 2 * t)
    return result


def _valley(along: Any) -> Any:
    """Return where, across the flight, the valley's middle lies."""
    return 512 + 40 * np.sin(np.asarray(along) / _WORLD * 2 * np.pi * 3)


@dataclass(frozen=True)
class _Terrain:
    height: Grid
    colour: NDArray[np.float32]
    detail: Grid
    clouds: Grid


def _slump(height: Grid, steepest: float, rounds: int) -> Grid:
    """Let ground that is steeper than ``steepest`` units a cell slide down, as scree does."""
    for _ in range(rounds):
        for axis in (0, 1):
            step = height - np.roll(height, -1, axis)
            slide = 0.22 * np.sign(step) * np.maximum(np.abs(step) - steepest, 0)
            height = height - slide + np.roll(slide, 1, axis)
    return height.astype(np.float32)


def _terrain(side: int) -> _Terrain:
    """Build height, lit colour and noise maps once; ``side`` is their resolution."""
    rng = np.random.default_rng(20)
    cell = _WORLD / side
    height = 30 + 15 * _noise(rng, side, 2, 4)
    weight = _smooth(5, 60, height)
    for octave in range(8):
        cycles = 4.5 * 2**octave
        ridge = 1 - np.abs(_noise(rng, side, cycles, cycles * 2))
        height += 24 / 2.0**octave * ridge * (0.2 + 0.8 * weight)
        weight = np.clip(weight * (0.55 + 0.6 * np.clip(ridge, 0, 1)), 0, 1)
    # A valley along the flight's path holds the lake.
    x = np.arange(side, dtype=np.float32) * cell
    apart = np.abs(x[None, :] - _valley(x)[:, None])
    inlets = 16 * _noise(rng, side, 8, 20)
    flank = _smooth(8, 120, apart + inlets * _smooth(10, 60, apart))
    height = 22 + (height - 22) * (0.08 + 1.0 * flank) + 10 * flank
    height = _slump(height, 1.05 * cell, 24)
    height += 0.5 * cell * _noise(rng, side, side / 6, side / 3) * _smooth(40, 60, height)
    woods = _smooth(0.0, 0.5, _noise(rng, side, 10, 40) + (62 - height) / 40)
    woods *= _smooth(_WATER + 1, _WATER + 4, height) * _smooth(96, 78, height)
    canopy = np.abs(_noise(rng, side, side / 6, side / 3))
    height = (height + woods * (1.0 + 1.1 * cell * canopy)).astype(np.float32)

    slope_x = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / (2 * cell)
    slope_y = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) / (2 * cell)
    length = np.sqrt(slope_x**2 + slope_y**2 + 1)
    sun = np.array([0.86, 0.34, -0.36])
    lit = np.clip((-slope_x * sun[0] + sun[1] - slope_y * sun[2]) / length, 0, None)
    edge = height.copy()
    for column in range(2 * side - 1, -1, -1):
        here, before = column % side, (column + 1) % side
        edge[:, here] = np.maximum(height[:, here], edge[:, before] - _SUN_TAN * cell)
    shade = 1 - _smooth(0.0, 2.5, edge - height)

    patch = _noise(rng, side, 30, 160)
    fine = _noise(rng, side, side / 8, side / 3)
    rock = np.array([128, 112, 104], np.float32) + (11 * patch + 9 * fine)[..., None]
    strata = np.sin(height * 0.9 + 1.5 * patch)[..., None]
    rock += strata * np.array([9, 6, 4], np.float32)
    grass = np.array([104, 112, 66], np.float32) + (14 * patch + 8 * fine)[..., None]
    forest = np.array([40, 64, 46], np.float32) + (5 * patch + 9 * fine)[..., None]
    snow = np.array([246, 246, 252], np.float32)
    steep = (1 - 1 / length)[..., None]
    tall = height[..., None]
    albedo = grass + (rock - grass) * _smooth(0.14, 0.32, steep + (tall - 80) / 260)
    albedo += (forest - albedo) * woods[..., None] * 0.95
    albedo += (snow - albedo) * _smooth(82, 98, tall + 7 * patch[..., None] - 44 * steep)
    shore = _smooth(2.2, 0.4, tall - _WATER)
    albedo += (np.array([180, 162, 128], np.float32) - albedo) * shore * 0.8
    direct = np.array([1.36, 1.04, 0.78], np.float32) * (lit * shade)[..., None] * 1.35
    sky = np.array([0.27, 0.34, 0.48], np.float32) * (0.55 + 0.45 / length[..., None])
    colour = (albedo * (direct + sky)).astype(np.float32)

    clouds = sum(_noise(rng, side, 3 * 2.0**k, 6 * 2.0**k) / np.float32(1.75**k) for k in range(7))
    detail = _noise(rng, side, 60, side / 2.5)
    return _Terrain(height, colour, detail, np.asarray(clouds, np.float32))


class Flight:
    """Renders the flight; the maps, ``side`` cells wide, are built when it is made."""

    def __init__(self, side: int = 2048) -> None:
        self._land = _terrain(side)

    def frame(self, time: float, size: tuple[int, int], *, oversample: int = 2) -> Image.Image:
        """Return the view at ``time`` seconds as RGB of ``size`` (width, height)."""
        width, height = size[0] * oversample, size[1] * oversample
        picture = self._render(time, width, height)
        grey = picture.mean(axis=-1, keepdims=True)
        picture = 132 + 1.16 * (grey + 1.06 * (picture - grey) - 142)
        image = Image.fromarray(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
        return image.resize(size, Image.Resampling.BOX)

    def _render(self, time: float, width: int, height: int) -> NDArray[np.float32]:
        land = self._land
        focal = width * 1.12
        horizon = height * (0.47 - 0.015 * time)
        forward = 150 + 34 * time
        eye = (float(_valley(forward + 20)), _WATER + 15 + 5 * time, float(forward))
        yaw = 0.05 * np.sin(time * 0.9) - 0.02

        across = (((np.arange(width) + 0.5) - width / 2) / focal + yaw).astype(np.float32)
        depth = np.geomspace(4, 1500, 1100).astype(np.float32)
        x = eye[0] + depth[:, None] * across[None]
        z = np.broadcast_to(eye[2] + depth[:, None], x.shape)
        ground = np.maximum(_sample(land.height, x.astype(np.float32), z), _WATER)
        # The earth bends away, so that far ranges sink behind the horizon.
        ground = ground - (depth[:, None] / 520) ** 2 * 6
        rows = horizon - focal * (ground - eye[1]) / depth[:, None]
        skyline = np.minimum.accumulate(rows, axis=0)

        # The first depth whose ground reaches up to a pixel's row, for every pixel.
        top = np.clip(np.ceil(skyline), 0, height).astype(np.int64)
        columns = np.broadcast_to(np.arange(width), top.shape)
        hist = np.bincount((top * width + columns).ravel(), minlength=(height + 1) * width)
        hidden = np.cumsum(hist.reshape(height + 1, width)[::-1], axis=0)[::-1]
        first = hidden[1:]
        land_hit = first < len(depth)
        k = np.minimum(first, len(depth) - 1)
        before = np.maximum(k - 1, 0)
        column = np.arange(width)[None]
        y = np.arange(height, dtype=np.float32)[:, None]
        upper, lower = skyline[k, column], skyline[before, column]
        share = np.clip((lower - y) / np.maximum(lower - upper, 1e-3), 0, 1)
        far = depth[before] + (depth[k] - depth[before]) * share
        px = (eye[0] + far * across[None]).astype(np.float32)
        pz = (eye[2] + far).astype(np.float32)

        # The lake mirrors what is above the frame too.
        above = int(height - 2 * horizon) + height // 8
        heaven = self._sky(time, -above, height, horizon, focal, across)
        level = _sample(land.height, px, pz)
        colour = _sample(land.colour, px, pz)
        grain = _sample(land.detail, px * 3.1, pz * 3.1)
        near = np.exp(-far / 110)[..., None]
        colour *= 1 + 0.17 * grain[..., None] * near
        haze = (1 - np.exp(-((far / 620) ** 1.35)))[..., None]
        tint = _HAZE + np.array([10, -6, -26], np.float32) * np.clip(
            across[None, :, None], -0.5, 0.6
        )
        colour += (tint - colour) * haze
        picture = np.where(land_hit[..., None], colour, heaven[above:]).astype(np.float32)

        wet = land_hit & (level <= _WATER)
        if wet.any():
            ripple = _sample(land.detail, px * 1.3 + 9 * time, pz * 0.8 + 5 * time)
            ripple += _sample(land.clouds, px * 2.2 - 6 * time, pz * 1.6)
            swing = ripple * (height / 95) * np.clip(60 / far, 0.04, 1.2)
            mirror = np.clip(np.rint(2 * horizon - y + swing), -above, horizon - 1)
            image = np.concatenate([heaven[:above], picture])[
                mirror.astype(np.int64) + above, column
            ]
            deep = np.array([38, 74, 92], np.float32) + 6 * ripple[..., None]
            fresnel = np.clip(0.34 + far / 260, 0, 0.86)[..., None]
            lake = deep + (image * 0.94 - deep) * fresnel
            lake += (tint - lake) * haze * 0.8
            blend = _smooth(_WATER + 0.25, _WATER - 0.1, level)[..., None] * land_hit[..., None]
            picture += (lake - picture) * blend
        return picture

    def _sky(
        self, time: float, first: int, height: int, horizon: float, focal: float, across: Grid
    ) -> NDArray[np.float32]:
        """Return sunrise sky with clouds on a plane above the ground, from row ``first`` on."""
        y = np.arange(first, height, dtype=np.float32)[:, None]
        up = np.maximum((horizon - y) / focal, 1e-4)
        stops = [0.0, 0.07, 0.2, 0.5]
        tones = np.array([_HAZE, (238, 196, 176), (150, 176, 204), (84, 128, 184)])
        sky = np.stack([np.interp(up[:, 0], stops, tones[:, i]) for i in range(3)], -1)[:, None]
        glow = np.exp(-(((across[None] - 0.62) / 0.5) ** 2) - (up / 0.2) ** 2)[..., None]
        sky = sky + glow * np.array([60, 34, -14])
        plane = 46 / (up + 0.03)
        u = (across[None] * plane + 14 * time).astype(np.float32) * np.float32(0.55)
        v = np.broadcast_to(plane * 0.8 + 20 * time, u.shape).astype(np.float32) * np.float32(0.55)
        thick = _sample(self._land.clouds, u, v)
        toward = _sample(self._land.clouds, u + 3.5, v)
        cover = (_smooth(0.15, 1.7, thick) * _smooth(0.012, 0.12, up))[..., None] * 0.92
        light = np.clip(0.62 + (thick - toward) * 0.5 - thick * 0.1, 0.15, 1)[..., None]
        shadow, bright = np.array([150, 142, 166]), np.array([255, 232, 206])
        cloud = shadow + (bright - shadow) * light
        result: NDArray[np.float32] = (sky + (cloud - sky) * cover).astype(np.float32)
        return result
