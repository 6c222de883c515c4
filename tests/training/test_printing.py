from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restore_rt.errors import InputError
from restore_rt.training.degradations import degrade, parse_spec
from restore_rt.training.degradations.printing import (
    Halftone,
    Scan,
    printed,
    screened,
    separated,
)
from restore_rt.training.limits import check_limits

SIZES = [(1, 1), (1, 9), (7, 2), (65, 46)]
NONE = "skew=0:paper=0:bleed=0:misregister=0"
SPECS = ["halftone", "halftone:inks=line", "halftone:inks=grey", "scan"]


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return colour with detail everywhere, but smooth enough to be measured to parts of pixels."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (-(-height // 9), -(-width // 9), 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def run(spec: str, image: np.ndarray, seed: int = 1) -> np.ndarray:
    return degrade(parse_spec(spec), [image], np.random.default_rng(seed))[0]


def displacement(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return by how many pixels (y, x) a plane moved: the least squares over its gradient."""
    a, b = before.astype(float), after.astype(float)
    # What lies at the edge came from outside; brightness and contrast may have changed.
    down, across = np.gradient(a)
    inner = (slice(3, -3), slice(3, -3))
    columns = [-down[inner].ravel(), -across[inner].ravel(), a[inner].ravel()]
    columns.append(np.ones_like(columns[0]))
    found = np.linalg.lstsq(np.stack(columns, axis=1), b[inner].ravel(), rcond=None)[0]
    return np.asarray(found[:2] / found[2])


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("size", SIZES)
def test_any_size_and_the_input_stays(spec: str, size: tuple[int, int]) -> None:
    image = texture(*size)
    image.flags.writeable = False
    out = run(spec, image)
    assert out.shape == image.shape
    assert out.dtype == np.uint8
    assert out.flags.c_contiguous
    assert np.array_equal(out, run(spec, image))
    if size == SIZES[-1]:
        assert not np.array_equal(out, run(spec, image, seed=2))


@pytest.mark.parametrize("spec", SPECS)
def test_strides_do_not_matter(spec: str) -> None:
    wide = texture(40, 60)
    for image in (wide[::-1, ::2], wide[..., ::-1], wide.transpose(1, 0, 2)):
        assert np.array_equal(run(spec, image), run(spec, np.ascontiguousarray(image)))


@pytest.mark.parametrize("spec", [*(f"{s}:strength=0" for s in SPECS[:3]), f"scan:{NONE}"])
def test_nothing_at_strength_0(spec: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (31, 17, 3), np.uint8)
    out = run(spec, image)
    assert np.array_equal(out, image)
    assert not np.shares_memory(out, image)


@pytest.mark.parametrize("pitch", [2.0, 3.3, 6.0])
@pytest.mark.parametrize("tone", [0.0, 0.03, 0.3, 0.5, 0.8, 0.98, 1.0])
def test_a_screen_keeps_the_tone(pitch: float, tone: float) -> None:
    plain = np.full((120, 121), tone, np.float32)
    ink = screened(plain, pitch=pitch, angle=16.5, phase=(0.3, 2.0))
    assert ink.mean() == pytest.approx(tone, abs=0.01)
    assert ink.min() >= 0
    assert ink.max() <= 1
    if tone in (0, 1):
        assert np.allclose(ink, plain, rtol=0, atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 15.0, 45.0, 75.0])
def test_a_screen_has_its_pitch_and_angle(angle: float) -> None:
    side, pitch = 240, 4.8
    ink = screened(np.full((side, side), 0.3, np.float32), pitch=pitch, angle=angle, phase=(0, 0))
    spectrum = np.abs(
        np.fft.fft2((ink - ink.mean()) * np.outer(np.hanning(side), np.hanning(side)))
    )
    y, x = np.unravel_index(spectrum.argmax(), spectrum.shape)
    y, x = (np.fft.fftfreq(side)[i] for i in (y, x))
    assert np.hypot(y, x) == pytest.approx(1 / pitch, rel=0.02)
    # Four directions are the same.
    turned = (np.degrees(np.arctan2(y, x)) - angle + 45) % 90 - 45
    assert turned == pytest.approx(0, abs=1.5)


def test_inks_mix_what_they_were_separated_from() -> None:
    rgb = np.random.default_rng(0).uniform(0.25, 1, (3, 50, 50)).astype(np.float32)
    # Next to grey everything can be mixed.
    rgb = 0.3 * rgb + 0.7 * rgb.mean(axis=0)
    for line in (False, True):
        inks = separated(rgb, line=line)
        assert inks.min() >= 0
        assert inks.max() <= 1
        assert np.abs(printed(inks) - rgb).max() < 0.03


def test_paper_stays_white_and_lines_stay_solid() -> None:
    page = np.full((40, 40, 3), 255, np.uint8)
    page[:, 10:13] = 0
    for inks in ("cmyk", "line", "grey"):
        out = run(f"halftone:4:strength=1:inks={inks}", page)
        assert np.array_equal(out, page)


@pytest.mark.parametrize("inks", ["cmyk", "line", "grey"])
@pytest.mark.parametrize("colour", [(128, 128, 128), (200, 150, 120), (90, 140, 160)])
def test_a_print_has_the_colour_from_afar(inks: str, colour: tuple[int, int, int]) -> None:
    if inks == "grey":
        colour = colour[:1] * 3
    plain = np.full((180, 180, 3), colour, np.uint8)
    out = run(f"halftone:3.7:strength=1:inks={inks}", plain).astype(float)
    assert out.std() > 30
    # Where dots of two screens meet they hide each other more or less often than by chance.
    assert np.abs(out.mean((0, 1)) - colour).max() < 9


def test_one_screen_prints_grey_as_grey() -> None:
    out = run("halftone:4:strength=1:inks=grey", np.full((50, 50, 3), 100, np.uint8))
    assert np.ptp(out.astype(int), axis=2).max() <= 1
    assert np.isin([0, 255], out).all()


def test_strength_blends() -> None:
    image = texture(60, 60)
    half, full = (run(f"halftone:4:strength={s}", image).astype(int) for s in (0.5, 1.0))
    assert np.abs(half - (image.astype(int) + full) / 2).max() <= 1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("spec", "limit"),
    [
        ("scan:skew=5:paper=0:bleed=0:misregister=0", 0.1),
        # The other side and the blotches have gradients of their own, which blur the measure.
        ("scan:skew=0:paper=1:bleed=0.2:misregister=0", 0.2),
        ("scan:skew=0:paper=0:bleed=0:misregister=0.45", 0.48),
        ("scan:skew=3:paper=0.5:bleed=0.1:misregister=0.3", 0.45),
    ],
)
def test_a_scan_stays_in_place_everywhere(spec: str, limit: float, seed: int) -> None:
    image = texture(151, 162, seed)
    out = run(spec, image, seed)
    for part in np.ndindex(2, 2):
        window = tuple(slice(p * 81, p * 81 + 70) for p in part)
        for channel in range(3):
            moved = displacement(image[window][..., channel], out[window][..., channel])
            assert np.hypot(*moved) < limit


def test_planes_are_displaced_by_what_is_asked_for() -> None:
    image = texture(90, 91)
    out = run("scan:skew=0:paper=0:bleed=0:misregister=0.4", image)
    assert np.array_equal(out[..., 1], image[..., 1])
    moved = [displacement(image[..., c], out[..., c]) for c in (0, 2)]
    assert [np.hypot(*m) for m in moved] == pytest.approx([0.4, 0.4], abs=0.03)
    assert np.hypot(*(moved[0] - moved[1])) > 0.1


def test_skew_softens_and_keeps_constants_up_to_the_corners() -> None:
    spec = "scan:skew=7:paper=0:bleed=0:misregister=0"
    plain = np.full((37, 90, 3), (5, 130, 250), np.uint8)
    assert np.array_equal(run(spec, plain), plain)
    sharp = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    assert run(spec, sharp).std() < 0.95 * sharp.std()


def test_paper_is_yellow_and_uneven_and_ink_fades() -> None:
    spec = "scan:skew=0:paper={}:bleed=0:misregister=0"
    white, black = np.full((200, 200, 3), 255, np.uint8), np.zeros((200, 200, 3), np.uint8)
    red, green, blue = run(spec.format(1), white).mean((0, 1))
    assert 255 > red > green > blue > 130
    # An even grey lies well under the rounding to 8 bit, texture does not.
    assert run(spec.format(1), white)[..., 1].std() > 1.5
    assert run(spec.format(1), black).mean() > 5
    assert run(spec.format(0.2), white).mean() > run(spec.format(1), white).mean()


def test_the_other_side_shines_through_mirrored_and_blurred() -> None:
    page = np.full((64, 64, 3), 255, np.uint8)
    page[20:40, 8:12] = 0
    page[20:24, 8:24] = 0
    out = run("scan:skew=0:paper=0:bleed=0.3:misregister=0", page)
    ghost = np.where(page > 0, 255 - out.astype(float), 0)[..., 0]
    mirrored = 255 - page[:, ::-1, 0].astype(float)
    likeness = [
        np.fft.ifft2(np.fft.fft2(ghost) * np.conj(np.fft.fft2(other))).real.max()
        for other in (mirrored, mirrored[:, ::-1])
    ]
    assert likeness[0] > 1.1 * likeness[1]
    assert 20 < ghost.max() < 0.3 * 255
    assert np.array_equal(out[page == 0], page[page == 0])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("halftone:1", "pitch is .*; allowed is 1.5 to 64"),
        ("halftone:5-3", r"pitch is \[5.0, 3.0\]"),
        ("halftone:strength=1.1", "strength is .*; allowed is 0 to 1"),
        ("halftone:tilt=50", "tilt is .*; allowed is 0 to 45"),
        ("halftone:rough=2", "rough is .*; allowed is 0 to 1"),
        ("halftone:inks=rgb", "inks is 'rgb'; there are cmyk, line, grey"),
        ("scan:20", "skew is .*; allowed is 0 to 15"),
        ("scan:paper=2", "paper is .*; allowed is 0 to 1"),
        ("scan:bleed=1-0", "bleed is .*; allowed is 0 to 1"),
        ("scan:misregister=0.6", "misregister is .*; allowed is 0 to 0.5"),
    ],
)
def test_wrong_values_are_refused(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_spec(spec)


def test_an_empty_choice_and_no_number_are_refused() -> None:
    with pytest.raises(InputError, match="inks is ''"):
        check_limits(Halftone(inks=()))
    with pytest.raises(InputError, match="skew is"):
        check_limits(Scan(skew=(0, float("nan"))))


@pytest.mark.data
def test_a_printed_and_scanned_page_is_still_the_page(data_dir: Path) -> None:
    page = np.asarray(Image.open(data_dir / "test/comic/E05P03.png").convert("RGB"))[
        200:440, 100:341
    ]
    out = run("halftone:3:inks=line,scan:skew=1:paper=0.6:bleed=0.1:misregister=0.3", page)
    a, b = (np.asarray(Image.fromarray(i).convert("L").reduce(6), float) for i in (page, out))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.95
    assert np.abs(displacement(page[..., 1], out[..., 1])).max() < 0.25
