"""Error rates: with a program that stands in for Tesseract, and with Tesseract where it is."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from restore_rt.errors import BackendError, InputError
from restore_rt.training.degradations import degrade, parse_spec
from restore_rt.training.evaluation import Tesseract, baselines
from restore_rt.training.evaluation.ocr import Misread, ReferenceText, normalised

real = pytest.mark.usefixtures("tesseract")

COLUMNS = "level page_num block_num par_num line_num word_num left top width height conf text"
# What is found on a page: block, line, place, confidence, word.
WORDS = (
    (1, 1, (10, 10, 30, 12), 91, "GOOD"),
    (1, 1, (50, 8, 70, 12), 88, "EVENING,"),
    (1, 2, (10, 30, 60, 14), 95, "Captain!"),
    (1, 2, (80, 30, 9, 14), 12, "x"),
    (2, 1, (120, 60, 30, 9), 80, "wrl"),
    (3, 1, (5, 70, 20, 9), 90, "--"),
)
# Reads the top left pixel: it says which of the texts below the picture "shows".
PROGRAM = f"""#!{sys.executable}
import io, sys
from pathlib import Path
from PIL import Image
texts = {{0: ["good evening,", "captain!", "b"], 1: ["good even1ng,", "xx", "c"]}}
pages = {{0: "Good evening,\\nCaptain!\\n", 1: "Good evening,\\n"}}
if "--list-langs" in sys.argv:
    print("List of available languages (1):\\n" + LANGUAGE)
elif "--version" in sys.argv:
    print("tesseract 9.9\\n libpng")
elif BROKEN:
    sys.exit("no\\nway")
elif sys.argv[1].endswith("lines.txt"):
    files = Path(sys.argv[1]).read_text().splitlines()
    shown = Image.open(files[-1]).getpixel((0, 0))[0]
    print("\\n\\f".join(texts[shown][:len(files) - MISSING]))
else:
    shown = Image.open(io.BytesIO(sys.stdin.buffer.read())).getpixel((0, 0))[0]
    if "tsv" in sys.argv:
        print({COLUMNS!r}.replace(" ", "\\t"))
        for block, line, place, confidence, word in {WORDS!r}:
            print(5, 1, block, 1, line, 1, *place, confidence, word, sep="\\t")
    else:
        print(pages[shown])
"""


def stand_in(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    broken: bool = False,
    missing: int = 0,
    language: str = "eng",
) -> None:
    program = folder / "tesseract"
    text = PROGRAM.replace("BROKEN", str(broken)).replace("MISSING", str(missing))
    program.write_text(text.replace("LANGUAGE", repr(language)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def page(shown: int) -> np.ndarray:
    return np.full((100, 200, 3), shown, np.uint8)


def test_lines_that_read_twice_alike_are_lettering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch)
    tesseract = Tesseract()
    assert tesseract.version == "tesseract 9.9"
    found = tesseract.reference(page(0))
    assert found == ReferenceText(
        boxes=((10, 8, 120, 22), (10, 30, 70, 44)),
        lines=("good evening,", "captain!"),
        page="good evening, captain!",
    )
    assert found.characters == 21


def test_misread_characters_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch)
    tesseract = Tesseract()
    lettering = tesseract.reference(page(0))
    assert lettering is not None
    assert tesseract.misread(page(0), lettering) == Misread(0, 0)
    # One letter of the first line; the second line's 8 are lost, however it reads.
    assert tesseract.misread(page(1), lettering) == Misread(1 + 8, len(" captain!"))


def test_a_page_with_little_to_read_is_not_lettered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch)
    assert Tesseract(least=21).reference(page(0)) is not None
    assert Tesseract(least=22).reference(page(0)) is None


def test_what_tesseract_says_when_it_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, broken=True)
    with pytest.raises(BackendError, match=r"tesseract failed \(no way\)"):
        Tesseract().reference(page(0))
    stand_in(tmp_path, monkeypatch, missing=1)
    with pytest.raises(BackendError, match="read 2 of 3 lines"):
        Tesseract().reference(page(0))


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"apt install tesseract-ocr$"):
        Tesseract()
    stand_in(tmp_path, monkeypatch, language="osd")
    with pytest.raises(InputError, match="lacks its English data"):
        Tesseract()
    monkeypatch.setitem(sys.modules, "rapidfuzz", None)
    with pytest.raises(InputError, match=r"pip install 'restore-rt\[eval\]'"):
        Tesseract()


def test_case_quotes_and_breaks_do_not_matter() -> None:
    assert normalised("It\u2019s  A\n\u2018\ufb01ne\u2019 day\f") == "it's a 'fine' day"
    assert normalised(" \n") == ""


def lettered(text: str, size: int = 28) -> Image.Image:
    image = Image.new("RGB", (560, 40 + 60 * len(text.splitlines())), "white")
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(text.splitlines()):
        place = (30, 30 + 60 * number)
        draw.text(place, line, fill="black", font=ImageFont.load_default(size))
    return image


@real
def test_tesseract_reads_lettering() -> None:
    image = lettered("The storm will be here soon,\nso tie down the sails!")
    tesseract = Tesseract()
    lettering = tesseract.reference(np.asarray(image))
    assert lettering is not None
    assert lettering.lines == ("the storm will be here soon,", "so tie down the sails!")
    assert lettering.page == " ".join(lettering.lines)
    assert tesseract.misread(np.asarray(image), lettering) == Misread(0, 0)
    blurred = image.filter(ImageFilter.GaussianBlur(7))
    misread = tesseract.misread(np.asarray(blurred), lettering)
    assert misread.lines > lettering.characters / 4
    assert misread.page > len(lettering.page) / 4


@real
def test_tesseract_finds_nothing_where_there_is_nothing() -> None:
    assert Tesseract().reference(np.full((70, 81), 200, np.uint8)) is None


@real
@pytest.mark.data
def test_known_rates_of_comic_pages(data_dir: Path) -> None:
    tesseract = Tesseract()
    steps = parse_spec("reduce,jpeg:70,jpeg:50,jpeg:60")
    lines = characters = on_page = misread_on_page = 0
    for name in ("E06P04", "E17P02", "github-illustrated-series__github_fall", "E05P03"):
        with Image.open(data_dir / "test" / "comic" / f"{name}.png") as image:
            pixels = np.asarray(image.convert("RGB"))
        original = pixels[: pixels.shape[0] // 2 * 2]
        lettering = tesseract.reference(original)
        # No letter is on E05P03.
        assert (lettering is None) == (name == "E05P03")
        if lettering is not None:
            (small,) = degrade(steps, [original], np.random.default_rng(0), scale=2)
            misread = tesseract.misread(baselines(2)[0].restore(small), lettering)
            lines, characters = lines + misread.lines, characters + lettering.characters
            misread_on_page += misread.page
            on_page += len(lettering.page)
    assert misread_on_page / on_page == pytest.approx(0.38, abs=0.03)
    assert lines / characters == pytest.approx(0.033, abs=0.015)
