"""``restore-rt dataset``: make the sets of pictures that networks are trained and tested on."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

import typer

from restore_rt.cli.console import emit, fail, note, progress
from restore_rt.cli.options import JsonOption, OverwriteOption, ThreadsOption
from restore_rt.errors import InputError
from restore_rt.wording import count_of

__all__ = ["dataset"]

dataset = typer.Typer(
    name="dataset",
    help="Make sets of pictures to train and test on: split first, crop or reduce after.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)

SourceArgument = Annotated[
    Path, typer.Argument(metavar="IN", help="A folder of pictures, with all folders below it.")
]
TargetOption = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="OUT", help="The folder to write; made if missing."),
]
FormatOption = Annotated[
    Literal["png", "webp"], typer.Option("--format", help="What to write; both lose nothing.")
]
DistanceOption = Annotated[
    int | None,
    typer.Option(
        "--distance",
        metavar="N",
        help="In how many of 64 bits perceptual hashes may differ for a closer look; fewer miss "
        "crops.",
        show_default="14",
    ),
]


@dataset.command()
def crop(
    source: SourceArgument,
    target: TargetOption,
    size: Annotated[int, typer.Option("--size", metavar="N", help="Side of a square in pixels.")],
    per_image: Annotated[
        str,
        typer.Option(
            "--per-image",
            metavar="K|grid",
            help="1: the middle. More: that many of a grid, those that show most. grid: all.",
        ),
    ] = "1",
    flat_below: Annotated[
        float | None,
        typer.Option(
            "--flat-below",
            metavar="X",
            help="Leave out squares whose neighbouring samples differ by less than X levels (of "
            "255) on average; 0 keeps all. Blank paper and clear sky lie below 0.5, cloth and "
            "blurred backgrounds below 2.",
            show_default="0.5",
        ),
    ] = None,
    format_name: FormatOption = "png",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> int:
    """Cut squares from pictures: the middle of each, or a grid that does not overlap.

    A square is named after its picture and its first row and column: a/b.jpg gives
    a/b_y00064_x00128.png. Pictures are turned as their EXIF says and become 8-bit RGB.
    """
    from restore_rt.threads import thread_count
    from restore_rt.training.dataset import crop_pictures, find_tree
    from restore_rt.training.dataset.crops import FLAT_BELOW

    count = None if per_image == "grid" else _whole_number(per_image)
    workers = thread_count(threads)
    tree = find_tree(source, avoid=target)
    skipped = _Skipped()
    with progress("cropping", len(tree), "pictures") as advance:
        report = crop_pictures(
            tree,
            target,
            size=size,
            per_image=count,
            flat_below=FLAT_BELOW if flat_below is None else flat_below,
            format_name=format_name,
            overwrite=overwrite,
            threads=workers,
            advance=advance,
            broken=skipped,
        )
    if report.stale:
        note(f"{count_of(report.stale, 'square')} of an earlier run remain in {target}")
    data = {
        "output": target,
        "size": size,
        "pictures": report.pictures,
        "written": report.written,
        "flat": report.flat,
        "small": report.small,
        **skipped.as_dict(),
    }
    text = (
        f"{target}: {count_of(report.written, 'square')} of {size}x{size} from "
        f"{count_of(report.pictures, 'picture')}"
    )
    if report.flat:
        text += f"; {count_of(report.flat, 'square')} left out for showing too little"
    if report.small:
        text += f"; {count_of(len(report.small), 'picture')} left out for being smaller"
    emit(data, text + skipped.text(), as_json=as_json)
    return skipped.exit_code


@dataset.command()
def reduce(
    source: SourceArgument,
    target: TargetOption,
    scale: Annotated[
        str | None,
        typer.Option(
            "--scale", metavar="S", help="Result over picture: 0.5 or 1/3.", show_default=False
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="N",
            help="The longer side of each result in pixels; smaller pictures keep their size.",
            show_default=False,
        ),
    ] = None,
    filter_name: Annotated[
        Literal["bicubic", "area", "lanczos", "bilinear", "nearest"],
        typer.Option("--filter", help="How; all but nearest avoid aliasing."),
    ] = "bicubic",
    format_name: FormatOption = "png",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> int:
    """Make smaller copies of pictures; a/b.jpg gives a/b.png.

    Pictures are turned as their EXIF says and become 8-bit RGB. What is less than a whole pixel of
    the result at the right and lower end is cut off, so that result and picture stay aligned.
    """
    from restore_rt.threads import thread_count
    from restore_rt.training.dataset import find_tree, reduce_pictures

    if (scale is None) == (size is None):
        raise InputError("give either --scale or --size")
    factor = None if scale is None else _fraction(scale)
    workers = thread_count(threads)
    tree = find_tree(source, avoid=target)
    skipped = _Skipped()
    with progress("reducing", len(tree), "pictures") as advance:
        report = reduce_pictures(
            tree,
            target,
            scale=factor,
            size=size,
            filter_name=filter_name,
            format_name=format_name,
            overwrite=overwrite,
            threads=workers,
            advance=advance,
            broken=skipped,
        )
    data = {
        "output": target,
        "pictures": report.pictures,
        "written": report.written,
        "kept": report.kept,
        "small": report.small,
        **skipped.as_dict(),
    }
    text = f"{target}: {count_of(report.written, 'picture')}"
    if report.kept:
        text += f"; {report.kept} of them kept at a size no larger than asked for"
    if report.small:
        text += f"; {count_of(len(report.small), 'picture')} left out for being too small"
    emit(data, text + skipped.text(), as_json=as_json)
    return skipped.exit_code


@dataset.command()
def split(
    source: SourceArgument,
    target: TargetOption,
    train: Annotated[float, typer.Option("--train", metavar="SHARE", help="To train on.")] = 0.8,
    test: Annotated[float, typer.Option("--test", metavar="SHARE", help="To report on.")] = 0.1,
    verify: Annotated[
        float, typer.Option("--verify", metavar="SHARE", help="To watch a training by.")
    ] = 0.1,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="REGEX",
            help="Pictures in whose path it matches the same text stay together: '^[^/]+/' for "
            "folders, 'E[0-9]+' for E01P02.png.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Another one gives another split.")
    ] = 0,
    link: Annotated[
        bool, typer.Option("--link/--copy", help="Symbolic links, or copies of the files.")
    ] = False,
    distance: DistanceOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
    overwrite: OverwriteOption = False,
) -> int:
    """Share pictures out to OUT/train, OUT/test and OUT/verify.

    A hash of the seed and the name decides, so that a picture stays on its side when others are
    added that do not resemble it. Groups and near-duplicates never stand on two sides: what
    resembles a picture may take it to another side. OUT/manifest.tsv says where each picture is:
    file, side, group, sha256.
    """
    from restore_rt.threads import thread_count
    from restore_rt.training.dataset import SplitRules, find_tree, plan_split, write_split
    from restore_rt.training.dataset.duplicates import DISTANCE
    from restore_rt.training.dataset.fingerprints import fingerprints
    from restore_rt.training.dataset.splitting import MANIFEST, check_manifest

    rules = SplitRules(
        {"train": train, "test": test, "verify": verify},
        group=group,
        seed=seed,
        distance=DISTANCE if distance is None else distance,
    )
    workers = thread_count(threads)
    tree = find_tree(source, avoid=target)
    check_manifest(target, overwrite=overwrite)
    skipped = _Skipped()
    with progress("looking", len(tree), "pictures") as advance:
        prints = fingerprints(tree, threads=workers, advance=advance, broken=skipped)
    with progress("comparing", len(prints), "pictures") as advance:
        plan = plan_split(prints, rules, advance=advance)
    for message in plan.warnings:
        note(f"warning: {message}")
    if plan.unmatched:
        note(f"--group matches in all but {plan.unmatched} of {len(prints)} names")
    with progress("linking" if link else "copying", len(prints), "pictures") as advance:
        write_split(plan, tree, target, link=link, overwrite=overwrite, advance=advance)
    counts = plan.counts()
    data = {
        "output": target,
        "manifest": target / MANIFEST,
        "sides": counts,
        "groups": len({item.group for item in plan.placed}),
        "joined": plan.twins,
        "warnings": plan.warnings,
        **skipped.as_dict(),
    }
    text = f"{target}: {', '.join(f'{side} {count}' for side, count in counts.items())} pictures"
    if plan.twins:
        text += f"; {count_of(len(plan.twins), 'pair')} of near-duplicates kept together"
    emit(data, text + skipped.text(), as_json=as_json)
    return skipped.exit_code


@dataset.command()
def duplicates(
    train: Annotated[Path, typer.Argument(metavar="TRAIN", help="A folder of pictures.")],
    test: Annotated[Path, typer.Argument(metavar="TEST", help="Another one.")],
    distance: DistanceOption = None,
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> int:
    """Find pictures of TEST that TRAIN has too: the same, scaled, recoded, cropped or mirrored.

    Each pair is a line: the two files, how well they agree (at most 1), and whether one is
    mirrored. The exit code is 1 when there is a pair, or a picture that cannot be read.
    """
    from restore_rt.threads import thread_count
    from restore_rt.training.dataset import duplicates as library
    from restore_rt.training.dataset import find_tree
    from restore_rt.training.dataset.fingerprints import fingerprints

    bits = library.DISTANCE if distance is None else distance
    library.check_distance(bits)
    workers = thread_count(threads)
    trees = [find_tree(folder) for folder in (train, test)]
    skipped = _Skipped()
    with progress("looking", sum(map(len, trees)), "pictures") as advance:
        left, right = (
            fingerprints(tree, threads=workers, advance=advance, broken=skipped) for tree in trees
        )
    with progress("comparing", len(left), "pictures") as advance:
        found = library.duplicates(left, right, train, test, distance=bits, advance=advance)
    blank = sum(item.blank for item in (*left, *right))
    if blank:
        note(f"only exact copies are found of {count_of(blank, 'picture')} without any feature")
    data = {
        "train": len(left),
        "test": len(right),
        "duplicates": [
            {
                "train": pair.train,
                "test": pair.test,
                "distance": pair.distance,
                "agreement": round(pair.agreement, 4),
                "mirrored": pair.mirrored,
            }
            for pair in found
        ],
        "blank": blank,
        **skipped.as_dict(),
    }
    lines = [
        f"{pair.train}\t{pair.test}\t{pair.agreement:.3f}{' mirrored' if pair.mirrored else ''}"
        for pair in found
    ]
    none = f"none of {count_of(len(right), 'picture')} in {test} is among {len(left)} in {train}"
    emit(data, "\n".join(lines) if lines else none + skipped.text(), as_json=as_json)
    if found:
        pairs = count_of(len(found), "pair")
        fail(f"{pairs} with the same content; keep one of each, or the test means little")
    return 1 if found else skipped.exit_code


class _Skipped:
    """Pictures that could not be read: told at once, and counted."""

    def __init__(self) -> None:
        self._messages: list[str] = []

    def __call__(self, message: str) -> None:
        self._messages.append(message)
        fail(f"skipped: {message}")

    def as_dict(self) -> dict[str, list[str]]:
        return {"skipped": self._messages}

    def text(self) -> str:
        count = len(self._messages)
        return f"; {count_of(count, 'picture')} skipped as unreadable" if count else ""

    @property
    def exit_code(self) -> int:
        return 1 if self._messages else 0


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"--per-image is {text!r}; give a number like 4, or grid") from None


def _fraction(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise InputError(f"--scale is {text!r}; give a number like 0.5 or 1/3") from None
