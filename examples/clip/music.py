"""The soundtrack: four bars for kalimba, pad, bass and shaker, at 96 beats a minute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["SAMPLE_RATE", "soundtrack"]

SAMPLE_RATE = 48_000
_BEAT = 0.625
_SECONDS = 10.0

Sound = NDArray[np.float64]

# Each bar: the pad's chord and the bass note, as MIDI numbers, with their first beat.
_CHORDS = (
    (0, (60, 64, 67, 74), 36),
    (4, (57, 60, 64, 71), 45),
    (8, (53, 57, 60, 67), 41),
    (10.5, (55, 59, 62, 69), 43),
    (13, (60, 64, 67, 76), 36),
)
# The tune: (beat, MIDI number, loudness).
_TUNE = (
    (0, 76, 0.9),
    (0.5, 79, 0.7),
    (1, 84, 0.9),
    (2, 83, 0.8),
    (2.5, 79, 0.6),
    (3, 76, 0.7),
    (4, 81, 0.9),
    (4.5, 79, 0.6),
    (5, 76, 0.8),
    (6, 72, 0.8),
    (6.5, 74, 0.6),
    (7, 76, 0.7),
    (8, 77, 0.8),
    (8.5, 81, 0.8),
    (9, 96, 1.0),
    (9.125, 93, 0.7),
    (9.25, 89, 0.7),
    (9.375, 84, 0.7),
    (10.5, 83, 0.8),
    (11, 86, 0.8),
    (11.5, 83, 0.6),
    (12, 79, 0.7),
    (12.5, 81, 0.6),
    (13, 84, 1.0),
    (13.5, 79, 0.6),
    (14, 76, 0.6),
    (14.5, 84, 0.6),
    (15, 88, 0.8),
)


def _pitch(number: float) -> float:
    return float(440 * 2 ** ((number - 69) / 12))


def _kalimba(number: int, seconds: float) -> Sound:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    f = _pitch(number)
    tone = np.sin(2 * np.pi * f * t + 1.1 * np.exp(-t * 9) * np.sin(2 * np.pi * f * 3 * t))
    body = tone * np.exp(-t * (2.2 + f / 700))
    knock = 0.25 * np.sin(2 * np.pi * f * 5.4 * t) * np.exp(-t * 34)
    result: Sound = (body + knock) * np.minimum(t / 0.003, 1)
    return result


def _pad(number: float, seconds: float, detune: float) -> Sound:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    f = _pitch(number + detune)
    tone = sum(np.sin(2 * np.pi * f * k * t + k) / k**2.1 for k in range(1, 7))
    swell = np.minimum(t / 0.5, 1) * np.minimum((seconds - t) / 0.5, 1)
    result: Sound = np.asarray(tone) * swell * (1 + 0.12 * np.sin(2 * np.pi * 4.6 * t))
    return result


def _bass(number: int, seconds: float) -> Sound:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    f = _pitch(number)
    tone = np.sin(2 * np.pi * f * t) + 0.35 * np.sin(4 * np.pi * f * t) * np.exp(-t * 3)
    end = np.minimum((seconds - t) / 0.08, 1)
    result: Sound = tone * np.exp(-t * 0.9) * np.minimum(t / 0.008, 1) * end
    return result


def _add(mix: Sound, sound: Sound, start: float, gain: float, pan: float) -> None:
    """Lay a sound over the mix (2, n); ``pan`` is -1 left to 1 right, at constant power."""
    first = round(start * SAMPLE_RATE)
    part = sound[: max(0, mix.shape[1] - first)]
    angle = (pan + 1) * np.pi / 4
    mix[0, first : first + len(part)] += gain * np.cos(angle) * part
    mix[1, first : first + len(part)] += gain * np.sin(angle) * part


def soundtrack() -> NDArray[np.float32]:
    """Return ten seconds of stereo, shape (2, 480000), float32, peak below 1."""
    length = round(_SECONDS * SAMPLE_RATE)
    rng = np.random.default_rng(7)
    mix = np.zeros((2, length))
    ends = [beat for beat, _, _ in _CHORDS[1:]] + [16.0]
    for (beat, chord, bass), end in zip(_CHORDS, ends, strict=True):
        seconds = (end - beat) * _BEAT
        for i, note in enumerate(chord):
            for detune, pan in ((-0.06, -0.7), (0.06, 0.7)):
                pad = _pad(note, seconds + 0.45, detune)
                _add(mix, pad, beat * _BEAT, 0.035, pan * (1 - 0.15 * i))
        step = 1.5
        for k in range(int((end - beat) / step + 0.99)):
            long = min(step, end - beat - k * step) * _BEAT
            _add(mix, _bass(bass, long), (beat + k * step) * _BEAT, 0.2, 0)
    for i, (beat, note, loud) in enumerate(_TUNE):
        _add(mix, _kalimba(note, 2.4), beat * _BEAT, 0.24 * loud, 0.45 * np.sin(i * 1.7))
        if beat == int(beat):
            _add(mix, _kalimba(note - 12, 2.0), beat * _BEAT, 0.1 * loud, -0.2)
    for k in range(4, 30):
        t = np.arange(round(0.09 * SAMPLE_RATE)) / SAMPLE_RATE
        hiss = np.diff(rng.standard_normal(len(t) + 1)) * np.exp(-t * 60) * np.minimum(t / 0.006, 1)
        _add(mix, hiss, k * _BEAT / 2, 0.026 if k % 2 else 0.013, 0.3)
    mix += 0.33 * _room(mix, rng)
    fade = np.minimum((_SECONDS - np.arange(length) / SAMPLE_RATE) / 0.5, 1)
    mix *= fade**0.7
    limited: Sound = np.tanh(mix * (1.15 / np.abs(mix).max()))
    return limited.astype(np.float32)


def _room(mix: Sound, rng: np.random.Generator) -> Sound:
    """Return the sound of the room: the mix through 1.6 s of decaying noise, left and right."""
    n = round(1.6 * SAMPLE_RATE)
    t = np.arange(n) / SAMPLE_RATE
    noise = rng.standard_normal((2, n)) * np.exp(-t * 4.2) * np.minimum(t / 0.02, 1)
    # A moving average takes the top off, as soft walls do.
    noise = (noise + np.roll(noise, 1, 1) + np.roll(noise, 2, 1) + np.roll(noise, 3, 1)) / 4
    noise /= np.sqrt((noise**2).sum(axis=1, keepdims=True))
    size = 1 << (mix.shape[1] + n - 1).bit_length()
    spectrum = np.fft.rfft(mix, size) * np.fft.rfft(noise, size)
    wet: Sound = np.fft.irfft(spectrum, size)[:, : mix.shape[1]]
    return wet
