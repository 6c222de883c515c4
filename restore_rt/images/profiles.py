"""ICC profiles for pictures whose file says in another way how its samples are encoded."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from restore_rt.images.picture import Chunk

__all__ = ["cicp_chunk", "profile_of", "sRGB", "undated"]

_D65 = (0.3127, 0.3290)
_BT709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_C = (0.310, 0.316)
# ITU-T H.273: colour primaries (red, green, blue) with their white point.
_PRIMARIES: dict[int, tuple[tuple[float, ...], tuple[float, float]]] = {
    1: (_BT709, _D65),
    2: (_BT709, _D65),
    4: ((0.67, 0.33, 0.21, 0.71, 0.14, 0.08), _C),
    5: ((0.64, 0.33, 0.29, 0.60, 0.15, 0.06), _D65),
    6: ((0.630, 0.340, 0.310, 0.595, 0.155, 0.070), _D65),
    7: ((0.630, 0.340, 0.310, 0.595, 0.155, 0.070), _D65),
    8: ((0.681, 0.319, 0.243, 0.692, 0.145, 0.049), _C),
    9: ((0.708, 0.292, 0.170, 0.797, 0.131, 0.046), _D65),
    11: ((0.680, 0.320, 0.265, 0.690, 0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320, 0.265, 0.690, 0.150, 0.060), _D65),
    22: ((0.630, 0.340, 0.295, 0.605, 0.155, 0.077), _D65),
}
_LINEAR, _SRGB = 8, 13
_GAMMAS = {4: 2.2, 5: 2.8, _LINEAR: 1.0}
_BT709_CURVES = (1, 6, 14, 15)
_HDR = {16: "PQ", 18: "HLG"}
# gAMA of sRGB, which is written for pictures whose curve is sRGB's own.
_SRGB_GAMMA = range(45000, 46000)
_CURVE_POINTS = 1024


@dataclass(frozen=True)
class _Encoding:
    """Primaries, white point and the curve from samples to light."""

    primaries: Sequence[float]
    white: Sequence[float]
    gamma: float | None = None
    curve: NDArray[np.uint16] | None = None


def profile_of(chunks: Sequence[Chunk], *, grey: bool) -> tuple[bytes, str]:
    """Return the ICC profile that says the same as chunks of colour.

    Parameters
    ----------
    chunks
        PNG chunks.
    grey
        The profile is for grey samples.

    Returns
    -------
    profile
        Empty if there is nothing to say, or no profile can say it.
    note
        What could not be said, for the user; else empty.
    """
    bodies = dict(chunks)
    if b"cICP" in bodies and len(bodies[b"cICP"]) == 4:
        primaries, transfer = bodies[b"cICP"][:2]
        if transfer in _HDR:
            return b"", (
                f"the HDR transfer function ({_HDR[transfer]}) of its samples is not stated any "
                "more, viewers will show them too flat; PNG and AVIF can state it"
            )
        encoding = _of_codes(primaries, transfer)
        if encoding is None:
            return b"", f"its colour encoding (cICP {primaries}, {transfer}) is not stated any more"
    elif b"sRGB" in bodies:
        encoding = _of_codes(1, _SRGB)
    else:
        encoding = _of_gamma(bodies.get(b"gAMA", b""), bodies.get(b"cHRM", b""))
    if encoding is None:
        return b"", ""
    profile = _profile(encoding, grey=grey)
    return profile, "" if profile else "its colour encoding (gAMA, cHRM) cannot be stated"


def cicp_chunk(primaries: int, transfer: int) -> tuple[Chunk, ...]:
    """Return a chunk for codes of H.273, none if they are those of sRGB or say nothing."""
    if primaries in (1, 2) and transfer in (2, _SRGB):
        return ()
    return ((b"cICP", bytes((primaries, _SRGB if transfer == 2 else transfer, 0, 1))),)


def sRGB() -> bytes:  # noqa: N802 - its name
    """Return an sRGB profile."""
    from PIL import ImageCms

    return undated(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())


def undated(profile: bytes) -> bytes:
    """Return a profile that does not depend on the day on which it was made."""
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


def _of_codes(primaries: int, transfer: int) -> _Encoding | None:
    if primaries not in _PRIMARIES:
        return None
    colours, white = _PRIMARIES[primaries]
    if transfer in _GAMMAS:
        return _Encoding(colours, white, _GAMMAS[transfer])
    if transfer in (2, _SRGB, *_BT709_CURVES):
        return _Encoding(colours, white, curve=_curve(bt709=transfer in _BT709_CURVES))
    return None


def _of_gamma(gamma: bytes, chromaticities: bytes) -> _Encoding | None:
    exponent = struct.unpack(">I", gamma)[0] if len(gamma) == 4 else 0
    values = [
        value / 100000 for value in struct.unpack(">8I", chromaticities.ljust(32, b"\0")[:32])
    ]
    white, primaries = values[:2], values[2:]
    if 0 in (white[1], *primaries[1::2]):
        white, primaries = list(_D65), list(_BT709)
    if not exponent and primaries == list(_BT709):
        return None
    if not exponent or exponent in _SRGB_GAMMA:
        return _Encoding(primaries, white, curve=_curve())
    return _Encoding(primaries, white, 100000 / exponent)


def _curve(*, bt709: bool = False) -> NDArray[np.uint16]:
    """Return light by samples, of the sRGB curve or of the inverse of the BT.709 one."""
    samples = np.linspace(0, 1, _CURVE_POINTS)
    if bt709:
        light = np.where(samples < 0.081, samples / 4.5, ((samples + 0.099) / 1.099) ** (1 / 0.45))
    else:
        light = np.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)
    points: NDArray[np.uint16] = np.rint(light * 65535).astype(np.uint16)
    return points


def _profile(encoding: _Encoding, *, grey: bool) -> bytes:
    """Return a profile, empty if there are no such primaries."""
    import imagecodecs

    curve = (
        {"gamma": encoding.gamma}
        if encoding.curve is None
        else {"transferfunction": encoding.curve}
    )
    white = [*encoding.white, 1.0]
    colours = list(encoding.primaries)
    triples = [*colours[:2], 1.0, *colours[2:4], 1.0, *colours[4:], 1.0]
    kind, primaries = ("gray", None) if grey else ("rgb", triples)
    try:
        profile = imagecodecs.cms_profile(kind, whitepoint=white, primaries=primaries, **curve)
    except RuntimeError:  # of Little CMS, which cannot solve for them
        return b""
    return undated(bytes(profile))
