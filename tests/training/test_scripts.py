"""Lettering in other scripts than Latin, and pictures drawn in ink and screentone."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from restore_rt.training.lettering import Lettering
from restore_rt.training.lettering.fonts import typeface
from restore_rt.training.lettering.layout import break_lines, set_columns
from restore_rt.training.lettering.screentone import toned
from restore_rt.training.lettering.scripts import SCRIPTS, Script


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def dejavu() -> Path:
    """Return a font with Cyrillic and Greek, which Matplotlib brings."""
    matplotlib = pytest.importorskip("matplotlib")
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def _script_of(character: str) -> str:
    return unicodedata.name(character).split()[0].removesuffix("-")


def test_other_scripts_are_lettered_where_a_font_has_them(dejavu: Path) -> None:
    assert Lettering([], scripts=1.0).scripts == []
    assert Lettering([dejavu]).scripts == []
    lettering = Lettering([dejavu], scripts=1.0)
    assert lettering.scripts == ["Cyrillic", "Greek"]
    seen = set()
    for seed in range(8):
        page, lines = lettering.page_with_text(_rng(seed), 256, 256)
        again, _ = Lettering([dejavu], scripts=1.0).page_with_text(_rng(seed), 256, 256)
        assert np.array_equal(page, again)
        letters = [c for line in lines for c in line.text if c.isalpha()]
        seen |= {_script_of(c) for c in letters}
    assert seen == {"CYRILLIC", "GREEK"}


def test_a_share_of_speeches_is_in_other_scripts(dejavu: Path) -> None:
    lettering = Lettering([dejavu], scripts=0.3)
    pages = [lettering.page_with_text(_rng(seed), 256, 256)[1] for seed in range(30)]
    scripts = [
        _script_of(next(filter(str.isalpha, line.text)))
        for lines in pages
        for line in lines
        if any(map(str.isalpha, line.text))
    ]
    assert 0.1 < np.mean([script != "LATIN" for script in scripts]) < 0.5


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_words_of_a_script(script: Script) -> None:
    names = {"Korean": {"HANGUL"}, "Japanese": {"HIRAGANA", "KATAKANA", "CJK"}}
    expected = names.get(script.name, {script.name.upper()})
    for seed in range(20):
        words = script.sentence(_rng(seed), 9)
        assert words == script.sentence(_rng(seed), 9)
        assert len(words) == 9
        assert words[-1][-1] in script.ends
        for text in (*words, script.cry(_rng(seed))):
            letters = {_script_of(c) for c in text if c.isalpha()}
            assert letters - {"KATAKANA-HIRAGANA"} <= expected, text
    assert {_script_of(c) for c in script.probe if c.isalpha()} <= expected


def test_columns_go_down_and_to_the_left() -> None:
    font = typeface(None).at(20)
    block = set_columns(["abc", "d"], font, leading=40)
    first, second = block.quads[:, 0], block.quads[:, 2]
    assert first[0, 0] - first[1, 0] == pytest.approx(40, abs=5)
    heights = second[:, 1] - first[:, 1]
    assert heights[0] > 2.5 * heights[1]
    ink = np.array(block.draw()[0])
    assert ink.max() == 255
    # The right half holds three letters, the left one the last.
    left, right = ink[:, : ink.shape[1] // 2], ink[:, ink.shape[1] // 2 :]
    assert right.sum() > 1.8 * left.sum() > 0


def test_words_without_gaps_are_not_hyphenated() -> None:
    font = typeface(None).at(10)
    words = ["abcdefgh"] * 12
    lines = break_lines(words, font, 150, 0.0, _rng(0), gap="")
    assert len(lines) > 1
    assert "".join(lines) == "".join(words)


def test_screentone_follows_the_brightness() -> None:
    picture = np.repeat(np.array([0, 90, 160, 255], np.uint8), 48)[None, :, None]
    picture = np.ascontiguousarray(np.broadcast_to(picture, (64, 192, 3)))
    for seed in range(20):
        page = np.array(toned(_rng(seed), picture, 2))
        assert page.shape == (128, 384, 3)
        assert np.ptp(page, axis=-1).max() == 0
        parts = [page[:, 96 * n + 16 : 96 * n + 80].mean() for n in range(4)]
        # Two places of one tone differ by where the screen lies.
        assert all(low < high + 4 for low, high in pairwise(parts))
        assert parts[0] < 45
        assert parts[3] > 230
        assert np.array_equal(page, np.array(toned(_rng(seed), picture, 2)))
    # Tones between ink and paper are of both.
    page = np.array(toned(_rng(2), picture, 2))
    screens = [page[:, 96 * n + 16 : 96 * n + 80, 0] for n in (1, 2)]
    assert any(screen.min() < 60 and screen.max() > 220 for screen in screens)


def test_pictures_become_screentone_before_they_are_lettered() -> None:
    artwork = _rng(1).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    lettering = Lettering([], tones=1.0)
    page = lettering.page(_rng(0), 96, 128, artwork)
    assert page.shape == artwork.shape
    assert (page == artwork).all(axis=-1).mean() < 0.2
    grey = np.ptp(page, axis=-1) < 3
    assert grey.mean() > 0.5
    for size in ((1, 1), (1, 40), (3, 2)):
        tiny = np.full((*size, 3), 90, np.uint8)
        assert lettering.page(_rng(0), *size, tiny).shape == tiny.shape
