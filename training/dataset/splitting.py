"""Pictures to sides, train, test and verify: the same for the same set, twins never apart."""

from __future__ import annotations

import csv
import hashlib
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from restore_rt.errors import InputError
from restore_rt.files import output_error, whole_file
from restore_rt.folders import make_folder
from restore_rt.training.data.grouping import check_pattern, group_names, is_far
from restore_rt.training.data.pictures import SUFFIXES
from restore_rt.training.dataset.duplicates import DISTANCE, candidates, check_distance
from restore_rt.training.dataset.fingerprints import Fingerprint, compare
from restore_rt.training.dataset.folders import (
    Advance,
    Tree,
    refuse_existing,
    refuse_inputs,
)

__all__ = [
    "MANIFEST",
    "SIDES",
    "Placed",
    "SplitPlan",
    "SplitRules",
    "check_manifest",
    "plan_split",
    "write_split",
]

SIDES = ("train", "test", "verify")
MANIFEST = "manifest.tsv"
_COLUMNS = ("file", "side", "group", "sha256")


@dataclass(frozen=True)
class Placed:
    """Destination of a picture: path in the set, side, group, and the SHA-256 of the file."""

    file: Path
    side: str
    group: str
    sha256: str


@dataclass(frozen=True)
class SplitPlan:
    """Where all pictures go, in the order of the tree.

    `twins` are pairs of near-duplicates that names alone would not have kept together. In the names
    of `unmatched` pictures the pattern of groups matches nothing. `warnings` tell of sides that
    came out empty or far from their share.
    """

    placed: tuple[Placed, ...]
    twins: tuple[tuple[Path, Path], ...]
    unmatched: int
    warnings: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """Return how many pictures each side has."""
        found = Counter(item.side for item in self.placed)
        return {side: found[side] for side in SIDES}


@dataclass(frozen=True)
class SplitRules:
    """Rules that assign pictures to sides.

    A hash of the seed and of the name of a picture's group does, so that the counts meet the
    `shares` of `SIDES` (0 to 1, together 1; a side that is not named has 0) only roughly. A picture
    stays on its side when others are added or removed that do not resemble it; near-duplicates, by
    `distance` (see `duplicates`), make one group of two, whose name may be another one.

    `group` is a regular expression. Pictures in whose path (with ``/``, relative to the set) it
    matches the same text are a group: ``^[^/]+/`` makes one of each folder. A picture in whose path
    it matches nothing is a group by itself.

    Raises `InputError` if the shares do not add up to 1, the distance is not allowed, or the
    pattern is no regular expression.
    """

    shares: Mapping[str, float]
    group: str | None = None
    seed: int = 0
    distance: int = DISTANCE

    def __post_init__(self) -> None:
        check_distance(self.distance)
        total = sum(self.shares.values())
        known = set(self.shares) <= set(SIDES)
        if not known or min(self.shares.values(), default=0) < 0 or not abs(total - 1) < 1e-6:
            text = ", ".join(f"{side} {share:g}" for side, share in self.shares.items())
            raise InputError(
                f"the shares are {text}, together {total:g}; there are {', '.join(SIDES)}, each 0 "
                "or more, together 1"
            )
        check_pattern(self.group or "")


def plan_split(
    prints: Sequence[Fingerprint], rules: SplitRules, *, advance: Advance | None = None
) -> SplitPlan:
    """Decide on which side each picture goes, by its fingerprint.

    Groups that have near-duplicates of each other become one, called after the first of their
    names. `advance` is called with the number of pictures compared since the last call.

    Raises `InputError` if the pattern of groups matches in no name.
    """
    from scipy.cluster.hierarchy import DisjointSet

    labels, unmatched = group_names([p.file.as_posix() for p in prints], rules.group or "")
    sets = DisjointSet(labels)
    twins = []
    for i, j in candidates(prints, prints, rules.distance, advance):
        joined = sets.connected(labels[i], labels[j])
        if i < j and not joined and compare(prints[i], prints[j], rules.distance) is not None:
            sets.merge(labels[i], labels[j])
            twins.append((prints[i].file, prints[j].file))
    names = {label: min(labels) for labels in sets.subsets() for label in labels}
    placed = tuple(
        Placed(item.file, _side(name, rules), name, item.sha256)
        for item, name in zip(prints, (names[label] for label in labels), strict=True)
    )
    return SplitPlan(placed, tuple(twins), unmatched, tuple(_warnings(placed, rules.shares)))


def _side(name: str, rules: SplitRules) -> str:
    key = hashlib.sha256(f"{rules.seed}\n{name}".encode(errors="surrogateescape")).digest()
    place = int.from_bytes(key[:8], "big") / 2**64
    for side in SIDES:
        place -= rules.shares.get(side, 0)
        if place < 0:
            return side
    return max(SIDES, key=lambda side: rules.shares.get(side, 0))  # rounding of the sum


def _warnings(placed: Sequence[Placed], shares: Mapping[str, float]) -> list[str]:
    found = Counter(item.side for item in placed)
    groups = Counter(item.group for item in placed)
    (_, largest), *_ = groups.most_common(1) or [("", 0)]
    cause = (
        f"the {len(placed)} pictures are {len(groups)} groups, the largest of {largest}; take "
        "another --seed or more pictures"
    )
    messages = []
    for side in SIDES:
        wanted = shares.get(side, 0) * len(placed)
        if wanted and not found[side]:
            messages.append(f"{side} is empty: {cause}")
        elif is_far(found[side], wanted):
            messages.append(
                f"{side} has {found[side]} of {len(placed)} pictures, {wanted:.0f} would be its "
                f"share: {cause}"
            )
    return messages


def write_split(
    plan: SplitPlan,
    tree: Tree,
    target: Path,
    *,
    link: bool = False,
    overwrite: bool = False,
    advance: Advance | None = None,
) -> None:
    """Write the pictures of a plan to a folder for each side, and then the manifest.

    The files of `tree` are copied as they are, or linked to (by relative links), to ``train/...``,
    ``test/...`` and ``verify/...`` in `target`, which is made if missing; the manifest,
    ``manifest.tsv``, has the columns file, side, group, sha256. With `overwrite` existing files may
    be replaced; pictures that an earlier split left elsewhere in `target` are refused even so: one
    could stand on two sides. `advance` is called with 1 after each picture.

    Raises `InputError` if outputs exist or are inputs, `OutputError` if a file cannot be written.
    """
    outputs = [target / item.side / item.file for item in plan.placed]
    manifest = target / MANIFEST
    # Whether it is there is told with the others.
    check_manifest(target, overwrite=True)
    refuse_existing((p for p in (manifest, *outputs) if os.path.lexists(p)), overwrite=overwrite)
    # A link to an input, which an earlier split made, is replaced, and not what it leads to.
    refuse_inputs((p for p in outputs if not p.is_symlink()), tree)
    _refuse_strays(target, set(outputs))
    # It is there when the split is whole.
    manifest.unlink(missing_ok=True)
    for item, output in zip(plan.placed, outputs, strict=True):
        make_folder(output.parent)
        source = tree.root / item.file
        if link:
            _link(source, output)
        else:
            _copy(source, output, overwrite=overwrite)
        if advance is not None:
            advance(1)
    make_folder(target)
    with (
        whole_file(manifest, overwrite=overwrite) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(_COLUMNS)
        for item in plan.placed:
            writer.writerow((item.file.as_posix(), item.side, item.group, item.sha256))


def check_manifest(target: Path, *, overwrite: bool = False) -> None:
    """Refuse (`InputError`), before any work, a folder in which the manifest could not be written.

    There is one that may not be replaced, or what bears its name is no file.
    """
    manifest = target / MANIFEST
    if manifest.exists() and not manifest.is_file():
        raise InputError(
            f"{manifest} is not a file, and the manifest is to have its name; remove it, or give "
            "another folder"
        )
    refuse_existing([manifest] if os.path.lexists(manifest) else [], overwrite=overwrite)


def _refuse_strays(target: Path, outputs: set[Path]) -> None:
    for side in SIDES:
        for here, _, names in os.walk(target / side):
            for name in names:
                file = Path(here, name)
                if file.suffix.lower() in SUFFIXES and file not in outputs:
                    raise InputError(
                        f"{file} is not part of this split, and what it shows may be "
                        f"on another side; remove the folders {', '.join(SIDES)} in {target}, or "
                        "give another folder"
                    )


def _copy(source: Path, output: Path, *, overwrite: bool) -> None:
    if overwrite and output.is_symlink():
        output.unlink()  # else the copy would go where the link leads
    with whole_file(output, overwrite=overwrite) as temporary:
        shutil.copyfile(source, temporary)


def _link(source: Path, output: Path) -> None:
    temporary = output.with_name(f".restore-rt-{secrets.token_hex(6)}")
    try:
        temporary.symlink_to(os.path.relpath(source.resolve(), output.parent.resolve()))
        temporary.replace(output)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise output_error(error, output) from error
