"""Live sources to sinks, with models that take no time or wait for the test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from restore_rt.errors import InputError, MediaError, OutputError
from restore_rt.live import restoring
from restore_rt.live.governor import Governor
from restore_rt.live.queues import BoundedQueue
from restore_rt.live.report import LiveReport
from restore_rt.live.restoring import ladder_names, restore_live
from restore_rt.live.running import LiveRun
from restore_rt.live.sink import Sink
from restore_rt.live.sources import open_live
from restore_rt.timing import StageTimes
from restore_rt.video.reader import VideoReader
from tests.video.clips import Enlarger, make_clip, read_clip

ROOT = Path(__file__).parents[2]


class Model(Enlarger):
    """Restores a frame by a call, as a live run does."""

    def __call__(self, frame: Any, *, out: Any = None) -> Any:
        return self._restore(out, frame, StageTimes())


def live(source: Path | str, sink: Path | str, model: Any = None, **options: Any) -> LiveReport:
    ladder: Any = {"model": model or Model()}
    return restore_live(str(source), str(sink), ladder, **options)


def test_a_file_to_a_file_keeps_frames_times_and_sound(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=20, sound="flac")
    report = live(source, tmp_path / "out.mkv")
    assert (report.frames, report.delivered, report.dropped) == (20, 20, 0)
    before, after = read_clip(source), read_clip(tmp_path / "out.mkv")
    assert after.pts == before.pts
    assert after.others == before.others
    assert after.video["size"] == (128, 96)
    assert report.table.age is not None
    assert report.as_dict()["rungs"] == {"model": 20}


def test_late_frames_are_dropped_and_counted_and_the_sound_stays(tmp_path: Path) -> None:
    """The model holds every frame until several more have come."""
    source = make_clip(tmp_path / "in.mkv", frames=50, sound="flac")
    runs: list[LiveRun] = []

    def wait(index: int) -> None:
        if runs and index < 6:
            runs[0]._stopped.wait(0.2)

    report = live(source, tmp_path / "out.mkv", Model(hook=wait), pace=True, on_start=runs.append)
    before, after = read_clip(source), read_clip(tmp_path / "out.mkv")
    assert report.frames == 50
    assert report.dropped > 5
    assert report.delivered + report.dropped == 50
    assert len(after.pts) == report.delivered
    assert set(after.pts) < set(before.pts)
    assert after.others == before.others
    for longest, size in report.queues.values():
        assert longest <= size


def test_a_source_that_waits_has_no_late_frames(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=12)
    pause = threading.Event()

    def wait(index: int) -> None:
        pause.wait(0.03)

    report = live(source, "null", Model(hook=wait), latency=0.02)
    assert (report.delivered, report.dropped, report.late) == (12, 0, 0)


def test_changes_have_their_times_from_the_beginning_of_the_run(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=25)
    begun: list[float] = []

    def wait(index: int) -> None:
        if begun:
            time.sleep(0.15)

    ladder: Any = {"slow": Model(hook=wait), "fast": Model()}
    report = restore_live(
        str(source), "null", ladder, pace=True, on_start=lambda run: begun.append(time.monotonic())
    )
    assert report.changes
    assert 0 < report.changes[0].time < report.seconds
    assert report.changes[0].before == "slow"


def test_late_frames_can_be_shown(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=12)
    pause = threading.Event()

    def wait(index: int) -> None:
        pause.wait(0.06)

    report = live(
        source, tmp_path / "out.mkv", Model(hook=wait), pace=True, late="show", latency=0.05
    )
    assert (report.delivered, report.dropped, report.late) == (12, 0, 12)
    assert len(read_clip(tmp_path / "out.mkv").pts) == 12
    for longest, size in report.queues.values():
        assert longest <= size


def test_a_run_can_be_stopped(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=500)
    runs: list[LiveRun] = []

    def stop(index: int) -> None:
        if runs and index > 20:
            runs[0].stop()

    report = live(source, tmp_path / "out.mkv", Model(hook=stop), on_start=runs.append)
    assert 0 < report.delivered < 60
    assert len(read_clip(tmp_path / "out.mkv").pts) == report.delivered
    assert not [each for each in threading.enumerate() if each.name.startswith("restore_rt")]


def test_an_error_of_the_model_leaves_no_file(tmp_path: Path) -> None:
    def fail(index: int) -> None:
        if index > 10:
            raise MediaError("no more")

    source = make_clip(tmp_path / "in.mkv", frames=50)
    with pytest.raises(MediaError, match="no more"):
        live(source, tmp_path / "out.mkv", Model(hook=fail))
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_tcp(tmp_path: Path) -> None:
    """MPEG-TS through a socket: what arrives is what a file would hold."""
    source = make_clip(tmp_path / "in.mkv", frames=20, sound="flac")
    with socket.create_server(("127.0.0.1", 0)) as server:
        parts: list[bytes] = []

        def receive() -> None:
            connection, _ = server.accept()
            with connection:
                while part := connection.recv(65536):
                    parts.append(part)

        thread = threading.Thread(target=receive)
        thread.start()
        live(source, f"tcp://127.0.0.1:{server.getsockname()[1]}")
        thread.join(20)
    received = tmp_path / "received.ts"
    received.write_bytes(b"".join(parts))
    clip = read_clip(received)
    assert len(clip.pts) == 20
    assert sorted(clip.kinds) == ["audio", "video"]
    with av.open(str(received)) as file:
        assert file.format.name == "mpegts"
        assert file.streams.audio[0].codec_context.name == "aac"


@pytest.mark.parametrize("form", ["mkv", "nut", "yuv4mpeg"])
def test_standard_input_to_standard_output(tmp_path: Path, form: str) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=5)
    command = [
        sys.executable,
        "-c",
        "from restore_rt.cli import main; main()",
        "live",
        "-",
        "-o",
        "-",
        "--format",
        form,
    ]
    with source.open("rb") as file:
        done = subprocess.run(
            [*command, "--model", "video-x2-fast"],
            stdin=file, capture_output=True, timeout=60, check=False,
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert b"5 of 5 frames delivered" in done.stderr
    out = tmp_path / "out"
    out.write_bytes(done.stdout)
    clip = read_clip(out)
    assert len(clip.pts) == 5
    assert clip.video["codec"] == ("h264" if form == "mkv" else "rawvideo")
    assert clip.video["size"] == (128, 96)


def test_wrong_options_are_refused_before_anything_is_opened(tmp_path: Path) -> None:
    missing = tmp_path / "missing.mkv"
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("latency", {"latency": 0.0}),
        ("late", {"late": "never"}),
        ("format", {"format_name": "avi"}),
    ]
    for word, options in wrong:
        with pytest.raises(InputError, match=f"^{word} is "):
            live(missing, "-", **options)
    for sink in ("null", "window"):
        with pytest.raises(InputError, match=f"format is 'mkv', but the sink is {sink}"):
            live(missing, sink, format_name="mkv")
    for sink in ("ftp://somewhere", "out.xyz", "out.webm"):
        with pytest.raises(InputError, match="the sink is"):
            live(missing, sink)
    with pytest.raises(InputError, match="one scale"):
        restore_live(str(missing), "null", {"a": Model(1), "b": Model(2)})  # type: ignore[dict-item]
    with pytest.raises(MediaError, match="there is no file"):
        live(missing, "null")
    with pytest.raises(MediaError, match="cannot open tcp://127"):
        live("tcp://127.0.0.1:1", "null")
    source = make_clip(tmp_path / "in.mkv", frames=2)
    before = source.read_bytes()
    with pytest.raises(InputError, match="is the source itself"):
        live(source, source, overwrite=True)
    assert source.read_bytes() == before
    with pytest.raises(OutputError, match=r"cannot write tcp://127.0.0.1:1: Connection refused"):
        live(source, "tcp://127.0.0.1:1")


def test_fragmented_mp4_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=40, sound="aac")
    code = "from restore_rt.cli import main; main()"
    command = [sys.executable, "-c", code, "live", str(source), "-o", "-", "--format", "mp4"]
    done = subprocess.run(
        [*command, "--model", "video-x2-tiny"], capture_output=True, timeout=60, check=False,
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    out = tmp_path / "out.mp4"
    out.write_bytes(done.stdout[: len(done.stdout) * 3 // 4])
    with av.open(str(source)) as before, av.open(str(out)) as after:
        whole = [packet.pts for packet in before.demux(audio=0) if packet.pts is not None]
        times = [packet.pts for packet in after.demux(audio=0) if packet.pts is not None]
        assert times == [time for time in whole if time >= 0][: len(times)]
        assert len(times) > len(whole) // 2
    with av.open(str(out)) as file:
        assert len(list(file.decode(video=0))) >= 20


def test_a_player_that_is_closed_ends_the_run(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=200)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def receive() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)

        thread = threading.Thread(target=receive)
        thread.start()
        report = live(source, f"tcp://127.0.0.1:{server.getsockname()[1]}", pace=True)
        thread.join(20)
    assert report.delivered < report.frames < 200


def test_sigterm_finishes_a_recording(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", frames=400)
    code = "from restore_rt.cli import main; main()"
    command = [sys.executable, "-c", code, "live", str(source), "-o", str(tmp_path / "out.mkv")]
    with subprocess.Popen(
        [*command, "--pace", "--model", "video-x2-tiny"], stderr=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as run:  # fmt: skip
        while not list(tmp_path.glob(".restore-rt-*")):
            time.sleep(0.02)
        time.sleep(0.3)
        run.terminate()
        output, errors = run.communicate(timeout=60)
    assert run.returncode == 0, errors
    delivered = len(read_clip(tmp_path / "out.mkv").pts)
    assert f"{delivered} of" in output


def test_frames_from_before_the_run_are_passed_over(tmp_path: Path) -> None:
    """They can all be read at once; the first that reading waits for has only just come."""
    source = make_clip(tmp_path / "in.mkv", frames=2)
    with VideoReader(source) as reader:
        ladder: Any = {"model": Model()}
        governor = Governor(["model"], interval=0.04, budget=0.1, work={"model": 0.0})
        sink = Sink(reader.layout)
        for late, waited, expected in (
            ("drop", [0.0, 0.0, 0.0, 0.0], [True, True, False, False]),
            ("drop", [0.0, 0.03, 0.0, 0.0], [True, False, False, False]),
            ("show", [0.0, 0.0, 0.0, 0.0], [False, False, False, False]),
        ):
            how: Any = late
            run = LiveRun(reader, ladder, sink, governor, late=how, waits=False, behind=3)
            assert [run._is_behind(seconds) for seconds in waited] == expected


def test_the_machine_is_measured_before_the_first_frame(tmp_path: Path) -> None:
    """A rung that takes 0.6 s uses up the second, so that the one above it is not measured."""
    source = make_clip(tmp_path / "in.mkv", frames=5)
    pause = threading.Event()

    def wait(index: int) -> None:
        pause.wait(0.6)

    slow, never = Model(hook=wait), Model()
    notes: list[str] = []
    ladder: Any = {"never": never, "slow": slow, "fast": Model()}
    report = restore_live(str(source), "null", ladder, on_note=notes.append)
    assert report.rungs == {"never": 0, "slow": 0, "fast": 5}
    assert (len(slow.seen), len(never.seen)) == (2, 0)
    assert "fast is the best model that keeps pace" in notes


def test_the_ladder_is_of_shipped_models() -> None:
    names = ladder_names()
    assert {"video-x2-quality", "video-x2", "video-x2-fast"} <= set(names)
    wanted = ["video-x2-quality", "video-x2", "video-x2-fast", "video-x2-tiny"]
    assert [name for name in names if name in wanted] == [name for name in wanted if name in names]


def test_a_model_that_is_added_joins_the_ladder_unless_it_sharpens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"small": 10, "large": 1000, "usual": 100, "sharp": 50, "photo": 5}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(bytes(size))
    made = [replace(Enlarger().manifest, name=name) for name in sizes]
    changed: dict[str, Any] = {"sharp": {"recipe": "[sharpen]"}, "photo": {"content": "photo"}}
    shipped = [replace(each, **changed.get(each.name, {})) for each in made]
    monkeypatch.setattr(restoring, "models", lambda: shipped)
    monkeypatch.setattr(restoring, "path_of", lambda name: tmp_path / name)
    assert ladder_names() == ["large", "usual", "small"]


@pytest.mark.parametrize(
    ("source", "address", "options"),
    [
        ("x11grab:", ":7", {}),
        ("x11grab::0.0", ":0.0", {}),
        ("x11grab:+10,20@640x360", ":7+10,20", {"video_size": "640x360"}),
        ("x11grab::0.0+10,20@640x360", ":0.0+10,20", {"video_size": "640x360"}),
        ("/dev/video0@1280x720", "/dev/video0", {"video_size": "1280x720"}),
    ],
)
def test_what_ffmpeg_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, source: str, address: str, options: dict[str, str]
) -> None:
    asked: list[Any] = []

    def opened(name: str, mode: str, **given: Any) -> None:
        asked.extend((name, given["format"], given["container_options"]))

    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setattr(av, "open", opened)
    assert not open_live(source).waits
    assert asked == [address, "v4l2" if "video" in source else "x11grab", options]
    with pytest.raises(InputError, match="the size is 'big'; give one like @640x360"):
        open_live(f"{source.partition('@')[0]}@big")


def test_a_queue_that_makes_room_keeps_its_bound() -> None:
    made: BoundedQueue[list[int]] = BoundedQueue(2, lambda oldest, following: oldest + following)
    for number in range(5):
        assert made.put([number])
    made.end()
    assert [made.get(), made.get(), made.get()] == [[0, 1, 2, 3], [4], None]
    assert made.longest == 2
    one: BoundedQueue[list[int]] = BoundedQueue(1, lambda oldest, following: oldest + following)
    for number in range(3):
        one.put([number])
    assert one.get() == [0, 1, 2]
    waiting: BoundedQueue[int] = BoundedQueue(1)
    assert waiting.put(1)
    threading.Timer(0.05, waiting.stop).start()
    assert not waiting.put(2)
    assert waiting.get() is None
