"""How threads are scheduled after others' libraries had them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from restore_rt.threads import same_priority

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setscheduler"), reason="this system has no scheduling policies"
)


def test_svt_av1_leaves_all_threads_as_they_were() -> None:
    """It makes them real-time where root runs it, which a process of its own is to find out."""
    code = """
import os
from pathlib import Path
import av
from restore_rt.threads import same_priority

encoder = av.CodecContext.create("libsvtav1", "w")
encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = 64, 64, "yuv420p", 25
with same_priority():
    encoder.open()
threads = [int(task.name) for task in Path("/proc/self/task").iterdir()]
print(len(threads), {os.sched_getscheduler(thread) for thread in threads})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, policies = done.stdout.split(maxsplit=1)
    assert int(count) > 2
    assert policies == f"{{{os.sched_getscheduler(0)}}}\n"


def test_a_block_cannot_change_the_policy_of_its_thread() -> None:
    policies: list[int] = []

    def work() -> None:
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        with same_priority():
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            late = threading.Thread(target=done.wait)
            late.start()
        policies.extend(os.sched_getscheduler(each) for each in (0, late.native_id or -1))
        done.set()
        late.join()

    done = threading.Event()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert policies == [os.SCHED_BATCH, os.SCHED_BATCH]
    assert os.sched_getscheduler(0) != os.SCHED_BATCH
