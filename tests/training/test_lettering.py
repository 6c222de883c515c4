from __future__ import annotations

import difflib
import io
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from restore_rt.errors import InputError
from restore_rt.training.lettering import Lettering, TextLine, find_fonts
from restore_rt.training.lettering.bubbles import KINDS, Paint, bubble, paint
from restore_rt.training.lettering.fonts import typeface, weights
from restore_rt.training.lettering.layout import break_lines, set_block
from restore_rt.training.lettering.words import cry, sentence


@pytest.fixture(scope="module")
def lettering() -> Lettering:
    """Letter with the built-in font, which is the same wherever the tests run."""
    return Lettering([])


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _built_in(folder: Path, name: str) -> Path:
    """Write Pillow's built-in font to a file."""
    font = ImageFont.load_default(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    path = folder / name
    source = font.path
    path.write_bytes(source.getvalue())  # type: ignore[union-attr]
    return path


def _read(image: np.ndarray, *, line: bool) -> str:
    """Let tesseract read a picture, enlarged to the size of print that it expects."""
    picture = Image.fromarray(image)
    large = picture.resize((3 * picture.width, 3 * picture.height), Image.Resampling.LANCZOS)
    framed = Image.new("RGB", (large.width + 60, large.height + 60), large.getpixel((0, 0)))
    framed.paste(large, (30, 30))
    command = ["tesseract", "stdin", "stdout", "--psm", "7" if line else "6"]
    done = subprocess.run(
        command,
        input=_png(framed),
        capture_output=True,
        check=True,
        timeout=60,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
    )
    return " ".join(done.stdout.decode().split())


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_same_seed_same_bytes(lettering: Lettering) -> None:
    artwork = _rng(9).integers(0, 256, (120, 141, 3), dtype=np.uint8)
    for behind in (None, artwork):
        pages = [Lettering([]).page(_rng(5), 120, 141, behind) for _ in range(2)]
        assert np.array_equal(pages[0], pages[1])
        assert not np.array_equal(pages[0], lettering.page(_rng(6), 120, 141, behind))


def test_threads_draw_what_one_draws(lettering: Lettering) -> None:
    def page(seed: int) -> bytes:
        return lettering.page(_rng(seed), 96, 96).tobytes()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(page, range(24))) == [page(seed) for seed in range(24)]


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 40), (40, 1), (3, 2), (16, 16), (17, 61), (255, 131), (64, 600)]
)
def test_any_size(lettering: Lettering, size: tuple[int, int]) -> None:
    for seed in range(6):
        artwork = np.full((*size, 3), 90, np.uint8) if seed % 2 else None
        page, lines = lettering.page_with_text(_rng(seed), *size, artwork)
        assert page.shape == (*size, 3)
        assert page.dtype == np.uint8
        assert page.flags.writeable
        for line in lines:
            left, top, right, bottom = line.box
            assert 0 <= left < right <= size[1]
            assert 0 <= top < bottom <= size[0]


def test_page_is_page_with_text(lettering: Lettering) -> None:
    page, lines = lettering.page_with_text(_rng(3), 256, 256)
    assert np.array_equal(page, lettering.page(_rng(3), 256, 256))
    assert lines
    assert all(isinstance(line, TextLine) and line.text.strip() for line in lines)


def test_artwork_shows_outside_of_the_lettering(lettering: Lettering) -> None:
    artwork = _rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    kept = []
    for seed in range(12):
        before = artwork.copy()
        page = lettering.page(_rng(seed), 256, 256, artwork)
        assert np.array_equal(artwork, before)
        kept.append(float((page == artwork).all(axis=-1).mean()))
    # Noise is not met by chance: whatever is alike was left alone.
    assert max(kept) < 1
    assert min(kept) > 0.1
    assert float(np.mean(kept)) > 0.4


def test_lines_lie_where_they_say(lettering: Lettering) -> None:
    artwork = np.full((256, 256, 3), 128, np.uint8)
    for seed in range(12):
        page, lines = lettering.page_with_text(_rng(seed), 256, 256, artwork)
        for line in lines:
            left, top, right, bottom = (round(v) for v in line.box)
            ink = page[top:bottom, left:right].reshape(-1, 3)
            assert int(ink.max()) - int(ink.min()) > 60, (seed, line)


def test_drawn_pages_have_artwork(lettering: Lettering) -> None:
    spreads = [float(lettering.page(_rng(seed), 128, 128).std()) for seed in range(12)]
    assert min(spreads) > 5
    greys = [np.ptp(lettering.page(_rng(s), 64, 64), axis=-1).max() < 3 for s in range(40)]
    assert 0 < sum(greys) < 40


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (-3, 4)])
def test_no_page_without_pixels(lettering: Lettering, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"{size[0]} x {size[1]}"):
        lettering.page(_rng(0), *size)


@pytest.mark.parametrize(
    "artwork",
    [
        np.zeros((10, 12, 3), np.uint8),
        np.zeros((12, 10), np.uint8),
        np.zeros((12, 10, 4), np.uint8),
        np.zeros((12, 10, 3), np.float32),
    ],
)
def test_artwork_must_fit_the_page(lettering: Lettering, artwork: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"must be \(12, 10, 3\) and uint8"):
        lettering.page(_rng(0), 12, 10, artwork)


def test_a_file_that_is_no_font(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.ttf"
    wrong.write_bytes(b"not a font")
    with pytest.raises(InputError, match=r"wrong\.ttf"):
        Lettering([wrong])
    with pytest.raises(InputError, match=r"none of the 1 \.otf and \.ttf files in .* can letter"):
        find_fonts([tmp_path])
    with pytest.raises(InputError, match="no folder of fonts"):
        find_fonts([tmp_path / "absent"])


def test_fonts_are_found_in_order_of_their_names(tmp_path: Path) -> None:
    folders = [tmp_path / "z", tmp_path / "a" / "deep"]
    for folder in folders:
        folder.mkdir(parents=True)
    names = [(0, "Alpha.ttf"), (1, "Beta.TTF"), (1, "Alpha.ttf"), (0, "SomeMono.ttf")]
    for index, name in names:
        _built_in(folders[index], name)
    (folders[0] / "notes.txt").write_text("not a font")
    expected = [folders[1] / "Alpha.ttf", folders[1] / "Beta.TTF"]
    assert find_fonts([tmp_path]) == expected
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"none of the 0 .* files in .*empty can letter"):
        find_fonts([tmp_path / "z", tmp_path / "empty"])
    assert Lettering(expected).page(_rng(0), 64, 64).shape == (64, 64, 3)


def test_handwritten_families_get_most() -> None:
    fonts = [Path(f"Serif{i}-Bold.ttf") for i in range(20)] + [Path("ComicNeue-Bold.otf")]
    shares = weights(fonts)
    assert sum(shares) == pytest.approx(1)
    assert shares[-1] == pytest.approx(0.7)
    assert sum(weights(fonts[:-1])) == pytest.approx(1)


def test_built_in_font_has_letters_and_lacks_others() -> None:
    face = typeface(None)
    assert set("AZaz09!?&'") <= face.characters
    assert 0.5 < face.cap < 1


def test_lines_are_broken_to_the_width_and_lose_nothing() -> None:
    font = typeface(None).at(10)
    for seed in range(30):
        words = sentence(_rng(seed), 14)
        lines = break_lines(words, font, 120.0, 0.0, _rng(seed))
        assert all(font.getlength(line) <= 130 or " " not in line for line in lines)
        said = "".join(words).replace("-", "")
        assert "".join(lines).replace(" ", "").replace("-", "") == said


def test_a_hyphenated_line_leaves_room_for_its_spacing() -> None:
    font, spacing = typeface(None).at(10), 6.0
    hyphenated = 0
    for seed in range(60):
        words = ["ab", "extraordinary"] * 4
        for line in break_lines(words, font, 150.0, spacing, _rng(seed))[:-1]:
            if line.endswith("-"):
                hyphenated += 1
                (block,) = set_block([line], font, cap=10, leading=0, spacing=spacing).quads
                assert np.ptp(block[:, 0]) <= 150
    assert hyphenated > 10


@pytest.mark.parametrize("turn", [0.0, 25.0])
def test_block_tells_the_bounds_of_its_ink(turn: float) -> None:
    font = typeface(None).at(20)
    lines = ["HELLO", "it's 42 Wp"]
    block = set_block(lines, font, cap=20, leading=34, spacing=2, halo=3, turn=turn, slant=0.2)
    ink, halo = block.draw()
    assert halo is not None
    assert halo.size == ink.size
    assert (np.asarray(halo) >= np.asarray(ink)).all()
    points = block.quads.reshape(-1, 2) + np.array(ink.size) / 2
    box = ink.getbbox()
    assert box is not None
    assert (points.min(axis=0) <= np.array(box[:2]) + 2).all()
    assert (points.max(axis=0) >= np.array(box[2:]) - 2).all()


def test_slanted_lines_stay_centred() -> None:
    font = typeface(None).at(20)
    block = set_block(["HOH"] * 5, font, cap=20, leading=34, slant=0.3)
    middles = block.quads[:, :, 0].mean(axis=1)
    assert np.ptp(middles) < 0.5
    assert abs(middles).max() < 3
    ink, _ = block.draw()
    columns = np.asarray(ink, np.float64)
    thirds = [columns[: len(columns) // 3], columns[-(len(columns) // 3) :]]
    first, last = (part.sum(axis=0) @ np.arange(ink.width) / part.sum() for part in thirds)
    assert abs(first - last) < 4


@pytest.mark.parametrize("kind", KINDS)
def test_bubble_holds_its_text(kind: str) -> None:
    for seed in range(10):
        rng = _rng(seed)
        points = rng.uniform(-1, 1, (8, 2)) * (60, 30)
        parts = bubble(kind, points, 5.0, rng)
        canvas = Image.new("RGB", (400, 400), (0, 0, 255))
        colours = Paint((255, 255, 255), (255, 0, 0), 2.0)
        paint(canvas, parts, (200.0, 200.0), colours)
        for x, y in np.rint(points + 200).astype(int):
            assert canvas.getpixel((int(x), int(y))) == (255, 255, 255)
        assert canvas.getpixel((0, 0)) == (0, 0, 255)
        assert (np.asarray(canvas) == (255, 0, 0)).all(axis=-1).any()


def test_fill_may_let_the_artwork_through() -> None:
    canvas = Image.new("RGB", (60, 60), (0, 0, 0))
    square = np.array([(-9.0, -9.0), (9, -9), (9, 9), (-9, 9)])
    paint(canvas, [square], (30.0, 30.0), Paint((200, 200, 200), (255, 0, 0), 0, 0.5))
    assert canvas.getpixel((30, 30)) == pytest.approx((100, 100, 100), abs=1)
    paint(canvas, [square], (500.0, 30.0), Paint((9, 9, 9), (9, 9, 9), 1))
    assert canvas.getpixel((59, 30)) == (0, 0, 0)


def test_words_bring_every_letter_and_digit() -> None:
    rng = _rng(0)
    said = " ".join(" ".join(sentence(rng, 12)) for _ in range(300))
    assert set("abcdefghijklmnopqrstuvwxyz0123456789!?.,'\"&*-") <= set(said)
    assert all(cry(rng).rstrip("!?").isupper() for _ in range(50))


@pytest.mark.usefixtures("tesseract")
def test_lettering_is_legible() -> None:
    face = typeface(None)
    font = face.at(48)
    words = ["THE", "CLEVER", "DRAGON", "WILL", "NEVER", "FORGET", "25", "GOLDEN", "SPOONS"]
    block = set_block(break_lines(words, font, 560.0, 0.0, _rng(1)), font, cap=48, leading=90)
    canvas = Image.new("RGB", (1000, 800), (90, 140, 160))
    parts = bubble("ellipse", block.quads.reshape(-1, 2), 40.0, _rng(2), tail=False)
    paint(canvas, parts, (500.0, 400.0), Paint((255, 255, 255), (0, 0, 0), 4.0))
    ink, _ = block.draw()
    canvas.paste((0, 0, 0), (500 - ink.width // 2, 400 - ink.height // 2), ink)
    points = block.quads.reshape(-1, 2) + np.array([500, 400])
    left, top = (int(v) - 10 for v in points.min(axis=0))
    right, bottom = (int(v) + 10 for v in points.max(axis=0))
    small = canvas.crop((left, top, right, bottom)).reduce(3)
    read = _read(np.array(small), line=False).upper().replace("- ", "")
    assert difflib.SequenceMatcher(None, read, " ".join(words)).ratio() > 0.9, read


@pytest.mark.usefixtures("tesseract")
def test_pages_say_what_they_tell(lettering: Lettering) -> None:
    ratios = []
    for seed in range(4):
        page, lines = lettering.page_with_text(_rng(seed), 256, 256)
        for line in lines[:4]:
            left, top, right, bottom = (round(v) for v in line.box)
            crop = page[max(0, top - 2) : bottom + 2, max(0, left - 3) : right + 3]
            read = _read(crop, line=True)
            ratios.append(difflib.SequenceMatcher(None, read.upper(), line.text.upper()).ratio())
    assert len(ratios) > 5
    assert float(np.median(ratios)) > 0.8, ratios
