from __future__ import annotations

import csv
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from restore_rt.errors import InputError
from restore_rt.training.dataset import SplitPlan, SplitRules, find_tree, plan_split, write_split
from restore_rt.training.dataset.fingerprints import Fingerprint, fingerprints
from tests.training.dataset.scenes import below, save, scene

THIRDS = {"train": 0.4, "test": 0.3, "verify": 0.3}


def blank(name: str) -> Fingerprint:
    """Return the fingerprint of a picture that resembles no other."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    hashes, small = np.zeros((2, 11, 8), np.uint8), np.zeros((128, 128), np.uint8)
    return Fingerprint(Path(name), digest, hashes, small, blank=True)


def sides(plan: SplitPlan) -> dict[str, str]:
    return {item.file.as_posix(): item.side for item in plan.placed}


MANY = [blank(f"{number}.png") for number in range(1000)]


def test_the_shares_are_met_and_do_not_depend_on_order() -> None:
    plan = plan_split(MANY, SplitRules({"train": 0.8, "test": 0.1, "verify": 0.1}))
    assert plan.counts() == {"train": 785, "test": 102, "verify": 113}
    assert plan.warnings == ()
    again = plan_split(MANY[::-1], SplitRules({"train": 0.8, "test": 0.1, "verify": 0.1}))
    assert sides(again) == sides(plan)
    other = plan_split(MANY, SplitRules({"train": 0.8, "test": 0.1, "verify": 0.1}, seed=1))
    assert sides(other) != sides(plan)


def test_pictures_stay_where_they_are_when_others_come() -> None:
    few, many = (plan_split(prints, SplitRules(THIRDS)) for prints in (MANY[:50], MANY))
    assert sides(few).items() <= sides(many).items()


def test_a_side_without_a_share_is_empty() -> None:
    plan = plan_split(MANY, SplitRules({"train": 0.5, "verify": 0.5}))
    assert plan.counts()["test"] == 0
    assert plan.warnings == ()


def test_groups_stay_together() -> None:
    prints = [blank(f"E{n // 10:02d}P{n % 10}.png") for n in range(200)] + [blank("cover.png")]
    plan = plan_split(prints, SplitRules(THIRDS, group=r"E\d+"))
    assert plan.unmatched == 1
    assert {item.group for item in plan.placed} == {f"E{n:02d}" for n in range(20)} | {"cover.png"}
    by_group: dict[str, set[str]] = {}
    for item in plan.placed:
        by_group.setdefault(item.group, set()).add(item.side)
    assert all(len(found) == 1 for found in by_group.values())
    assert all(plan.counts().values())
    folders = [blank(f"{n % 3}/{n}.png") for n in range(30)]
    assert len({p.group for p in plan_split(folders, SplitRules(THIRDS, "^[^/]+/")).placed}) == 3


def test_a_pattern_that_matches_nothing_makes_no_group() -> None:
    plan = plan_split(MANY[:5], SplitRules(THIRDS, group="^0?"))
    assert plan.unmatched == 4
    assert len({item.group for item in plan.placed}) == 5
    with pytest.raises(InputError, match=r"'E\[0-9\]'; it matches in no name, such as 0\.png"):
        plan_split(MANY, SplitRules(THIRDS, group="E[0-9]"))


def test_near_duplicates_join_groups(tmp_path: Path) -> None:
    for seed in range(8):
        save(tmp_path / f"a{seed}" / "1.png", scene(seed))
        save(tmp_path / f"a{seed}" / "2.png", scene(seed + 50))
    save(tmp_path / "z.jpg", scene(3)[:, 5:], quality=60)
    save(tmp_path / "y.png", scene(54)[:, ::-1])
    save(tmp_path / "x.png", scene(3)[:140])
    plan = plan_split(fingerprints(find_tree(tmp_path)), SplitRules(THIRDS, group="^a[0-9]"))
    groups = {item.file.as_posix(): item.group for item in plan.placed}
    assert [groups[name] for name in ("x.png", "y.png", "z.jpg")] == ["a3", "a4", "a3"]
    assert len(set(groups.values())) == 8
    assert set(plan.twins) == {
        (Path("a3/1.png"), Path("x.png")),
        (Path("a3/1.png"), Path("z.jpg")),
        (Path("a4/2.png"), Path("y.png")),
    }
    found = sides(plan)
    assert found["z.jpg"] == found["x.png"] == found["a3/1.png"] == found["a3/2.png"]


def test_what_came_out_far_from_its_share_is_told() -> None:
    pages = [blank(f"a/{n}.png") for n in range(9)] + [blank("b/0.png")]
    shares = {"train": 0.5, "test": 0.5}
    plan = plan_split(pages, SplitRules(shares, group="^./"))
    assert sorted(plan.counts().values()) in ([0, 0, 10], [0, 1, 9])
    assert len(plan.warnings) == 2
    assert "the 10 pictures are 2 groups, the largest of 9" in plan.warnings[0]
    (empty,) = plan_split(MANY[:1], SplitRules({"train": 1})).warnings or ("none",)
    assert empty == "none"
    assert any("is empty" in text for text in plan_split(MANY[:2], SplitRules(THIRDS)).warnings)


@pytest.mark.parametrize(
    ("shares", "options", "message"),
    [
        ({"train": 0.8, "test": 0.1}, {}, "train 0.8, test 0.1, together 0.9"),
        ({"train": 1.2, "test": -0.2}, {}, "each 0 or more"),
        ({"train": 0.9, "val": 0.1}, {}, "there are train, test, verify"),
        ({"train": float("nan")}, {}, "together nan"),
        ({}, {}, "together 0"),
        (THIRDS, {"group": "("}, "no regular expression"),
        (THIRDS, {"distance": 65}, "distance is 65"),
    ],
)
def test_rules_that_are_refused(
    shares: dict[str, float], options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        SplitRules(shares, **options)  # type: ignore[arg-type]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for seed in range(9):
        save(tmp_path / "in" / f"{seed % 2}" / f"{seed}.png", scene(seed, 20, 31))
    return tmp_path / "in"


def split(
    source: Path, target: Path, *, seed: int = 0, link: bool = False, overwrite: bool = False
) -> SplitPlan:
    tree = find_tree(source)
    plan = plan_split(fingerprints(tree), SplitRules(THIRDS, seed=seed))
    write_split(plan, tree, target, link=link, overwrite=overwrite)
    return plan


def test_files_are_copied_and_listed(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan = split(source, out)
    expected = [f"{item.side}/{item.file.as_posix()}" for item in plan.placed]
    assert below(out) == sorted([*expected, "manifest.tsv"])
    with (out / "manifest.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["file"] for row in rows] == [file.as_posix() for file in find_tree(source).files]
    for row in rows:
        copy = out / row["side"] / row["file"]
        assert not copy.is_symlink()
        assert copy.read_bytes() == (source / row["file"]).read_bytes()
        assert hashlib.sha256(copy.read_bytes()).hexdigest() == row["sha256"]
        assert row["group"] == row["file"]


def test_links_lead_to_the_originals(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    plan = split(source, out, link=True)
    for item in plan.placed:
        link = out / item.side / item.file
        assert link.resolve() == (source / item.file).resolve()
        assert not os.path.isabs(os.readlink(link))  # noqa: PTH115, PTH117
    tmp_path.rename(tmp_path.with_name("moved"))
    moved = tmp_path.with_name("moved") / "deep" / "out"
    assert all((moved / item.side / item.file).is_file() for item in plan.placed)


def test_an_earlier_split_is_not_mixed_in(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    split(source, out)
    before = below(out)
    with pytest.raises(InputError, match=r"manifest\.tsv exists and 9 more"):
        split(source, out)
    with pytest.raises(InputError, match="is not part of this split"):
        split(source, out, seed=1, overwrite=True)
    assert below(out) == before
    split(source, out, overwrite=True)
    assert below(out) == before


def test_copies_replace_links_and_not_the_originals(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan = split(source, out, link=True)
    originals = {item.file: (source / item.file).stat().st_ino for item in plan.placed}
    split(source, out, overwrite=True)
    for item in plan.placed:
        assert not (out / item.side / item.file).is_symlink()
        assert (source / item.file).stat().st_ino == originals[item.file]
    split(source, out, overwrite=True, link=True)
    assert all((out / item.side / item.file).is_symlink() for item in plan.placed)


def test_originals_are_never_replaced(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for side in THIRDS:
        (out / side).symlink_to(source)
    with pytest.raises(InputError, match="is an input"):
        split(source, out, overwrite=True)


def test_a_folder_in_the_manifests_place(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "manifest.tsv").mkdir(parents=True)
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"manifest\.tsv is not a file"):
            split(source, tmp_path / "out", overwrite=overwrite)
    assert below(tmp_path / "out") == []


def test_odd_names_are_listed_so_that_they_can_be_read(tmp_path: Path) -> None:
    names = ["a\tb.png", 'c"d.png', "e\nf.png", "ü.png"]
    for number, name in enumerate(names):
        save(tmp_path / "in" / name, scene(number, 9, 9))
    split(tmp_path / "in", tmp_path / "out")
    with (tmp_path / "out" / "manifest.tsv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert sorted(row["file"] for row in rows) == sorted(names)
