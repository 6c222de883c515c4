"""The page and the table of an evaluation, and the crops that it shows."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from restore_rt.threads import available_threads
from restore_rt.training.evaluation import (
    Candidate,
    Crops,
    Evaluation,
    PictureResult,
    Score,
    baselines,
    columns_of,
    report,
    rows_of,
    worst_first,
)
from restore_rt.training.evaluation.crops import CROP, cut, most_different
from restore_rt.training.evaluation.ocr import Misread, ReferenceText
from restore_rt.training.metrics.fidelity import picture_metrics

METRICS = picture_metrics(2)
VOID = {"meta", "img"}


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(40, 57), (40, 57, 3)])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_the_window_is_where_pictures_differ_most(shape: tuple[int, ...], step: int) -> None:
    pictures = [noise(*shape, seed=seed) for seed in range(3)]
    spread = np.stack(pictures).astype(float).std(axis=0)
    best = max(
        (spread[top : top + 12, left : left + 18].sum(), top, left)
        for top in range(0, 40 - 12 + 1, step)
        for left in range(0, 57 - 18 + 1, step)
    )
    assert most_different(pictures, (12, 18), step=step) == best[1:]


def test_a_window_may_be_the_whole_picture() -> None:
    assert most_different([noise(7, 9), noise(7, 9, seed=1)], (7, 9), step=2) == (0, 0)


def test_crops_show_one_place() -> None:
    small = noise(150, 171, 3)
    original = small.repeat(2, axis=0).repeat(2, axis=1)
    changed = original.copy()
    changed[200:210, 250:270] ^= 255
    crops = cut(small, {"same": original, "changed": changed}, original, scale=2)
    assert crops.original.shape == crops.restored["changed"].shape == (CROP, CROP, 3)
    assert crops.input.shape == (CROP // 2, CROP // 2, 3)
    assert crops.top <= 200 <= 210 <= crops.top + CROP
    assert crops.left <= 250 <= 270 <= crops.left + CROP
    np.testing.assert_array_equal(crops.input.repeat(2, axis=0).repeat(2, axis=1), crops.original)
    assert (crops.restored["changed"] != crops.restored["same"]).any()


def test_without_enlarging_a_model_is_compared_with_the_input() -> None:
    original = noise(120, 131)
    restored = original.copy()
    restored[115:, 125:] ^= 255
    crops = cut(original, {"model": restored}, original, scale=1)
    assert (crops.top, crops.left) == (24, 35)
    assert crops.input.shape == (CROP, CROP)


def test_the_original_alone_can_be_shown() -> None:
    original = noise(120, 131, 3)
    crops = cut(original[::2, ::2], {}, original, scale=2)
    assert crops.restored == {}
    np.testing.assert_array_equal(crops.original, original[:CROP, :CROP])


@pytest.mark.parametrize(("height", "width"), [(2, 2), (10, 400), (100, 94)])
def test_small_pictures_are_shown_whole(height: int, width: int) -> None:
    original = noise(height, width, 3)
    crops = cut(original[::2, ::2], {"model": original}, original, scale=2)
    assert crops.original.shape == (min(height, CROP), min(width, CROP), 3)
    assert crops.input.shape == (crops.original.shape[0] // 2, crops.original.shape[1] // 2, 3)


def evaluation(*gains: float, names: str = "abc") -> Evaluation:
    def scores(gain: float) -> dict[str, Score]:
        plain = Score(metrics={"psnr_y": 30.0, "niqe": 4.0}, milliseconds=2.0)
        better = Score(
            metrics={"psnr_y": 30.0 + gain, "niqe": 5.0}, milliseconds=50.0, misread=Misread(1, 5)
        )
        own = Score(metrics={"niqe": 3.0})
        return {"bicubic": plain, "lanczos": plain, "model <x2>": better, "original": own}

    model = Candidate(name="model <x2>", restore=lambda frame: frame, scale=2, parameters=12345)
    found = Evaluation(
        scale=2, degradation="reduce,jpeg:30", candidates=[*baselines(2), model], ocr="tesseract 5"
    )
    for name, gain in zip(names, gains, strict=False):
        found.pictures.append(
            PictureResult(
                name=f"{name} & <b>.png",
                height=30,
                width=20,
                frames=1,
                grey=False,
                scores=scores(gain),
                lettering=ReferenceText(((0, 0, 1, 1),), ("twenty characters xx",), "y" * 50),
            )
        )
    return found


def crops(seed: int) -> Crops:
    return Crops(4, 6, noise(15, 10, 3, seed=seed), {"model <x2>": noise(30, 20, 3)}, noise(30, 20))


class Page(HTMLParser):
    """Takes a page apart, and checks that what it opens it closes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.cells: list[str] = []
        self.headings: list[str] = []
        self.images: list[np.ndarray] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            source = dict(attrs)["src"] or ""
            kind, _, data = source.partition(",")
            assert kind == "data:image/png;base64"
            self.images.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(data)
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


def test_the_page_stands_alone() -> None:
    found = evaluation(1, -1, 0.5)
    text = report(found, METRICS, {p.name: crops(n) for n, p in enumerate(found.pictures)})
    page = Page(text)
    assert not {"script", "link", "iframe", "object"} & {*page.tags}
    assert not {"href", "srcset", "onload"} & {name for name, _ in page.attributes}
    assert "://" not in text
    assert "url(" not in text
    assert "image-rendering: pixelated" in text


def test_the_page_shows_the_worst_first() -> None:
    found = evaluation(1, -1, 0.5)
    assert [picture.name[0] for picture in worst_first(found)] == ["b", "c", "a"]
    shown = {picture.name: crops(n) for n, picture in enumerate(found.pictures) if n}
    page = Page(report(found, METRICS, shown))
    assert page.headings == ["b & <b>.png", "c & <b>.png"]
    # Input, model and original of either.
    assert len(page.images) == 6
    np.testing.assert_array_equal(page.images[0], crops(1).input)
    np.testing.assert_array_equal(page.images[2], crops(1).original)


def test_the_page_names_what_failed() -> None:
    found = evaluation(1)
    found.failed.append(("<bad>.png", "is damaged & empty"))
    text = report(found, METRICS, {})
    assert "1 picture, 1 failed; scale 2; reduce,jpeg:30" in text
    assert "Failed: &lt;bad&gt;.png: is damaged &amp; empty" in text
    assert "Lettering read by tesseract 5 on 1 picture; 0 count as not lettered" in text


def test_the_page_tells_what_ran_where() -> None:
    details = {"model": "model <x2>", "runs_on": "model <x2> on oak, 3 threads"}
    found = evaluation(1)
    found.candidates = [
        *found.candidates[:-1],
        dataclasses.replace(found.candidates[-1], details=details),
    ]
    text = report(found, METRICS, {})
    assert "<p>model &lt;x2&gt; ran on oak, 3 threads</p>" in text
    assert re.search(rf"<p>restore_rt .*, {available_threads()} CPUs?, Python", text)


def test_a_picture_shows_what_was_measured_on_it() -> None:
    found = evaluation(1, 2)
    del found.pictures[0].scores["original"].metrics["niqe"]
    columns = columns_of(found, METRICS)
    place = [column.key for column in columns].index("niqe")
    row = {
        name: cells[place].text
        for name, cells in rows_of(found, columns, found.pictures[0]).items()
    }
    assert row == {"bicubic": "4.00", "lanczos": "4.00", "model <x2>": "5.00", "original": "\u2013"}


def test_the_table() -> None:
    found = evaluation(1, 2)
    columns = columns_of(found, METRICS)
    titles = [column.title for column in columns]
    assert titles == ["PSNR Y dB", "NIQE", "CER by lines", "CER by page", "ms/Mpixel"]
    rows = {name: [cell.text for cell in cells] for name, cells in rows_of(found, columns).items()}
    none = "\u2013"
    assert rows == {
        "bicubic": ["30.00", "4.00", none, none, "2.0"],
        "lanczos": ["30.00", "4.00", none, none, "2.0"],
        "model <x2>": ["31.50", "5.00", "0.0500", "0.100", "50.0"],
        "original": [none, "3.00", none, none, none],
    }
    written = [*titles, "parameters"]
    for name, row in rows.items():
        written += [name, *row, *(["12,345"] if name == "model <x2>" else [])]
    assert Page(report(found, METRICS, {})).cells == written


def test_the_best_of_each_column() -> None:
    found = evaluation(1)
    columns = columns_of(found, METRICS)
    best = {name: [cell.best for cell in cells] for name, cells in rows_of(found, columns).items()}
    # The original takes no part, and times are no contest.
    assert best == {
        "bicubic": [False, True, False, False, False],
        "lanczos": [False, True, False, False, False],
        "model <x2>": [True, False, True, True, False],
        "original": [False] * 5,
    }


def test_a_row_of_one_picture() -> None:
    found = evaluation(1, 2)
    columns = columns_of(found, METRICS)
    assert rows_of(found, columns, found.pictures[1])["model <x2>"][0].text == "32.00"
