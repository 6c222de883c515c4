"""The thread pool: shared by Python's threads, over forks, and gone at exit."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from restore_rt import _ext, reference

# Large enough that a kernel divides the work.
SIZE = (720, 1280)


def test_python_threads_share_the_pool() -> None:
    grid = _ext.TileGrid(*SIZE, 256, overlap=16, halo=2)
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, SIZE, np.uint8) for _ in range(6)]

    def round_trip(index: int) -> bool:
        frame = frames[index % len(frames)]
        tiles = np.empty((grid.count, 1, 256, 256), np.float32)
        result = np.empty_like(frame)
        _ext.split_into(tiles, frame, grid, threads=1 + index % 5)
        finite = _ext.merge_into(result, tiles, grid, threads=5 - index % 5)
        return finite and bool((result == frame).all())

    with ThreadPoolExecutor(6) as executor:
        assert all(executor.map(round_trip, range(30)))


def test_one_bad_band_is_reported_whichever_thread_meets_it() -> None:
    grid = _ext.TileGrid(*SIZE, SIZE, overlap=0, halo=0)
    tiles = np.zeros((1, 1, *SIZE), np.float32)
    frame = np.empty(SIZE, np.uint8)
    for row in (0, 180, 400, 719):
        tiles[0, 0, row, 640] = np.inf
        assert not _ext.merge_into(frame, tiles, grid, threads=4)
        tiles[0, 0, row, 640] = 0
    assert _ext.merge_into(frame, tiles, grid, threads=4)


def test_more_threads_than_rows() -> None:
    src = np.random.default_rng(1).integers(0, 256, (1, 300_000), np.uint8)
    dst = np.empty((2, 600_000), np.uint8)
    _ext.upsample_plane_into(dst, src, scale=2, threads=256)
    np.testing.assert_array_equal(dst, reference.upsample_plane(src, dst.shape, scale=2))


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    preamble = (
        "import os, sys\n"
        "import numpy as np\n"
        "from restore_rt import _ext\n"
        "src = np.random.default_rng(0).integers(0, 256, (720, 640), np.uint8)\n"
        "one = np.empty((1440, 1280), np.uint8)\n"
        "_ext.upsample_plane_into(one, src, scale=2)\n"
        "def check():\n"
        "    four = np.zeros_like(one)\n"
        "    _ext.upsample_plane_into(four, src, scale=2, threads=4)\n"
        "    assert (one == four).all()\n"
    )
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", preamble + script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="counts threads in /proc")
def test_idle_threads_sleep_and_are_no_more_than_asked_for() -> None:
    result = run(
        "before = len(os.listdir('/proc/self/task'))\n"
        "check()\n"
        "check()\n"
        "assert len(os.listdir('/proc/self/task')) <= before + 3\n"
        "import time\n"
        "used = time.process_time()\n"
        "time.sleep(0.3)\n"
        "print(time.process_time() - used < 0.1)\n"
    )
    assert (result.stdout, result.returncode) == ("True\n", 0), result.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_threads_of_its_own() -> None:
    result = run(
        "check()\n"
        "child = os.fork()\n"
        "check()\n"
        "if child:\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "else:\n"
        "    sys.exit(7)\n"
    )
    assert (result.stdout, result.returncode) == ("7\n", 0), result.stderr


def test_a_thread_that_is_busy_at_exit_does_no_harm() -> None:
    result = run(
        "import threading\n"
        "def work():\n"
        "    while True:\n"
        "        check()\n"
        "for _ in range(3):\n"
        "    threading.Thread(target=work, daemon=True).start()\n"
        "check()\n"
    )
    assert result.returncode == 0, result.stderr


def test_the_environment_chooses_the_instruction_set() -> None:
    result = run("print(_ext.isa())", RESTORE_RT_ISA="portable")
    assert (result.stdout, result.returncode) == ("portable\n", 0), result.stderr
    for name in _ext.isas():
        result = run("print(_ext.isa())", RESTORE_RT_ISA=name)
        assert (result.stdout, result.returncode) == (f"{name}\n", 0), result.stderr
    result = run("", RESTORE_RT_ISA="mmx")
    assert result.returncode != 0
    assert "RESTORE_RT_ISA is 'mmx'; this CPU has portable" in result.stderr
