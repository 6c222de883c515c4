"""Scripts other than Latin that comics are lettered in, and invented words in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["SCRIPTS", "Script"]

Rng = np.random.Generator


def _pick(rng: Rng, items: Sequence[str]) -> str:
    return items[int(rng.integers(len(items)))]


@dataclass(frozen=True)
class Script:
    """A script and how it is written.

    Attributes
    ----------
    name
        For people.
    share
        How often it is chosen, among these scripts.
    probe
        Characters that a font with this script has.
    word, cries
        Invents a word; sound effects.
    ends, pauses
        Punctuation after a sentence, and within one.
    size
        Of its letters, over that of Latin ones: dense letters are set larger.
    space
        What stands between two words.
    columns
        The share of speeches that are set in columns, from the right.
    """

    name: str
    share: float
    probe: str
    word: Callable[[Rng], str]
    cries: tuple[str, ...]
    ends: str = ".!?…"
    pauses: str = ",,,;:"
    size: float = 1.0
    space: str = " "
    columns: float = 0.0

    def sentence(self, rng: Rng, words: int) -> list[str]:
        """Invent `words` words with punctuation; each sentence starts with a capital."""
        said = []
        start = True
        for index in range(words):
            word = self.word(rng)
            if start:
                word = word[:1].upper() + word[1:]
            start = index == words - 1 or rng.random() < 0.12
            if start:
                word += _pick(rng, self.ends)
            elif rng.random() < 0.15:
                word += _pick(rng, self.pauses)
            said.append(word)
        return said

    def cry(self, rng: Rng) -> str:
        """Return a sound effect."""
        word = _pick(rng, self.cries) * (2 if rng.random() < 0.15 else 1)
        return word.upper() + _pick(rng, ("", "", "!", "!!"))


def _list(words: str) -> tuple[str, ...]:
    return tuple(words.split())


def _alphabet(onsets: str, vowels: str, codas: str) -> Callable[[Rng], str]:
    """Return a function that makes words of one to three syllables."""
    first, middle, last = _list(onsets), _list(vowels), _list(codas)

    def word(rng: Rng) -> str:
        parts = []
        for _ in range(int(rng.integers(1, 4))):
            parts += [_pick(rng, first), _pick(rng, middle)]
        return "".join(parts) + (_pick(rng, last) if rng.random() < 0.6 else "")

    return word


def _coded(codec: str, first: int, last: int) -> str:
    """Return the characters of some rows of a national standard of two bytes for each."""
    codes = (bytes((row, cell)) for row in range(first, last + 1) for cell in range(0xA1, 0xFF))
    return "".join(code.decode(codec, "ignore") for code in codes)


HIRAGANA = (
    "あいうえおかがきぎくぐけげこごさざしじすずせぜそぞただちってつでとどなにぬねの"
    "はばぱひびぴふぶぷへべぺほぼぽまみむめもやゃゆゅよょらりるれろわをん"
)
KATAKANA = "".join(chr(ord(c) + 0x60) for c in HIRAGANA)
# The 2,965 kanji of JIS X 0208's first level, and the 2,350 syllables of KS X 1001.
KANJI = _coded("euc_jp", 0xB0, 0xCF)
SYLLABLES = _coded("euc_kr", 0xB0, 0xC8)


def _japanese(rng: Rng) -> str:
    def some(characters: str, low: int, high: int) -> str:
        return "".join(_pick(rng, characters) for _ in range(int(rng.integers(low, high))))

    chance = rng.random()
    if chance < 0.35:
        return some(HIRAGANA, 1, 5)
    if chance < 0.55:
        return some(KATAKANA, 2, 5) + _pick(rng, ("", "", "ー"))
    return some(KANJI, 1, 3) + some(HIRAGANA, 0, 3)


def _korean(rng: Rng) -> str:
    return "".join(_pick(rng, SYLLABLES) for _ in range(int(rng.integers(1, 5))))


SCRIPTS = (
    Script(
        "Cyrillic",
        0.3,
        "абвгдежзийклмнопрстуфхцчшщъыьэюяАБВГДЖЯ",
        _alphabet(
            "б бр в вл г гл д др ж з к кл кр л м н п пр р с ск сл ст т тр ф х ц ч ш щ",
            "а е ё и о у ы э ю я а е и о",
            "б в д й к л м н р с т ть ш х ц нь ъ",
        ),
        _list("бах бум трах хлоп бац ух ой ах вжик дзынь плюх тсс грр хрусь шмяк кап топ"),
    ),
    Script(
        "Greek",
        0.15,
        "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώΑΒΓΔΩ",
        _alphabet(
            "β γ δ ζ θ κ κλ κρ λ μ ν ξ π πλ πρ ρ σ στ στρ τ τρ φ χ ψ",
            "α ε η ι ο υ ω αι ει ου ά έ ή ί ό ύ ώ",
            "ς ν ς",
        ),
        _list("μπαμ μπουμ κρακ ωχ αχ ουφ γκρρ πλατς σπλας ντιν τικ τακ ζουμ"),
        ends=".!;…",
        pauses=",,,·",
    ),
    Script(
        "Japanese",
        0.35,
        HIRAGANA + KATAKANA + "、。！？日一国年大十二本中長出三時行見月",
        _japanese,
        _list("ドドド ゴゴゴ バン ドン ガシャ ザザ ワー キャー ズズズ ピカ ゴロゴロ シーン バキ"),
        ends="。！？…",
        pauses="、",
        size=1.25,
        space="",
        columns=0.7,
    ),
    Script(
        "Korean",
        0.2,
        "가나다라마바사아자차카타파하은는이를에의고도한지",
        _korean,
        _list("쾅 쿵 펑 두둥 휙 철썩 쨍그랑 꽝 탁 슉 으악 하하 후다닥 번쩍"),
        size=1.2,
    ),
)
