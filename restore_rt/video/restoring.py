"""A video through a model: decode, restore and encode, side by side."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from restore_rt.chroma import BICUBIC
from restore_rt.errors import InputError
from restore_rt.files import check_target_of, journal_folder, whole_file
from restore_rt.images import format_of
from restore_rt.video.choices import (
    ANIMATIONS,
    NUMBERED,
    STANDARD,
    AudioChoice,
    Deinterlace,
    check_options,
    container_of,
)
from restore_rt.video.codecs import default_codec, held_formats, settings_for
from restore_rt.video.containers import check_codec
from restore_rt.video.encoding import Encoding
from restore_rt.video.hdr import StaticHdr
from restore_rt.video.identity import run_identity
from restore_rt.video.journal import Journal, open_journal
from restore_rt.video.notes import chroma_notes, tag_notes
from restore_rt.video.pipeline import Pipeline
from restore_rt.video.pixels import written_layout
from restore_rt.video.renumbered import restore_numbered
from restore_rt.video.report import VideoReport
from restore_rt.video.restored import FrameRestorer
from restore_rt.video.run import Run
from restore_rt.video.sequences import check_numbered_target, is_pattern
from restore_rt.video.to_pictures import PictureChoices, pictures_written
from restore_rt.video.tracks import TrackChoices, choose_tracks
from restore_rt.video.writer import VideoWriter

__all__ = ["restore_video"]


def restore_video(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    restorer: FrameRestorer,
    *,
    codec: str | None = None,
    quality: int | None = None,
    preset: str | None = None,
    threads: int | None = None,
    pixel_format: str = "auto",
    bit_depth: int | None = None,
    deinterlace: Deinterlace = "auto",
    audio: AudioChoice = "auto",
    drop: Sequence[str] = (),
    fps: str | float | None = None,
    overwrite: bool = False,
    resume: bool = False,
    on_start: Callable[[int | None], None] | None = None,
    on_frame: Callable[[], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> VideoReport:
    """Restore a video file, frame by frame.

    Timestamps, bit depth, chroma format, colour tags, rotation, pixel aspect ratio, chapters and
    metadata stay as they are; packets of audio, subtitles, data and attachments are copied, or
    converted where the container cannot hold them. The target appears when it is whole, or not at
    all.

    Parameters
    ----------
    source
        The file to read, numbered pictures, ``frames/%05d.png``, or ``"-"`` for standard input.
    target
        The file to write: .mp4, .mov, .mkv or .webm; .gif, .apng or .webp, also .png if the source
        is an animation, which keep transparency and have no sound; or numbered pictures of a
        format that ``restore-rt image`` writes. ``"-"`` writes Matroska to standard output.
    restorer
        Restores the frames. A luma model gets ``Planes``; for an rgb model frames are converted
        by the clip's matrix and range, both ways.
    codec
        h264, h265, av1 or ffv1; h264 by default, av1 for .webm.
    quality
        Constant quality, lower is better and larger; the codec's good default when ``None``. For
        .webp and numbered JPEG, WebP and AVIF files it is 1 to 100, the best.
    preset
        The encoder's effort; the codec's default when ``None``.
    threads
        CPU threads for the decoder, and for the encoder; those of the machine by default.
    pixel_format
        ``keep`` keeps depth and chroma format; ``auto`` does so in .mkv and .mov and with ffv1,
        and else writes what browsers, phones and televisions play: 4:2:0 of 8 bits, or of 10 if
        the clip is HDR; or a format's name, such as yuv444p10.
    bit_depth
        Of the result; by default what follows from ``pixel_format``.
    deinterlace
        ``auto`` makes one picture of each frame that the stream calls interlaced (by FFmpeg's
        bwdif), ``frame`` one of every frame, ``field`` two, so that the frame rate doubles;
        ``off`` leaves the fields woven.
    audio
        What becomes of sound: ``auto`` copies it, and converts what the container cannot hold,
        without loss where that is possible; ``copy`` copies it or leaves it out; ``flac`` and
        ``aac`` convert all of it; ``none`` leaves it out.
    drop
        What to leave out: ``audio``, ``subtitles``, ``data``, ``attachments``, or one of a kind,
        counted from 0: ``audio:1``.
    fps
        Of numbered pictures, 25 by default: a number, or a fraction such as ``"30000/1001"``.
    overwrite
        Replace ``target`` if it exists.
    resume
        Encode in segments of 250 frames, and keep those that are finished in a hidden folder
        beside ``target`` until that is whole. A run with the same source, model and options then
        goes on after the last of them, with the same frames as if nothing had stopped it.
    on_start
        Called with the number of frames to restore, ``None`` when unknown, before the first.
    on_frame
        Called for every frame that was restored and written.
    on_note
        Called with what the user should know, as soon as it is known.

    Returns
    -------
    VideoReport

    Raises
    ------
    MediaError
        The source cannot be read, or its frames change their size midway.
    TruncatedVideoError
        The source ended or broke early. The target was written, with what could be decoded.
    InputError
        An option has a value that is not allowed, the container cannot hold what it should, or
        the run to go on with had another source or other options.
    OutputError
        The target cannot be written.
    """
    to_pipe = target == STANDARD
    if resume and STANDARD in (source, target):
        raise InputError("resume is for files; leave it out with standard input and output")
    shown = Path("standard output" if to_pipe else target)
    target = Path("stdout.mkv" if to_pipe else target)  # the suffix says the container
    run = Run(shown, restorer, on_start, on_frame, on_note)
    kind = container_of(target)
    if not to_pipe:
        _check_paths(Path(source), target, overwrite=overwrite)
    choices = TrackChoices(audio, tuple(drop))
    name = default_codec(target.suffix.lower()) if codec is None else codec
    check_options(deinterlace, threads, fps)
    opening = functools.partial(
        Pipeline, source, restorer, deinterlace=deinterlace, threads=threads, fps=fps
    )
    if kind in (NUMBERED, *ANIMATIONS.values()):
        wanted = PictureChoices(codec, quality, preset, pixel_format, bit_depth, overwrite)
        wanted.check(target)
        if resume:
            raise InputError(
                f"resume is for video files, and {target} is made of pictures; leave it out"
            )
        return _to_pictures(Path(source), target, run, wanted, choices, opening)
    with opening() as pipeline:
        reader, hdr = pipeline.reader, StaticHdr.of(pipeline.reader.extras)
        size = (pipeline.width, pipeline.height)
        layout = written_layout(
            reader.layout,
            pixel_format,
            bit_depth,
            held=held_formats(name),
            plays=target.suffix.lower() in (".mp4", ".webm") and name != "ffv1",
            hdr=reader.tags.is_hdr,
        )
        settings = settings_for(
            name, quality=quality, preset=preset, layout=layout, size=size, hdr=hdr
        )
        check_codec(settings.codec, target)
        tracks, notes = choose_tracks(
            reader.container, reader.others, target, choices, reader.packet_before_frames
        )
        tags = reader.tags.enlarged(reader.width, reader.height, restorer.scale)
        notes += tag_notes(reader, tags, settings, layout)
        run.note(*reader.notes, *notes, *chroma_notes(reader, restorer.chroma))
        reader.notes.clear()
        encoding = Encoding(
            settings=settings,
            width=size[0],
            height=size[1],
            pixel_format=layout.name,
            tags=tags,
            threads=pipeline.codec_threads,
        )
        kept: AbstractContextManager[Journal | None] = nullcontext()
        if resume:
            manifest, network = restorer.manifest, restorer.description
            identity = run_identity(Path(source), manifest, network, encoding, deinterlace)
            kept = open_journal(target, identity, run.note)
        elif not to_pipe and (folder := journal_folder(target)).is_dir():
            run.note(f"{folder} is left of an interrupted run: use it by --resume, or remove it")
        opened: AbstractContextManager[Path | str] = nullcontext("pipe:1")
        if not to_pipe:
            opened = whole_file(target, overwrite=overwrite)
        with kept as journal, opened as path:
            writer = VideoWriter(
                path,
                target=shown,
                source=reader,
                tracks=tracks,
                encoding=encoding,
                journal=journal,
                muxer="matroska" if to_pipe else None,
            )
            convert = pipeline.conversion(layout)
            run.write(pipeline, writer, convert, finished=journal.frames if journal else 0)
            run.note_reruns()
        return run.report(size, settings.codec, pipeline)


def _to_pictures(
    source: Path,
    target: Path,
    run: Run,
    wanted: PictureChoices,
    tracks: TrackChoices,
    opening: functools.partial[Pipeline],
) -> VideoReport:
    """Restore a clip to an animation or numbered files."""
    if run.restorer.chroma != BICUBIC:
        run.note("chroma is enlarged by bicubic: pictures are restored as RGB")
    kind = container_of(target)
    codec = format_of(target).name if kind is NUMBERED else kind.name
    if is_pattern(source) and is_pattern(target):
        size, run.damage = restore_numbered(source, target, run, wanted)
        return run.report(size, codec)
    with opening(pixel_format="rgb") as pipeline:
        reader = pipeline.reader
        run.note(*reader.notes)
        reader.notes.clear()
        with pictures_written(
            reader, target, wanted, tracks, scale=run.restorer.scale,
            deinterlace=pipeline.deinterlace, rate=pipeline.fps, stages=pipeline.stages,
            note=run.note,
        ) as (convert, writer):  # fmt: skip
            run.write(pipeline, writer, convert)
        return run.report((convert.width, convert.height), codec, pipeline)


def _check_paths(source: Path, target: Path, *, overwrite: bool) -> None:
    if is_pattern(target):
        check_numbered_target(target, overwrite=overwrite)
        if target.parent.resolve() == source.parent.resolve() and target.name == source.name:
            raise InputError(f"{target} is the source itself; give another name for the result")
        return
    check_target_of(source, target, overwrite=overwrite)
