#!/usr/bin/env bash
# check_wheel.sh PYTHON: install this Python's wheel from dist/ into a fresh environment where no
# compiler can be found, and restore a frame. Both together may take a minute.
set -euo pipefail
python=$(command -v "${1:-python3}")
version=$("$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
wheels=("$(cd "$(dirname "$0")/../../dist" && pwd)"/restore_rt-*-"$version"-manylinux*.whl)
if [ ! -e "${wheels[0]}" ] || [ ${#wheels[@]} != 1 ]; then
    echo "dist/ must hold one wheel for $version, and holds: ${wheels[*]}; run make wheel" >&2
    exit 1
fi
folder=$(mktemp -d)
rm=$(command -v rm)
trap '"$rm" -rf "$folder"' EXIT
cd "$folder"
"$python" -m venv venv
export PATH="$folder/venv/bin"
for compiler in cc gcc c++ g++ clang nvcc; do
    if command -v "$compiler"; then
        echo "$compiler is on PATH, so this would not prove that none is needed" >&2
        exit 1
    fi
done
SECONDS=0
python -m pip install --no-cache-dir --progress-bar off --only-binary=:all: "${wheels[0]}"
python - <<'PROGRAM'
import threading

import numpy as np
import restore_rt

frame = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
with restore_rt.load("video-x2", backend="native") as restorer:
    restored = restorer(frame)
    print(restorer.description)
assert restored.shape == (240, 320, 3), restored.shape
assert "site-packages" in restore_rt.__file__, restore_rt.__file__
# What is twice as large and has the same picture in it.
small = restored.reshape(120, 2, 160, 2, 3).mean((1, 3))
assert np.corrcoef(small.ravel(), frame.ravel())[0, 1] > 0.8


def restore_for_ever() -> None:
    """Be busy when Python exits, which unwinds the stack: how the wheel was linked matters."""
    with restore_rt.load("video-x2", backend="native", threads=1) as restorer:
        while True:
            restorer(frame)


for _ in range(3):
    threading.Thread(target=restore_for_ever, daemon=True).start()
threading.Event().wait(0.5)
PROGRAM
echo "Installed, and restored a frame, in $SECONDS s."
((SECONDS < 60))
