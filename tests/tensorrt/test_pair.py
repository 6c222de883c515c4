from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from restore_rt.errors import EngineError, InputError, OutputError
from restore_rt.gpu.properties import Gpu
from restore_rt.model import registry as zoo
from restore_rt.tensorrt.library import Library
from restore_rt.tensorrt.pair import read_engine, sidecar_path, write_engine
from restore_rt.tensorrt.profile import Profile
from restore_rt.tensorrt.sidecar import Port, Sidecar

PLAN = bytes(range(256)) * 40
LIBRARY = Library("rtx", "1.7.1.116", cast(Any, ModuleType("fake")))
ADA = Gpu("NVIDIA GeForce RTX 4070", (8, 9))


def described(plan: bytes = PLAN, **changed: Any) -> Sidecar:
    fields: dict[str, Any] = {
        "onnx_sha256": hashlib.sha256(b"model").hexdigest(),
        "plan_sha256": hashlib.sha256(plan).hexdigest(),
        "plan_bytes": len(plan),
        "library": LIBRARY.name,
        "library_version": LIBRARY.version,
        "target": "sm89",
        "gpu": None,
        "profile": Profile.parse("8x8:64x64:2x64x96"),
        "input": Port("x", "float32", "nchw"),
        "output": Port("y", "float32", "nchw"),
        "precision": "fp32",
        "workspace_mib": None,
        "timing_cache": False,
        "built": "2026-01-02T03:04:05+00:00",
        "restore_rt": "0.1.0",
        "manifest": zoo.models()[0],
    }
    return Sidecar(**(fields | changed))


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    path = tmp_path / "model.engine"
    write_engine(path, PLAN, described())
    return path


@pytest.mark.parametrize("gpu", [None, ADA])
def test_what_was_written_is_read(gpu: Gpu | None, tmp_path: Path) -> None:
    path, sidecar = tmp_path / "m.engine", described(gpu=gpu)
    write_engine(path, PLAN, sidecar)
    assert read_engine(path, LIBRARY) == (PLAN, sidecar)
    assert sorted(tmp_path.iterdir()) == [path, sidecar_path(path)]


def test_each_flipped_byte_of_the_plan_is_found(engine: Path) -> None:
    for place in (0, 1, len(PLAN) // 2, len(PLAN) - 1):
        damaged = bytearray(PLAN)
        damaged[place] ^= 1
        engine.write_bytes(damaged)
        with pytest.raises(EngineError, match="is damaged, or a build was broken off; build it"):
            read_engine(engine, LIBRARY)


@pytest.mark.parametrize("plan", [b"", PLAN[:-1], PLAN + b"\0"])
def test_a_plan_of_another_length_is_refused(plan: bytes, engine: Path) -> None:
    engine.write_bytes(plan)
    with pytest.raises(EngineError, match="build it again with restore-rt build"):
        read_engine(engine, LIBRARY)


def test_each_flipped_bit_of_the_sidecar_is_found(engine: Path) -> None:
    beside = sidecar_path(engine)
    text = beside.read_bytes()
    wrong = []
    for place in range(0, len(text), 13):
        damaged = bytearray(text)
        damaged[place] ^= 1 << place % 7
        beside.write_bytes(damaged)
        try:
            _, sidecar = read_engine(engine, LIBRARY)
        except EngineError:
            continue
        # Space between fields may be any.
        if sidecar != described():
            wrong.append(place)
    assert wrong == []


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "[" * 100_000, '{"seal": 1}', '{"seal": "", "schema": 1}']
)
def test_other_texts_are_no_sidecar(text: str, engine: Path) -> None:
    sidecar_path(engine).write_text(text)
    with pytest.raises(EngineError, match=r"model\.engine\.json cannot be trusted"):
        read_engine(engine, LIBRARY)


def test_a_sidecar_of_bytes_and_one_without_end_are_refused(engine: Path) -> None:
    for content in (b"\xff\xfe\0", b" " * 5_000_000):
        sidecar_path(engine).write_bytes(content)
        with pytest.raises(EngineError, match="cannot be trusted"):
            read_engine(engine, LIBRARY)


def test_a_later_schema_is_named(engine: Path) -> None:
    fields = json.loads(sidecar_path(engine).read_text())
    sidecar_path(engine).write_text(json.dumps({**fields, "schema": 2}))
    with pytest.raises(EngineError, match="schema is 2; this version reads 1; build it again"):
        read_engine(engine, LIBRARY)


def test_missing_files_are_named(engine: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="there is no engine"):
        read_engine(tmp_path / "other.engine", LIBRARY)
    sidecar_path(engine).unlink()
    with pytest.raises(EngineError, match=r"no description beside it \(model.engine.json\)"):
        read_engine(engine, LIBRARY)


@pytest.mark.parametrize(
    "library",
    [
        dataclasses.replace(LIBRARY, version="1.8.0"),
        Library("tensorrt", "1.7.1.116", LIBRARY.module),
    ],
)
def test_another_library_or_version_is_refused(library: Library, engine: Path) -> None:
    with pytest.raises(EngineError, match=r"was built by rtx 1\.7\.1\.116"):
        read_engine(engine, library)


@pytest.mark.parametrize(
    ("target", "built_on", "gpu", "runs"),
    [
        ("sm89", None, ADA, True),
        ("sm89", None, Gpu("NVIDIA L4", (8, 9)), True),
        ("sm89", None, Gpu("A100", (8, 0)), False),
        ("sm120", None, Gpu("RTX 5090", (12, 0)), True),
        ("exact", ADA, ADA, True),
        ("exact", ADA, Gpu("NVIDIA L4", (8, 9)), False),
        ("ampere+", ADA, Gpu("A100", (8, 0)), True),
        ("ampere+", ADA, Gpu("RTX 5090", (12, 0)), True),
        ("ampere+", ADA, Gpu("T4", (7, 5)), False),
    ],
)
def test_the_gpu_must_be_one_that_it_was_built_for(
    target: str, built_on: Gpu | None, gpu: Gpu, runs: bool, tmp_path: Path
) -> None:
    path = tmp_path / "m.engine"
    write_engine(path, PLAN, described(target=target, gpu=built_on))
    if runs:
        assert read_engine(path, LIBRARY, gpu=gpu)[0] == PLAN
    else:
        with pytest.raises(EngineError, match=f"the target {target}".replace("+", r"\+")):
            read_engine(path, LIBRARY, gpu=gpu)


def test_the_model_must_be_the_one_that_it_was_built_from(engine: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"model")
    assert read_engine(engine, LIBRARY, onnx=model)[0] == PLAN
    model.write_bytes(b"modem")
    with pytest.raises(EngineError, match="was not built from"):
        read_engine(engine, LIBRARY, onnx=model)
    model.unlink()
    with pytest.raises(EngineError, match="cannot be read"):
        read_engine(engine, LIBRARY, onnx=model)


def test_existing_files_are_kept_unless_they_may_be_replaced(engine: Path) -> None:
    with pytest.raises(InputError, match="exists"):
        write_engine(engine, b"other", described(b"other"))
    engine.unlink()
    with pytest.raises(InputError, match=r"model\.engine\.json exists"):
        write_engine(engine, b"other", described(b"other"))
    write_engine(engine, b"other", described(b"other"), overwrite=True)
    assert read_engine(engine, LIBRARY)[0] == b"other"


@pytest.fixture
def broken_rename(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function after which the n-th rename fails, as on a full disk."""

    def arrange(which: int) -> None:
        real, count = Path.replace, 0

        def replace(self: Path, target: Path) -> Path:
            nonlocal count
            count += 1
            if count == which:
                raise OSError(28, "No space left on device", str(self))
            return real(self, target)

        monkeypatch.setattr(Path, "replace", replace)

    return arrange


@pytest.mark.parametrize("which", [1, 2])
def test_a_failure_leaves_neither_file(
    which: int, broken_rename: Callable[[int], None], tmp_path: Path
) -> None:
    broken_rename(which)
    with pytest.raises(OutputError, match="disk is full"):
        write_engine(tmp_path / "m.engine", PLAN, described())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("which", [1, 2])
def test_a_failure_leaves_the_old_pair_or_what_is_refused(
    which: int, broken_rename: Callable[[int], None], engine: Path
) -> None:
    broken_rename(which)
    with pytest.raises(OutputError, match="disk is full"):
        write_engine(engine, b"other", described(b"other"), overwrite=True)
    if which == 1:
        assert read_engine(engine, LIBRARY) == (PLAN, described())
        return
    with pytest.raises(EngineError, match="no description beside it"):
        read_engine(engine, LIBRARY)


@pytest.mark.parametrize("kept", ["model.engine", "model.engine.json"])
def test_a_crash_between_the_two_leaves_what_is_refused(kept: str, engine: Path) -> None:
    old = (engine.parent / kept).read_bytes()
    write_engine(engine, b"other", described(b"other"), overwrite=True)
    (engine.parent / kept).write_bytes(old)
    with pytest.raises(EngineError, match="a build was broken off"):
        read_engine(engine, LIBRARY)
