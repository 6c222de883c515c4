"""From options and files to cases; what is not allowed is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from restore_rt.bench.report import Case
from restore_rt.bench.sweep import KEYS, cases_of, read_sweep
from restore_rt.errors import RestoreError
from tests.video.clips import make_clip


def test_without_a_word_it_is_the_usual_case() -> None:
    assert cases_of({}) == [Case()]


def test_lists_are_combined_in_order_and_nothing_twice() -> None:
    found = cases_of({"threads": [1, 2, 1], "size": ["64x36", "128x72"]})
    assert [(case.threads, case.height, case.width) for case in found] == [
        (1, 36, 64),
        (2, 36, 64),
        (1, 72, 128),
        (2, 72, 128),
    ]


def test_a_size_is_width_and_height_as_it_is_shown() -> None:
    for size in ("64x36", "64X36", ["64x36"]):
        (case,) = cases_of({"size": size})
        assert (case.height, case.width) == (36, 64)
        assert str(case) == "video-x2, 64x36"
    tiled = cases_of({"tile": [128, "128", "96x64"]})
    assert [case.tile for case in tiled] == [(128, 128), (64, 96)]
    assert str(tiled[1]).endswith("tile 96x64")


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({"modle": "video-x2"}, "no key 'modle'; allowed are model, device"),
        ({"model": "nope"}, "'nope' is neither a shipped model"),
        ({"device": "gpu"}, "device is 'gpu'; allowed are auto, cpu, cuda"),
        ({"backend": "torch"}, "backend is 'torch'"),
        ({"precision": ["fp32", "fp8"]}, "precision is 'fp8'"),
        ({"size": "big"}, "size is 'big'; give width and height, such as 640x360, or one number"),
        ({"size": "0x5"}, "size is '0x5'"),
        ({"size": [[640, 360]]}, r"size is \[640, 360\]"),
        ({"size": True}, "size is True"),
        ({"tile": "1x2x3"}, "tile is '1x2x3'"),
        ({"threads": 0}, "threads is 0"),
        ({"threads": True}, "threads is True"),
        ({"streams": 1.5}, "streams is 1.5"),
        ({"batch": []}, "batch is an empty list"),
        ({"scope": "device", "device": "cpu"}, "scope is 'device', which needs a GPU"),
        ({"clip": "none.mp4"}, "there is no file .*none.mp4"),
        ({"clip": "a.mp4", "size": "3x3"}, "leave one out"),
        ({"model": 5}, "model is 5; give text"),
        ({"model": [["a"]]}, "give text"),
        ({"clip": True}, "clip is True"),
        ({"clip": "a\0b"}, "clip is"),
    ],
)
def test_what_is_not_allowed_is_named(sweep: dict[str, Any], said: str) -> None:
    with pytest.raises(RestoreError, match=said):
        cases_of(sweep)


def test_a_file_holds_a_sweep_or_several(tmp_path: Path) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text('threads = [1, 2]\nsize = "64x36"\n', "utf-8")
    assert read_sweep(path) == cases_of({"threads": [1, 2], "size": "64x36"})
    path.write_text(
        "threads = 1\n[[sweep]]\nbackend = \"native\"\n[[sweep]]\nthreads = 2\nsize = [9, '8x8']\n",
        "utf-8",
    )
    assert read_sweep(path) == [
        *cases_of({"threads": 1, "backend": "native"}),
        *cases_of({"threads": 2, "size": ["9x9", "8x8"]}),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("threads = ", "is not TOML"),
        ("sweep = 1", r"write \[\[sweep\]\]"),
        ("threads = -1", "sweep.toml: threads is -1"),
        ("[threads]\na = 1", "threads is {'a': 1}"),
        ("model = 'nope'", "sweep.toml: 'nope' is neither"),
    ],
)
def test_a_wrong_file_is_told_with_its_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "sweep.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(RestoreError, match=said):
        read_sweep(path)


def test_a_clip_has_a_size(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "in.mkv", frames=3)
    (case,) = cases_of({"clip": str(clip)})
    assert (case.height, case.width, case.clip) == (48, 64, str(clip))
    for more in ({"scope": "network"}, {"streams": 2}):
        with pytest.raises(RestoreError, match="end to end"):
            cases_of({"clip": str(clip), **more})


def test_a_sweep_names_what_a_case_has() -> None:
    assert set(KEYS) - {"size"} == set(vars(Case())) - {"height", "width"}
