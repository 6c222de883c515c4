"""What lies beside the picture: copied, converted, or left out with a word; never in the way."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from restore_rt.errors import InputError
from restore_rt.video import restore_video
from restore_rt.video.choices import AudioChoice
from tests.video.clips import RATE, Enlarger, make_clip, read_clip

SOUND_RATE = 48000
FLASH = 1  # when it flashes and beeps, in seconds


def _flash_and_beep(
    path: Path, *, sound: str, layout: str = "stereo", container: dict[str, Any] | None = None
) -> Path:
    """Write two seconds: black and still, but for one white frame and one beep at a second."""
    with av.open(str(path), "w", **(container or {})) as file:
        video: Any = file.add_stream("mpeg2video" if path.suffix == ".vob" else "libx264", RATE)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        voice: Any = file.add_stream(sound, rate=SOUND_RATE, layout=layout)
        channels = voice.codec_context.layout.nb_channels
        for index in range(2 * RATE):
            lit = index == FLASH * RATE
            pixels = np.full((48, 64, 3), 255 if lit else 0, np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            file.mux(video.encode(frame))
            count = SOUND_RATE // RATE
            wave = np.sin(np.arange(count) * 0.3) * (20000 if lit else 0)
            data = np.repeat(wave.astype(np.int16)[:, None], channels, 1).reshape(1, -1)
            tone = av.AudioFrame.from_ndarray(data, format="s16", layout=layout)
            tone.sample_rate, tone.pts = SOUND_RATE, index * count
            tone.time_base = Fraction(1, SOUND_RATE)
            file.mux(voice.encode(tone))
        file.mux(video.encode(None))
        file.mux(voice.encode(None))
    return path


def _apart(path: Path) -> float:
    """Return how many seconds the beep comes after the flash."""
    with av.open(str(path)) as file:
        flash = next(
            frame.time
            for frame in file.decode(video=0)
            if frame.to_ndarray(format="gray").mean() > 128
        )
    # Arrays of eight planes crash PyAV.
    plain = av.AudioResampler("s16", "mono", SOUND_RATE)
    with av.open(str(path)) as file:
        for frame in file.decode(audio=0):
            begin = frame.time
            (sound,) = plain.resample(frame)
            found = np.flatnonzero(np.abs(sound.to_ndarray().reshape(-1).astype(int)) > 8000)
            if len(found):
                return float(begin + found[0] / SOUND_RATE - flash)
    raise AssertionError("no beep")


LATM = {"options": {"mpegts_flags": "latm"}}


@pytest.mark.parametrize(
    ("source", "sound", "options", "target", "codec"),
    [
        ("in.vob", "pcm_dvd", {}, "out.mkv", "flac"),
        ("in.vob", "pcm_dvd", {}, "out.mp4", "flac"),
        ("in.vob", "pcm_dvd", {}, "out.mov", "alac"),
        ("in.ts", "aac", LATM, "out.mkv", "flac"),
        ("in.ts", "aac", LATM, "out.mp4", "flac"),
        ("in.mp4", "aac", {}, "out.webm", "opus"),
        ("in.mkv", "flac", {}, "out.mkv", "flac"),
        ("in.mp4", "aac", {}, "out.mkv", "aac"),
        ("in.mp4", "aac", {}, "out.mp4", "aac"),
        ("in.ts", "aac", {}, "out.mp4", "aac"),
    ],
)
def test_sound_goes_along_in_step(
    tmp_path: Path, source: str, sound: str, options: dict[str, Any], target: str, codec: str
) -> None:
    clip = _flash_and_beep(tmp_path / source, sound=sound, container=options)
    report = restore_video(clip, tmp_path / target, Enlarger(), preset=_fastest(target))
    with av.open(str(tmp_path / target)) as file:
        assert file.streams.audio[0].codec_context.codec.canonical_name == codec
    assert _apart(tmp_path / target) == pytest.approx(_apart(clip), abs=0.02)
    told = [note for note in report.notes if f"converted to {codec}" in note]
    assert bool(told) == (report.notes != [] and "later" not in report.notes[0])
    assert all(("with loss" in note) == (codec == "opus") for note in told)


def _fastest(target: str) -> str:
    return "12" if target.endswith("webm") else "ultrafast"


@pytest.mark.parametrize("sound", ["pcm_s16le", "pcm_s24le", "pcm_u8"])
def test_a_conversion_loses_no_sample(tmp_path: Path, sound: str) -> None:
    """A container that holds none of these, so that a stream of them must be converted."""
    clip = _flash_and_beep(tmp_path / "in.mkv", sound=sound)
    restore_video(clip, tmp_path / "out.mkv", Enlarger(), audio="flac")
    before, after = (_samples(tmp_path / name) for name in ("in.mkv", "out.mkv"))
    np.testing.assert_array_equal(before, after)


def _samples(path: Path) -> Any:
    with av.open(str(path)) as file:
        parts = []
        for frame in file.decode(audio=0):
            part = frame.to_ndarray().reshape(-1).astype(np.int64)
            if frame.format.name.startswith("s16"):
                part <<= 16
            elif frame.format.name.startswith("u8"):
                part = (part - 128) << 24
            parts.append(part)
    return np.concatenate(parts)


@pytest.mark.parametrize(
    ("sound", "target", "audio"),
    [
        ("pcm_s16le", "out.mkv", "flac"),
        ("pcm_s16le", "out.mov", "auto"),
        ("pcm_s24le", "out.mov", "auto"),
        ("pcm_u8", "out.mov", "auto"),
    ],
)
def test_a_gap_in_sound_stays_a_gap(
    tmp_path: Path, sound: str, target: str, audio: AudioChoice
) -> None:
    clip = _flash_and_beep(tmp_path / "whole.mkv", sound=sound)
    source = tmp_path / "in.mkv"
    with av.open(str(clip)) as old, av.open(str(source), "w") as new:
        streams = {each.index: new.add_stream_from_template(each) for each in old.streams}
        for packet in old.demux():
            time = packet.pts
            silent = packet.stream.type == "audio" and time is not None and 200 < time < 700
            if time is not None and not silent:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    report = restore_video(source, tmp_path / target, Enlarger(), audio=audio)
    assert _apart(tmp_path / target) == pytest.approx(0, abs=0.02)
    assert report.notes == []
    with av.open(str(tmp_path / target)) as file:
        assert audio == "flac" or file.streams.audio[0].codec_context.name == sound
        assert max(_loudest(file, 0.3, 0.6)) <= 1e-4


def _loudest(file: Any, begin: float, end: float) -> list[float]:
    plain = av.AudioResampler("flt", "mono", SOUND_RATE)
    return [
        float(np.abs(sound.to_ndarray()).max())
        for frame in file.decode(audio=0)
        if begin < frame.time < end
        for sound in plain.resample(frame)
    ]


def test_sound_that_becomes_mono_goes_on(tmp_path: Path) -> None:
    """As broadcasts do between a film and what comes after it."""
    source = tmp_path / "in.ts"
    with source.open("wb") as joined:
        for number, layout in enumerate(("stereo", "mono")):
            part = _flash_and_beep(
                tmp_path / f"{number}.ts", sound="aac", layout=layout, container=LATM
            )
            joined.write(part.read_bytes())
    restore_video(source, tmp_path / "out.mkv", Enlarger())
    with av.open(str(tmp_path / "out.mkv")) as file:
        frames = list(file.decode(audio=0))
    assert {frame.layout.name for frame in frames} == {"stereo"}
    heard = sum(frame.samples for frame in frames) / SOUND_RATE
    assert heard == pytest.approx(4, abs=0.15)
    second = np.concatenate([frame.to_ndarray()[0, ::2] for frame in frames])[2 * SOUND_RATE :]
    assert np.abs(second.astype(int)).max() > 8000


def test_a_track_that_nobody_can_read_is_left_out_and_named(tmp_path: Path) -> None:
    """The second sound has a codec that is not known: its name in the file is changed."""
    source = tmp_path / "in.mov"
    clip = _flash_and_beep(source, sound="alac")
    source.write_bytes(clip.read_bytes().replace(b"alac", b"apac"))
    report = restore_video(source, tmp_path / "out.mp4", Enlarger())
    assert report.notes == ["audio stream 1 (unknown) is left out: .mp4 cannot hold it"]
    assert read_clip(tmp_path / "out.mp4").kinds == ["video"]


@pytest.mark.parametrize(
    ("audio", "drop", "kinds"),
    [
        ("auto", [], ["video", "audio", "subtitle"]),
        ("none", [], ["video", "subtitle"]),
        ("auto", ["subtitles"], ["video", "audio"]),
        ("copy", ["audio:0", "subtitles:0"], ["video"]),
        ("auto", ["audio"], ["video", "subtitle"]),
        ("auto", ["data"], ["video", "audio", "subtitle"]),
    ],
)
def test_what_is_not_wanted_is_left_out(
    tmp_path: Path, audio: Any, drop: list[str], kinds: list[str]
) -> None:
    source = make_clip(tmp_path / "in.mkv", sound="aac", subtitles="subrip")
    report = restore_video(source, tmp_path / "out.mkv", Enlarger(), audio=audio, drop=drop)
    assert sorted(read_clip(tmp_path / "out.mkv").kinds) == sorted(kinds)
    assert not report.notes


def test_copy_does_not_convert(tmp_path: Path) -> None:
    clip = _flash_and_beep(tmp_path / "in.vob", sound="pcm_dvd")
    report = restore_video(clip, tmp_path / "out.mkv", Enlarger(), audio="copy")
    assert report.notes == ["audio stream 1 (pcm_dvd) is left out: .mkv cannot hold it"]
    assert read_clip(tmp_path / "out.mkv").kinds == ["video"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"audio": "mp3"}, "audio is 'mp3'; allowed are auto, copy, flac, aac, none"),
        ({"drop": ["sound"]}, "drop is 'sound'; allowed are audio, subtitles"),
        ({"drop": ["audio:one"]}, "drop is 'audio:one'; allowed"),
        ({"drop": ["audio:1"]}, "drop is 'audio:1', but the file has 1 such streams"),
        ({"drop": ["subtitles:0"]}, "drop is 'subtitles:0', but the file has 0 such streams"),
        ({"audio": "flac"}, r"audio is 'flac', which \.mov cannot hold; write \.mp4 or \.mkv"),
    ],
)
def test_wrong_choices(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    source = make_clip(tmp_path / "in.mkv", sound="aac")
    with pytest.raises(InputError, match=message):
        restore_video(source, tmp_path / "out.mov", Enlarger(), **options)
    assert not (tmp_path / "out.mov").exists()


@pytest.mark.parametrize(
    ("source", "subtitles", "target", "codec", "styles"),
    [
        ("in.mkv", "subrip", "out.mp4", "mov_text", True),
        ("in.mkv", "subrip", "out.webm", "webvtt", False),
        ("in.mp4", "mov_text", "out.mkv", "subrip", True),
        ("in.mp4", "mov_text", "out.webm", "webvtt", True),
    ],
)
def test_subtitles_are_written_as_the_container_has_them(
    tmp_path: Path, source: str, subtitles: str, target: str, codec: str, *, styles: bool
) -> None:
    clip = make_clip(tmp_path / source, subtitles=subtitles)
    report = restore_video(clip, tmp_path / target, Enlarger(), preset=_fastest(target))
    (note,) = report.notes
    assert f"is converted to {codec}" in note
    assert ("styles are lost" in note) == styles
    after = read_clip(tmp_path / target)
    ((time, data),) = after.others[0][:1]
    assert time == 0
    assert b"Hello there" in data


@pytest.mark.parametrize("sound", ["pcm_s16le", "pcm_s24le", "pcm_f32le"])
def test_pcm_is_converted_for_mp4_which_few_players_read(tmp_path: Path, sound: str) -> None:
    clip = _flash_and_beep(tmp_path / "in.mkv", sound=sound)
    report = restore_video(clip, tmp_path / "out.mp4", Enlarger())
    (note,) = report.notes
    assert f"audio stream 1 ({sound}) is converted to flac: few players read it in .mp4" in note
    assert _apart(tmp_path / "out.mp4") == pytest.approx(_apart(clip), abs=0.02)


@pytest.mark.parametrize(
    ("layout", "sound", "target", "audio"),
    [
        ("5.1(side)", "ac3", "out.webm", "auto"),
        ("5.1", "pcm_s16le", "out.mp4", "auto"),
        ("7.1", "pcm_s16le", "out.mp4", "auto"),
        ("5.1", "flac", "out.mp4", "aac"),
        ("7.1", "pcm_s24le", "out.webm", "auto"),
    ],
)
def test_surround_sound_is_converted(
    tmp_path: Path, layout: str, sound: str, target: str, audio: Any
) -> None:
    clip = _flash_and_beep(tmp_path / "in.mkv", sound=sound, layout=layout)
    restore_video(clip, tmp_path / target, Enlarger(), preset=_fastest(target), audio=audio)
    with av.open(str(tmp_path / target)) as file:
        channels = next(file.decode(audio=0)).layout.nb_channels
    assert channels == (8 if layout == "7.1" else 6)
    assert _apart(tmp_path / target) == pytest.approx(_apart(clip), abs=0.025)


def test_text_is_told_from_tags() -> None:
    from restore_rt.video.subtitles import TEXTS

    line = r"{\an8}<i>x<y</i> & <font color=red>y>z</font>"
    assert TEXTS["mov_text"].write(line)[2:] == b"x<y & y>z"
    assert TEXTS["webvtt"].write(line) == b"<i>x&lt;y</i> &amp; y&gt;z"
    cue = b"<v Tom>Tom &amp; <c.loud>Jerry</c> <00:01.000><b>&lt;3</b>"
    assert TEXTS["webvtt"].read(cue) == "Tom & Jerry <b><3</b>"


def test_styled_subtitles_become_plain_text() -> None:
    from restore_rt.video.subtitles import TEXTS

    line = TEXTS["ass"].read(rb"0,0,Default,,0,0,0,,{\i1}Hello{\i0},\Nthere")
    assert line == "Hello,\nthere"
    assert TEXTS["mov_text"].write("<i>Hello</i> there") == b"\x00\x0bHello there"
    assert TEXTS["mov_text"].read(b"\x00\x05Hello\x00\x00\x00\x0cstyl") == "Hello"
