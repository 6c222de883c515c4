#!/usr/bin/env bash
# Tests and measures on a GPU that is rented by the minute, in one call; see docs/gpu-session.md.
#
#   benchmarks/gpu_session.sh prepare    here: build what the machine lacks, in build/gpu_session
#   benchmarks/gpu_session.sh rehearse   here: all steps on an emulated GPU, from a bare copy
#   benchmarks/gpu_session.sh run        there: all steps, one after the other; results in $OUT
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
FOLDER=build/gpu_session
CARRY=$FOLDER/carry
ARCHITECTURE=${ARCHITECTURE:-90}
MOST_CARRIED_MB=45 MOST_MB=60

fail() { echo "$*" >&2; exit 1; }

# ---- here -----------------------------------------------------------------------------------

prepare() {
    local python=${PYTHON:-python3.12} tools=$FOLDER/tools site=$FOLDER/site wheels=$FOLDER/wheels
    local toolkit
    # nvcc may be a script that calls the toolkit's.
    toolkit=$(nvcc --dryrun -c -x cu /dev/null -o /dev/null 2>&1 | sed -n 's/^#\$ TOP=//p')
    [ -e "$toolkit/include/cuda.h" ] || fail "nvcc is missing, or its toolkit has no include/cuda.h"
    toolkit=$(realpath "$toolkit")
    rm -rf "$site" "$CARRY" "$FOLDER/stub" && mkdir -p "$site" "$CARRY" "$FOLDER/stub" "$wheels" || exit 1
    set -e
    [ -d "$tools" ] || "$python" -m venv "$tools"
    "$tools/bin/python" -m pip install -q setuptools wheel pybind11 numpy
    pip() { "$tools/bin/python" -m pip "$@" -q --disable-pip-version-check; }
    # The driver's library is on the machine alone: to link, its name is enough.
    echo | gcc -shared -Wl,-soname,libcuda.so.1 -x c - -o "$FOLDER/stub/libcuda.so"
    if ! ls "$wheels"/pycuda-*.whl >/dev/null 2>&1; then
        pip download --no-deps --no-binary pycuda --no-build-isolation -d "$FOLDER" pycuda
        tar xf "$FOLDER"/pycuda-*.tar.gz -C "$FOLDER"
        printf 'CUDA_ROOT = %s\nCUDA_ENABLE_CURAND = False\nCUDADRV_LIB_DIR = [%s]\n' \
            "'$toolkit'" "'$PWD/$FOLDER/stub'" >"$(echo "$FOLDER"/pycuda-*/)siteconf.py"
        CPATH=$toolkit/include LDFLAGS=-Wl,--no-as-needed pip wheel --no-deps \
            --no-build-isolation -w "$wheels" "$FOLDER"/pycuda-*/
    fi
    pip download --no-deps --only-binary=:all: -d "$wheels" \
        onnxruntime-gpu pytools platformdirs siphash24 mako
    "$tools/bin/python" tests/packaging/slim_onnxruntime.py \
        "$wheels"/onnxruntime_gpu-*.whl "$site" --architecture "$ARCHITECTURE"
    for wheel in "$wheels"/{pycuda,pytools,platformdirs,siphash24,mako}-*.whl; do
        "$tools/bin/python" -m zipfile -e "$wheel" "$site"
    done
    # The checkout's own extensions stay as they are.
    RESTORE_RT_CUDA=1 RESTORE_RT_CUDA_ARCHITECTURES=$ARCHITECTURE "$tools/bin/python" setup.py -q \
        build_ext --build-lib "$FOLDER/lib" --build-temp "$FOLDER/temp"
    cp -r "$FOLDER"/lib/restore_rt "$site/restore_rt_extensions"
    strip --strip-debug "$site"/{pycuda,restore_rt_extensions}/*.so
    git describe --always --dirty --abbrev=12 >"$CARRY/commit"
    tar c -C "$site" --sort=name --owner=0 --group=0 . | xz -T0 >"$CARRY/site.tar.xz"
    sizes
}

# What travels: tracked files, others that git does not ignore, and what is carried.
sizes() {
    local tree carried
    tree=$(git ls-files -z --cached --others --exclude-standard | du -cb --files0-from=- | tail -1 | cut -f1)
    carried=$(du -sb "$CARRY" | cut -f1)
    echo "checkout $((tree / 1000000)) MB, carried $CARRY $((carried / 1000000)) MB"
    [ "$carried" -le $((MOST_CARRIED_MB * 1000000)) ] || fail "carried are at most $MOST_CARRIED_MB MB"
    [ $((tree + carried)) -le $((MOST_MB * 1000000)) ] || fail "a call takes at most $MOST_MB MB"
    echo "on the machine, in the checkout: OUT=<folder> bash benchmarks/gpu_session.sh run"
}

# From a copy that has what the machine gets and nothing else; PYTHON has the machine's libraries.
# SLOWNESS multiplies all limits, for machines that are busy.
rehearse() {
    local copy
    [ -e "$CARRY/site.tar.xz" ] || fail "nothing is prepared: benchmarks/gpu_session.sh prepare"
    sizes
    copy=$(mktemp -d)
    git ls-files -z --cached --others --exclude-standard | xargs -0 cp -p --parents -t "$copy"
    cp -r --parents "$CARRY" "$copy"
    # Compiling the emulated kernels is no part of the session.
    mkdir -p "$copy/build" && cp -rp build/rehearsal_kernels "$copy/build/host_kernels" 2>/dev/null
    env -i PATH="$PATH" HOME="$HOME" PYTHON="${PYTHON:-python3.12}" OUT="${OUT:-$PWD/$FOLDER/out}" \
        REHEARSE=1 BREAK="${BREAK:-}" SLOWNESS="${SLOWNESS:-1}" \
        BUDGET="${BUDGET:-$((530 * ${SLOWNESS:-1}))}" CXX="${CXX:-g++}" bash "$copy/benchmarks/gpu_session.sh" run
    local status=$?
    rm -rf build/rehearsal_kernels && cp -rp "$copy/build/host_kernels" build/rehearsal_kernels
    rm -rf "$copy"
    return $status
}

# ---- there ----------------------------------------------------------------------------------

# An environment of links to the libraries that are there, with ours in place of the same ones:
# nothing that is installed is changed, and CUDA's libraries lie where ONNX Runtime looks for them.
lay_out() {
    local site each
    "$PYTHON" -m venv --without-pip "$WORK/env" || return
    site=$(echo "$WORK"/env/lib/python3*/site-packages)
    "$PYTHON" -m tarfile --filter data -e "$CARRY/site.tar.xz" "$site" || return
    cp "$site"/restore_rt_extensions/*.so restore_rt/
    "$PYTHON" -c 'import sys; print(*[p for p in sys.path if p.endswith("-packages")], sep="\n")' |
        while read -r folder; do
            for each in "$folder"/*; do
                # ONNX Runtime for CPUs and ours would overwrite each other.
                case ${each##*/} in onnxruntime*|__pycache__) continue ;; esac
                [ -e "$site/${each##*/}" ] || ln -s "$each" "$site/"
            done
        done
    "$WORK/env/bin/python" -c 'import restore_rt._ext'
}

# step NAME SECONDS COMMAND...: with its own limit; then its log and its figures are in $OUT.
step() {
    local name=$1 limit=$(($2 * ${SLOWNESS:-1})) begin=$SECONDS status word log=$WORK/$1.log found said cpu=0
    shift 2
    case $BREAK in *"$name=fail"*) set -- false ;; *"$name=hang"*) set -- sleep 3600 ;; esac
    # Five seconds more are there for ending it.
    [ $((begin + limit + 5)) -le "$BUDGET" ] || limit=$((BUDGET - begin - 5))
    if [ "$limit" -lt 10 ]; then
        echo "no time was left" >"$log"
        status=skipped
    else
        { time RESTORE_RT_RESULTS=$WORK/$name timeout -k 5 "$limit" "$@" >"$log" 2>&1; } 2>"$WORK/time"
        status=$?
        cpu=$(awk 'END {printf "%.0f", $1 + $2}' "$WORK/time")
    fi
    case $status in
        0) word=passed ;;
        124|137) word='timed out' ;;
        skipped) word=skipped ;;
        # All was measured, and is slower than it should be.
        *) grep -q '^missed:' "$log" && word='bar missed' || word=failed ;;
    esac
    said=$(grep -Ev '^ *$|^written:' "$log" | tail -1 | tr -cd '[:print:]' | tr '\\"' "/'" | cut -c1-300)
    # Whoever is ended may have been writing.
    found=$("$PYTHON" -m json.tool --compact "$WORK/$name"/*.json 2>/dev/null) || found=null
    printf '%s\n  "%s": {"status": "%s", "seconds": %d, "cpu_seconds": %d, "limit": %d, "said": "%s", "found": %s}' \
        "$([ -s "$WORK/steps" ] && echo ,)" "$name" "$word" $((SECONDS - begin)) "$cpu" "$limit" \
        "$said" "$found" >>"$WORK/steps"
    { echo "===== $name: $word"; tail -c 1000000 "$log"; } >>"$OUT/session.log"
    printf '%-14s %-10s %4d of %3d s, %4d s of CPU  %s\n' \
        "$name" "$word" $((SECONDS - begin)) "$limit" "$cpu" "${said:0:100}" | tee -a "$OUT/summary.txt"
    printf '{"commit": "%s", "emulated": %s, "seconds": %d, "steps": {%s\n}}\n' \
        "$(cat "$CARRY/commit" 2>/dev/null)" "${REHEARSE:-0}" "$SECONDS" "$(cat "$WORK/steps")" >"$OUT/session.json"
}

run() {
    SECONDS=0 TIMEFORMAT='%U %S'
    PYTHON=${PYTHON:-python3} OUT=$(realpath -m "${OUT:-$FOLDER/out}") BREAK=${BREAK:-}
    # Seconds for all steps; the time that the machine takes to start is not counted.
    BUDGET=${BUDGET:-530}
    WORK=$(mktemp -d)
    mkdir -p "$OUT" && rm -f "$OUT"/session.* "$OUT/summary.txt"
    export PATH=$PATH:/usr/local/cuda/bin PYTHONPATH=$PWD PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
    # Code that was cut from ONNX Runtime is never looked at.
    export CUDA_MODULE_LOADING=LAZY RESTORE_RT_REQUIRE_GPU=1 RESTORE_RT_CACHE=$WORK/cache
    local compared='(every_shape or fp16_is_near) and (video-x2 or photo-x2)'
    local py=$WORK/env/bin/python small=() sanitizer=(compute-sanitizer --tool memcheck --error-exitcode 1
        --report-api-errors no "$WORK/env/bin/python") gpu torch test
    lay_out >"$WORK/layout.log" 2>&1
    echo "===== layout: $?" >"$OUT/session.log"
    cat "$WORK/layout.log" >>"$OUT/session.log"
    gpu=("$py" benchmarks/gpu.py)
    torch=("${gpu[@]}" --parts torch)
    if [ "${REHEARSE:-0}" = 1 ]; then
        "$py" -c 'from tests.gpu import host_kernels; host_kernels.load()' || fail "no emulated kernels"
        SECONDS=0
        gpu=("$py" -m tests.gpu.rehearsal benchmarks/gpu.py)
        small=(--heights 24 --runs 2 --seconds 0.01 --rotated-mb 0)
        # PyTorch is not emulated; that it computes the same networks can be seen without a GPU.
        torch=("$py" -m pytest -p no:cacheprovider -q -W default tests/gpu/test_in_torch.py)
        sanitizer=("$py") compared='every_shape and uint8 and video-x2'
    fi
    # Newer libraries warn of what ours did not.
    test=(-m pytest -p no:cacheprovider -q -W default --hypothesis-profile=quick -m gpu)
    [ "${REHEARSE:-0}" = 1 ] && test=(-m tests.gpu.rehearsal "${test[@]}"
        # Emulated kernels are built for no architecture.
        --deselect tests/cuda/test_kernels.py::test_the_module_says_what_it_was_built_for)

    step requirements 40 "${gpu[@]}" --parts "${small[@]}"
    if ! "$py" -c 'import restore_rt._ext, restore_rt._cuda' >/dev/null 2>&1 && [ -z "${REHEARSE:-}" ]; then
        # Built here for a system that is too different.
        step build 120 env RESTORE_RT_CUDA=1 RESTORE_RT_CUDA_ARCHITECTURES="$ARCHITECTURE" \
            "$py" setup.py build_ext --inplace --force
    fi
    # Also where the GPU is emulated, ONNX Runtime has to find CUDA's libraries.
    step onnxruntime 30 "$py" -c 'import sys
from restore_rt.gpu.library import missing_libraries
sys.exit("; ".join(missing_libraries("cuda")) or print("all libraries were found"))'
    step copies 30 "${gpu[@]}" --parts copies "${small[@]}"
    step kernel_tests 60 "$py" "${test[@]}" tests/cuda
    step kernels 50 "${gpu[@]}" --parts kernels "${small[@]}"
    step libraries 40 "$py" "${test[@]}" tests/gpu/test_libraries_on_gpu.py
    step parity 50 "$py" "${test[@]}" tests/gpu/test_on_gpu.py \
        -k "$compared and onnxruntime and not (fast or quality)"
    step frames 90 "${gpu[@]}" --parts frames --seconds 0.5 "${small[@]}"
    step torch 40 "${torch[@]}"
    step leaks 40 "$py" "${test[@]}" tests/gpu/test_on_gpu.py -k leak
    step memcheck 60 "${sanitizer[@]}" "${test[@]}" --hypothesis-profile=sanitize tests/cuda
    echo "all steps: $SECONDS of $BUDGET s" | tee -a "$OUT/summary.txt"
    rm -rf "$WORK"
}

case ${1:-} in
    prepare|rehearse|run) "$1" ;;
    *) fail "say prepare, rehearse or run; the head of $0 tells what they do" ;;
esac
