"""Two thousand damaged files: each ends in a result or in one clear error, and leaves nothing."""

from __future__ import annotations

import functools
import json
import random
import re
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from restore_rt.images import read_pages
from tests.networks import nearest, save_model
from tests.soak import bases
from tests.soak.factor import share
from tests.soak.mutations import mutated
from tests.soak.trials import Outcome, Server

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("ffmpeg")]

MOST_SECONDS, MOST_MEGABYTES = 60.0, 2048.0
CASES = {"video": 667, "picture": 667, "model": 666}
VIDEOS = {
    ".mp4": ["--preset", "ultrafast"],
    ".mkv": ["--preset", "ultrafast"],
    ".mov": ["--preset", "ultrafast"],
    "ffv1.mkv": ["--codec", "ffv1"],
    "h265.mp4": ["--codec", "h265", "--preset", "ultrafast"],
    ".webm": ["--preset", "12"],
}
PICTURES = [".png", ".png", ".jpg", ".webp", ".tif", ".avif"]


@dataclass(frozen=True)
class Case:
    """One damaged file, and what is done with it."""

    title: str
    source: Path
    arguments: list[str]
    target: Path | None


@dataclass(frozen=True)
class Material:
    """What the cases are made of: whole files, and models and a picture to use with them."""

    whole: Callable[[str], list[bases.Base]]
    luma: Path
    rgb: Path
    picture: Path


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    folder = tmp_path_factory.mktemp("bases")
    makers: dict[str, Callable[[], list[bases.Base]]] = {
        "video": lambda: bases.clips(folder),
        "picture": bases.pictures,
        "model": lambda: bases.models(folder),
    }
    picture = folder / "picture.png"
    pixels = np.random.default_rng(1).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(picture)
    return Material(
        functools.cache(lambda kind: makers[kind]()),
        save_model(folder / "luma-x2.onnx", nearest(1, 2), scale=2, content="video"),
        save_model(folder / "rgb-x2.onnx", nearest(3, 2), scale=2),
        picture,
    )


def make_case(kind: str, number: int, material: Material, folder: Path) -> Case:
    """Write the damaged file of a case; the same one every time."""
    rng = random.Random(zlib.crc32(f"{kind} {number}".encode()))
    whole = material.whole(kind)
    base = whole[number % len(whole)]
    files = {base.name: base.data, **base.beside}
    name = rng.choice(list(files))
    done, files[name] = mutated(files[name], name, rng)
    for each, data in files.items():
        (folder / "in" / each).write_bytes(data)
    source = folder / "in" / base.name
    common = ["--threads", "2", *(["--json"] if number % 2 else [])]
    target = None
    if kind == "video":
        end, options = rng.choice(list(VIDEOS.items()))
        target = folder / "out" / f"result{end}"
        line = ["video", source, "-o", target, "--model", material.luma, *options, *common]
    elif kind == "picture":
        target = folder / "out" / f"result{rng.choice(PICTURES)}"
        line = ["image", source, "-o", target, "--model", material.rgb, *common]
    elif number % 2:
        line = ["info", source, "--json"]
    else:
        target = folder / "out" / "result.png"
        line = ["image", material.picture, "-o", target, "--model", source, *common]
    return Case(f"{name}: {done}", source, [*map(str, line)], target)


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        pytest.param(kind, number, id=f"{kind}-{number}")
        for kind, count in CASES.items()
        for number in range(share(count))
    ],
)
def test_a_damaged_file(
    tmp_path: Path,
    material: Material,
    server: Server,
    record_property: Callable[[str, Any], None],
    kind: str,
    number: int,
) -> None:
    for name in ("in", "out", "temporary"):
        (tmp_path / name).mkdir()
    case = make_case(kind, number, material, tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "in").iterdir()}
    out, said = tmp_path / "out.txt", tmp_path / "said.txt"
    outcome = server.run(
        case.arguments, out=out, said=said, folder=tmp_path / "temporary", seconds=MOST_SECONDS
    )
    figures = {"kind": kind, "number": number, "code": outcome.code}
    figures |= {"seconds": outcome.seconds, "megabytes": outcome.megabytes}
    record_property("case", figures)
    told = said.read_text(encoding="utf-8", errors="replace")
    wrong = [
        *_wrong_ending(outcome, told),
        *_wrong_files(case, outcome, out.read_text(encoding="utf-8", errors="replace"), tmp_path),
    ]
    if before != {path.name: path.read_bytes() for path in (tmp_path / "in").iterdir()}:
        wrong.append("the source was changed")
    assert not wrong, f"{case.title}: {'; '.join(wrong)}\n{' '.join(case.arguments)}\n{told}"
    shutil.rmtree(tmp_path)


# Its data is in a second file, which is missing.
REFUSED = ("external.onnx",)


@pytest.mark.parametrize("kind", CASES)
def test_the_whole_files_are_restored(
    tmp_path: Path, material: Material, server: Server, kind: str
) -> None:
    """Else little of the code behind the first look at a file would be tried."""
    said = tmp_path / "said.txt"
    for base in material.whole(kind):
        source, target = tmp_path / base.name, tmp_path / "out.mkv"
        source.write_bytes(base.data)
        line = ["video", source, "-o", target, "--model", material.luma]
        if kind == "picture":
            line = ["image", source, "-o", tmp_path / "out.tif", "--model", material.rgb]
        elif kind == "model":
            line = ["image", material.picture, "-o", tmp_path / "out.png", "--model", source]
        outcome = server.run(
            [*map(str, line), "--overwrite"], out=said, said=said, folder=tmp_path, seconds=60
        )
        assert outcome.code == (base.name in REFUSED), (base.name, said.read_text())


def _wrong_ending(outcome: Outcome, told: str) -> list[str]:
    """Return what is wrong with how a run ended and with what it said."""
    wrong = []
    if outcome.stopped:
        wrong.append(f"it hung ({outcome.stopped})")
    elif outcome.code < 0:
        wrong.append(f"it died of signal {-outcome.code}")
    elif outcome.code not in (0, 1, 2, 3):
        wrong.append(f"its exit code {outcome.code} is none of the command's")
    if outcome.megabytes >= MOST_MEGABYTES:
        wrong.append(f"it took {outcome.megabytes:.0f} MB")
    if outcome.left_running:
        wrong.append("it left a process running")
    if "Traceback" in told or "unexpected" in told:
        wrong.append("a traceback or an error of Python reached the user")
    lines = told.splitlines()
    if any(not line.startswith("restore-rt: ") for line in lines):
        wrong.append("something else wrote to standard error")
    errors = [line for line in lines if line.startswith("restore-rt: error: ")]
    if len(errors) != (outcome.code in (1, 2, 3)):
        wrong.append(f"{len(errors)} errors were told with exit code {outcome.code}")
    if re.search(r"[^\x20-\x7e\xa0-\U0010ffff]", "".join(lines)):
        wrong.append("what could steer a terminal was written to it")
    return wrong


def _wrong_files(case: Case, outcome: Outcome, text: str, folder: Path) -> list[str]:
    """Return what is wrong with what a run wrote."""
    wrong = []
    temporary = {path.name for path in (folder / "temporary").iterdir()}
    if temporary:
        wrong.append(f"it left temporary files: {sorted(temporary)}")
    written = [path for path in (folder / "out").iterdir() if path != case.target]
    if written:
        wrong.append(f"it left {[path.name for path in written]} beside its result")
    data = None
    if "--json" in case.arguments and outcome.code == 0:
        try:
            data = json.loads(text)
        except ValueError:
            wrong.append("what it wrote as JSON is none")
    if case.target is None:
        return wrong
    if case.target.exists() != (outcome.code in (0, 3)):
        state = "exists" if case.target.exists() else "is missing"
        return [*wrong, f"its result {state} with exit code {outcome.code}"]
    if outcome.code not in (0, 3):
        return wrong
    try:
        count = _readable(case.target)
    except Exception as error:
        return [*wrong, f"its result cannot be read: {error!r}"]
    if data is not None and "frames" in data and data["frames"] != count:
        wrong.append(f"{data['frames']} frames were told, {count} written")
    return wrong


def _readable(path: Path) -> int:
    """Decode a whole file and return its number of frames or pages."""
    if path.suffix in (".mp4", ".mkv", ".mov", ".webm"):
        with av.open(str(path)) as file:
            count = sum(1 for _ in file.decode(video=0))
    else:
        pages = list(read_pages(path, max_pixels=1 << 40))
        assert not any(page.damage for page in pages)
        count = len(pages)
    assert count
    return count
