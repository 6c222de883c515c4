"""Titles in encodings that are not UTF-8 are kept, or told of."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from restore_rt.video import restore_video
from restore_rt.video.texts import decoded
from tests.video.clips import Enlarger, make_clip, read_clip

GUESSED = "texts that are not in UTF-8 were read as Latin or Cyrillic ones"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Café d'été", "cp1252"),
        ("“Größe”… naïve", "cp1252"),
        ("Привет, мир", "cp1251"),
        ("Фильм 2", "cp1251"),
        ("Café d'été", "utf-8"),
        ("夏の映画", "utf-8"),
    ],
)
def test_a_title_is_read(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)) == (text, encoding != "utf-8")


@pytest.mark.parametrize("encoding", ["cp1252", "cp1251", "utf-8"])
@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mkv"])
def test_titles_and_chapters_are_kept(tmp_path: Path, suffix: str, encoding: str) -> None:
    text = "Привет, мир" if encoding == "cp1251" else "Café d'été"

    def name(file: av.container.OutputContainer, stream: object) -> None:
        file.metadata["title"] = text
        if suffix != ".avi":
            file.set_chapters([
                {"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000),
                 "metadata": {"title": text}}
            ])  # fmt: skip

    source = make_clip(tmp_path / f"in{suffix}", prepare=name)
    _encode_anew(source, text, encoding)
    report = restore_video(source, tmp_path / "out.mkv", Enlarger())
    after = read_clip(tmp_path / "out.mkv")
    assert after.metadata["title"].rstrip() == text
    assert [chapter["metadata"]["title"].rstrip() for chapter in after.chapters] == (
        [] if suffix == ".avi" else [text]
    )
    assert report.notes == ([] if encoding == "utf-8" else [GUESSED])


def _encode_anew(path: Path, text: str, encoding: str) -> None:
    """Put a text of another encoding in its place, padded with blanks to the same length."""
    before = text.encode()
    data = path.read_bytes()
    assert before in data
    path.write_bytes(data.replace(before, text.encode(encoding).ljust(len(before))))
