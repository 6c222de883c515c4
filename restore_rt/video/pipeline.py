"""A video through a model: decode, restore and encode, side by side."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from fractions import Fraction
from pathlib import Path
from typing import get_args

from restore_rt.chroma import BICUBIC
from restore_rt.errors import InputError, TruncatedInputError
from restore_rt.files import check_target, journal_folder, whole_file
from restore_rt.images import format_of
from restore_rt.threads import available_threads
from restore_rt.video.choices import ANIMATIONS, NUMBERED, AudioChoice, Deinterlace, container_of
from restore_rt.video.codecs import EncoderSettings, default_codec, held_formats, settings_for
from restore_rt.video.colour import ColourTags, matrix_name
from restore_rt.video.containers import check_codec
from restore_rt.video.encoding import Encoding
from restore_rt.video.hdr import StaticHdr
from restore_rt.video.identity import run_identity
from restore_rt.video.job import FrameRestorer, Job
from restore_rt.video.journal import Journal, open_journal
from restore_rt.video.pixels import PixelLayout, written_layout
from restore_rt.video.reader import VideoReader
from restore_rt.video.renumbered import restore_numbered
from restore_rt.video.report import VideoReport
from restore_rt.video.sequences import check_numbered_target, is_pattern, parse_rate
from restore_rt.video.to_pictures import PictureChoices, pictures_written
from restore_rt.video.tracks import TrackChoices, choose_tracks
from restore_rt.video.writer import VideoWriter

__all__ = ["TruncatedVideoError", "restore_video"]

# Decoders and encoders gain little beyond this, and take memory for each thread.
_MOST_CODEC_THREADS = 16


class TruncatedVideoError(TruncatedInputError):
    """The source ended or broke early; what could be decoded was restored and written.

    Attributes
    ----------
    report
        On what was written.
    """

    def __init__(self, message: str, report: VideoReport) -> None:
        super().__init__(message)
        self.report = report


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
        The file to read, or numbered pictures: ``frames/%05d.png``.
    target
        The file to write: .mp4, .mov, .mkv or .webm; .gif, .apng or .webp, also .png if the source
        is an animation, which keep transparency and have no sound; or numbered pictures of a
        format that ``restore-rt image`` writes.
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
    begin = time.perf_counter()
    source, target = Path(source), Path(target)
    job = Job(restorer, on_start, on_frame, on_note)
    reruns = restorer.reruns
    container_of(target)
    _check_paths(source, target, overwrite=overwrite)
    choices = TrackChoices(audio, tuple(drop))
    name = default_codec(target.suffix.lower()) if codec is None else codec
    if deinterlace not in get_args(Deinterlace):
        allowed = ", ".join(get_args(Deinterlace))
        raise InputError(f"deinterlace is {deinterlace!r}; allowed are {allowed}")
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}; it must be at least 1")
    workers = min(threads or available_threads(), _MOST_CODEC_THREADS)
    rate = None if fps is None else parse_rate(fps)
    truncated: TruncatedInputError | None = None
    if container_of(target) in (NUMBERED, *ANIMATIONS.values()):
        wanted = PictureChoices(codec, quality, preset, pixel_format, bit_depth, overwrite)
        wanted.check(target)
        if resume:
            raise InputError(
                f"resume is for video files, and {target} is made of pictures; leave it out"
            )
        return _to_pictures(source, target, job, wanted, choices, workers, deinterlace, rate, begin)
    reading = VideoReader(
        source, threads=workers, deinterlace=deinterlace, rate=rate, stages=job.stages
    )
    with reading as reader:
        layout = _written_layout(reader, pixel_format, bit_depth, target, name)
        settings = _settings(reader, layout, name, quality, preset, restorer.scale)
        check_codec(settings.codec, target)
        tracks, notes = choose_tracks(
            reader.container, reader.others, target, choices, reader.packet_before_frames
        )
        tags = reader.tags.enlarged(reader.width, reader.height, restorer.scale)
        for text in [*reader.notes, *notes, *_tag_notes(reader, tags, settings, layout)]:
            job.note(text)
        job.note_chroma(reader)
        reader.notes.clear()
        encoding = Encoding(
            settings=settings,
            width=reader.width * restorer.scale,
            height=reader.height * restorer.scale,
            pixel_format=layout.name,
            tags=tags,
            threads=workers,
        )
        kept: AbstractContextManager[Journal | None] = nullcontext()
        if resume:
            manifest, network = restorer.manifest, restorer.description
            identity = run_identity(source, manifest, network, encoding, deinterlace)
            kept = open_journal(target, identity, job.note)
        elif (folder := journal_folder(target)).is_dir():
            job.note(f"{folder} is left of an interrupted run: use it by --resume, or remove it")
        with kept as journal, whole_file(target, overwrite=overwrite) as temporary:
            writer = VideoWriter(
                temporary,
                target=target,
                source=reader,
                tracks=tracks,
                encoding=encoding,
                journal=journal,
            )
            try:
                try:
                    convert = job.conversion(reader, layout)
                    job.run(reader, writer, convert, finished=journal.frames if journal else 0)
                except TruncatedInputError as error:
                    truncated = error
                writer.close()
            except BaseException:
                writer.abort()
                raise
            for text in (*writer.notes, *reader.notes):
                job.note(text)
            if restorer.reruns > reruns:
                job.note(
                    f"{restorer.reruns - reruns} of {job.frames} frames were run again in fp32, "
                    "because fp16 did not hold them"
                )
        report = VideoReport(
            frames=job.frames,
            seconds=time.perf_counter() - begin,
            width=encoding.width,
            height=encoding.height,
            codec=settings.codec,
            stages=job.stages.seconds,
            notes=job.notes,
            workers=restorer.workers,
            taken_over=job.taken_over,
        )
    if truncated is not None:
        raise TruncatedVideoError(f"{truncated}; they were written to {target}", report)
    return report


def _to_pictures(
    source: Path,
    target: Path,
    job: Job,
    wanted: PictureChoices,
    tracks: TrackChoices,
    threads: int,
    deinterlace: Deinterlace,
    rate: Fraction | None,
    begin: float,
) -> VideoReport:
    """Restore a clip to an animation or numbered files."""
    if job.restorer.chroma != BICUBIC:
        job.note("chroma is enlarged by bicubic: pictures are restored as RGB")
    damage = ""
    if is_pattern(source) and is_pattern(target):
        size, damage = restore_numbered(source, target, job, wanted)
    else:
        with VideoReader(
            source, threads=threads, deinterlace=deinterlace, rate=rate, as_rgb=True,
            stages=job.stages,
        ) as reader:  # fmt: skip
            for text in reader.notes:
                job.note(text)
            reader.notes.clear()
            with pictures_written(
                reader, target, wanted, tracks, scale=job.restorer.scale, deinterlace=deinterlace,
                rate=rate, stages=job.stages, note=job.note,
            ) as (convert, writer):  # fmt: skip
                try:
                    job.run(reader, writer, convert)
                    writer.close()
                except TruncatedInputError as error:
                    damage = str(error)
                    writer.close()
                except BaseException:
                    writer.abort()
                    raise
                for text in (*writer.notes, *reader.notes):
                    job.note(text)
            size = (convert.width, convert.height)
    kind = container_of(target)
    report = VideoReport(
        frames=job.frames,
        seconds=time.perf_counter() - begin,
        width=size[0],
        height=size[1],
        codec=format_of(target).name if kind is NUMBERED else kind.name,
        stages=job.stages.seconds,
        notes=job.notes,
        workers=job.restorer.workers,
    )
    if damage:
        raise TruncatedVideoError(f"{damage}; they were written to {target}", report)
    return report


def _check_paths(source: Path, target: Path, *, overwrite: bool) -> None:
    if is_pattern(target):
        check_numbered_target(target, overwrite=overwrite)
        if target.parent.resolve() == source.parent.resolve() and target.name == source.name:
            raise InputError(f"{target} is the source itself; give another name for the result")
        return
    check_target(target, overwrite=overwrite)
    if target.exists() and source.exists() and source.samefile(target):
        raise InputError(f"{target} is the source itself; give another name for the result")


def _written_layout(
    reader: VideoReader, choice: str, bit_depth: int | None, target: Path, codec: str
) -> PixelLayout:
    plays = target.suffix.lower() in (".mp4", ".webm") and codec != "ffv1"
    return written_layout(
        reader.layout,
        choice,
        bit_depth,
        held=held_formats(codec),
        plays=plays,
        hdr=reader.tags.is_hdr,
    )


def _settings(
    reader: VideoReader,
    layout: PixelLayout,
    codec: str,
    quality: int | None,
    preset: str | None,
    scale: int,
) -> EncoderSettings:
    return settings_for(
        codec,
        quality=quality,
        preset=preset,
        layout=layout,
        size=(reader.width * scale, reader.height * scale),
        hdr=StaticHdr.of(reader.extras),
    )


def _tag_notes(
    reader: VideoReader, tags: ColourTags, settings: EncoderSettings, layout: PixelLayout
) -> list[str]:
    notes = []
    if layout.name != reader.layout.name:
        notes.append(
            f"{reader.layout.name} is written as {layout.name}; --pixel-format keep keeps it"
        )
    if tags.matrix != reader.tags.matrix:
        notes.append(
            f"no colour matrix is named; the result names {matrix_name(tags.matrix)}, "
            "as players assume for the clip's size: for the new size they would assume another"
        )
    if StaticHdr.of(reader.extras) and not settings.keeps_hdr:
        notes.append(f"static HDR metadata cannot be kept in {settings.codec}")
    return notes
