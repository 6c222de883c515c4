from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from restore_rt.errors import InputError
from restore_rt.training.data.grouping import check_pattern, group_names, hold_out, is_far
from restore_rt.training.data.pictures import PictureFile


def files_of(*names: str) -> list[PictureFile]:
    return [PictureFile(name.split("/")[0], name, Path(name), 9, 9, 0) for name in names]


def parted(
    names: list[str], one_in: int, groups: str = ""
) -> tuple[list[str], list[str], list[str]]:
    """Return names to train on, names held out, and what was said."""
    lines: list[str] = []
    training, held = hold_out(files_of(*names), one_in, groups, say=lines.append)
    return [file.name for file in training], [file.name for file in held], lines


def test_pictures_are_held_out_by_the_same_numbers_on_every_machine() -> None:
    names = [f"a/\udcff{number}.png" for number in range(60)]
    training, held, _ = parted(names, 3)
    expected = [name for n, name in enumerate(names) if zlib.crc32(b"a/\xff%d.png" % n) % 3 == 0]
    assert held == expected
    assert training == [name for name in names if name not in expected]


def test_pages_of_one_comic_stay_together() -> None:
    pages = [f"pages/E{e:02}P{p:02}.webp" for e in range(30) for p in range(6)]
    training, held, lines = parted(pages, 4, r"E\d\d")
    apart = {name[:9] for name in held}
    assert 2 < len(apart) < 20
    assert not apart & {name[:9] for name in training}
    assert not any("matches" in line for line in lines)
    # Without the pattern each page is for itself.
    assert {name[:9] for name in parted(pages, 4)[1]} > apart


def test_a_pattern_that_parts_the_pages_of_a_comic_is_refused_or_told() -> None:
    pages = [f"pages/E{e:02}P{p:02}.webp" for e in range(8) for p in range(4)]
    with pytest.raises(InputError, match=r"'E\\D'; it matches in no name, such as pages/E00P00"):
        parted(pages, 4, r"E\D")
    # What matches emptily says nothing of any picture: not all of them are one group.
    with pytest.raises(InputError, match="matches in no name"):
        parted([f"pages/{n}.webp" for n in range(9)], 4, r"(E\d+)?")
    lines = parted([*pages, "pages/cover.webp"], 4, r"E\d+")[2]
    assert lines[0] == (
        r"the pattern of groups, 'E\d+', matches in 32 of 33 names; each of the others is for "
        "itself"
    )
    assert group_names(["x/E1a", "x/E1b", "x/c"], r"E\d?|$") == (["E1", "E1", "x/c"], 1)
    with pytest.raises(InputError, match=r"'\(', no regular expression"):
        check_pattern("(")


@pytest.mark.parametrize("one_in", [2, 3, 7, 14, 1000])
@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_small_sets_have_pictures_on_both_sides(count: int, one_in: int) -> None:
    for start in range(20):
        names = [f"a/{start + n}.png" for n in range(count)]
        training, held, _ = parted(names, one_in)
        assert training
        assert held
        assert sorted(training + held) == sorted(names)
        # Names alone decide, not their order.
        again = parted(names[::-1], one_in)
        assert (sorted(again[0]), sorted(again[1])) == (sorted(training), sorted(held))


def test_every_folder_keeps_something_to_train_on() -> None:
    for lone in range(30):
        names = [f"one/{lone}.png", *(f"many/{n}.png" for n in range(4))]
        training, held, _ = parted(names, 3)
        assert f"one/{lone}.png" in training
        assert 1 <= len(held) <= 3
    with pytest.raises(InputError, match=r"none of 2 pictures can be held out .* add pictures"):
        parted(["a/0.png", "b/0.png"], 3)
    with pytest.raises(InputError, match="let the pattern of groups make smaller ones"):
        parted(["a/E1P1.png", "a/E1P2.png"], 3, r"E\d")


def test_a_part_far_from_its_share_is_told() -> None:
    pages = [f"a/E1P{n}.png" for n in range(7)] + ["a/E2P0.png", "a/E2P1.png"]
    training, held, lines = parted(pages, 100, r"E\d")
    assert (len(lines), len(training) + len(held)) == (1, 9)
    assert lines[0].startswith(f"{len(held)} of 9 pictures are held out, though one in 100 was")
    assert lines[0].endswith("the names of their 2 groups decide")
    assert parted([f"a/{n}.png" for n in range(700)], 7)[2] == []
    assert [is_far(found, 10) for found in (6, 7, 13, 14)] == [True, False, False, True]
    # By a single picture no small set is far.
    assert not is_far(2, 1.0)
