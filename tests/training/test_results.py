"""What an evaluation found in total, and how it is stored."""

from __future__ import annotations

import json

import numpy as np
import pytest

from restore_rt.training.evaluation import (
    Candidate,
    Evaluation,
    PictureResult,
    Score,
    baselines,
)
from restore_rt.training.evaluation.ocr import Misread, ReferenceText


def two_pages() -> Evaluation:
    def model(name: str) -> Candidate:
        return Candidate(name=name, restore=lambda frame: frame, scale=2)

    evaluation = Evaluation(
        scale=2,
        degradation="reduce",
        candidates=[*baselines(2), model("a"), model("b")],
        ocr="tesseract 5",
    )
    page = ReferenceText(((0, 0, 9, 9),), ("ten letter",), "ten letter and more.")
    for psnr, milliseconds, lines in ((30.0, 1.0, 1), (40.0, 2.0, None), (100.0, 9.0, 2)):
        misread = None if lines is None else Misread(lines, 2 * lines)
        plain = Score(metrics={"psnr_y": 30.0})
        score = Score(metrics={"psnr_y": psnr}, milliseconds=milliseconds, misread=misread)
        evaluation.pictures.append(
            PictureResult(
                name=f"{psnr}.png",
                height=4,
                width=6,
                frames=1,
                grey=False,
                scores={
                    "bicubic": plain,
                    "lanczos": plain,
                    "a": score,
                    "b": plain,
                    "original": Score(metrics={}),
                },
                lettering=None if misread is None else page,
            )
        )
    return evaluation


def test_totals() -> None:
    evaluation = two_pages()
    assert evaluation.models == ["a", "b"]
    assert evaluation.lettered == 2
    assert evaluation.totals("a") == {
        "psnr_y": pytest.approx(170 / 3),
        "cer": 3 / 20,
        "cer_page": 6 / 40,
        "ms_per_megapixel": 2,
    }
    assert evaluation.totals("b") == {"psnr_y": 30}
    assert evaluation.totals("original") == {}


def test_the_least_good_model_decides_the_gain() -> None:
    evaluation = two_pages()
    assert [evaluation.gain(picture) for picture in evaluation.pictures] == [0, 0, 0]
    evaluation.candidates = evaluation.candidates[:-1]
    assert [evaluation.gain(picture) for picture in evaluation.pictures] == [0, 10, 70]


def test_a_mean_is_over_pictures_where_all_have_a_figure() -> None:
    evaluation = two_pages()
    rows = ("bicubic", "lanczos", "a", "b", "original")
    figures = {name: [3.0 + number, 5.0, 9.0] for number, name in enumerate(rows)}
    figures["b"][1] = figures["original"][2] = None  # type: ignore[call-overload]
    for number, page in enumerate(evaluation.pictures):
        for name in rows:
            measured = dict(page.scores[name].metrics)
            if figures[name][number] is not None:
                measured["niqe"] = figures[name][number]
            page.scores[name] = Score(metrics=measured)
    found = {name: evaluation.totals(name)["niqe"] for name in rows}
    assert found == {name: 3.0 + number for number, name in enumerate(rows)}
    # PSNR needs no figure of the original.
    assert evaluation.totals("a")["psnr_y"] == pytest.approx(170 / 3)
    # Nobody has a total where no picture is common to all.
    evaluation.pictures = evaluation.pictures[1:]
    assert all("niqe" not in evaluation.totals(name) for name in rows)


def test_json() -> None:
    evaluation = two_pages()
    evaluation.failed.append(("bad.png", "is damaged"))
    stored = json.loads(json.dumps(evaluation.as_dict(), allow_nan=False))
    assert stored["schema"] == 1
    assert stored["totals"]["a"]["psnr_y"] == pytest.approx(170 / 3)
    assert "PSNR of equal frames: 100;" in stored["what"]
    assert stored["pictures"][0]["scores"]["a"]["cer"] == 0.1
    assert stored["pictures"][1]["characters"] is None
    assert stored["unlettered"] == 1
    assert stored["failed"] == [{"name": "bad.png", "error": "is damaged"}]
    assert stored["machine"]["libraries"]["numpy"] == np.__version__
    assert stored["machine"]["cpus"] >= 1
    assert [entry["name"] for entry in stored["candidates"]] == ["bicubic", "lanczos", "a", "b"]
