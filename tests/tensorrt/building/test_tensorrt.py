"""How TensorRT itself is used, whose place another module takes: it needs a GPU to build."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from restore_rt.errors import EngineError, InputError, ModelError
from restore_rt.gpu.properties import Gpu
from restore_rt.tensorrt.building import build_engine
from restore_rt.tensorrt.building.builder import build_plan
from restore_rt.tensorrt.building.network import read_network
from restore_rt.tensorrt.building.target import Target, choose_target
from restore_rt.tensorrt.pair import read_engine
from restore_rt.tensorrt.profile import Profile
from tests.tensorrt.building.fake_tensorrt import STEPS, FakeTensorRt

VERSIONS = ("10.16.0", "11.4.0")
EXACT = Target("exact", None, level="NONE")


@pytest.mark.parametrize(("version", "flags"), [("10.16.0", 1 << 1), ("11.4.0", 0)])
def test_networks_are_strongly_typed_in_both_versions_and_fp32_is_not_tf32(
    version: str, flags: int, model: Path, ada: Gpu, tmp_path: Path
) -> None:
    fake, out = FakeTensorRt(version), tmp_path / "m.engine"
    built = build_engine(
        model, out, profile=Profile.parse("8x8:16x24:2x32x48"), library=fake.library(), workspace=64
    )
    network = read_network(model)
    assert fake.seen == {
        "flags": flags,
        "model": network.blob,
        "limit": ("workspace", 64 * 2**20),
        "shapes": ("x", ((1, 1, 8, 8), (1, 1, 16, 24), (2, 1, 32, 48))),
        # TF32.
        "cleared": 7,
        "level": "level NONE",
        "steps": STEPS,
    }
    plan, sidecar = read_engine(out, fake.library(), gpu=ada, onnx=model)
    assert plan == b"plan" * 100
    assert sidecar == built.sidecar
    assert (sidecar.library, sidecar.library_version) == ("tensorrt", version)
    assert (sidecar.target, sidecar.gpu, sidecar.workspace_mib) == ("exact", ada, 64)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("target", "level"),
    [(None, "NONE"), ("sm89", "SAME_COMPUTE_CAPABILITY"), ("ampere+", "AMPERE_PLUS")],
)
def test_targets_become_levels_of_compatibility(
    version: str, target: str | None, level: str, model: Path, ada: Gpu, tmp_path: Path
) -> None:
    fake = FakeTensorRt(version)
    built = build_engine(model, tmp_path / "m.engine", target=target, library=fake.library())
    assert fake.seen["level"] == f"level {level}"
    assert built.sidecar.target == (target or "exact")


def test_other_gpus_are_out_of_its_reach(ada: Gpu) -> None:
    library = FakeTensorRt().library()
    with pytest.raises(InputError, match=r"for the GPU at hand, NVIDIA .*\(sm89\)"):
        choose_target(library, "sm120", ada)
    with pytest.raises(InputError, match="this is Tesla T4"):
        choose_target(library, "ampere+", Gpu("Tesla T4", (7, 5)))
    with pytest.raises(EngineError, match=r"there is none here; .*--library rtx"):
        choose_target(library, None, None)
    del library.module.HardwareCompatibilityLevel.__members__["SAME_COMPUTE_CAPABILITY"]
    with pytest.raises(InputError, match="leave --target out"):
        choose_target(library, "sm89", ada)


@pytest.mark.parametrize("target", ["sm", "89", "sm8.9", "turing", "", "sm89,sm86"])
def test_what_is_no_target_is_refused(target: str, ada: Gpu) -> None:
    with pytest.raises(InputError, match="give a compute capability like sm89"):
        choose_target(FakeTensorRt().library(), target, ada)


def test_the_parser_names_the_node(model: Path) -> None:
    fake = FakeTensorRt(parses=False)
    with pytest.raises(
        ModelError, match=r"does not take .*: node conv_3 \(Conv\): it is not liked"
    ):
        build_plan(fake.library(), read_network(model), Profile.parse("8x8"), EXACT)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Could not find any implementation for node x", "Most often that is too little memory"),
        ("OutOfMemory (no further information)", "a smaller profile"),
        ("something else", "something else"),
    ],
)
def test_errors_of_the_builder_are_told_and_explained(said: str, told: str, model: Path) -> None:
    fake = FakeTensorRt(builds=False, errors=(said, "checkMacros.cpp::catchCudaError::250", said))
    with pytest.raises(EngineError) as caught:
        build_plan(fake.library(), read_network(model), Profile.parse("8x8"), EXACT)
    text = str(caught.value)
    assert told in text
    assert text.count(said) == 1
    assert "catchCudaError" not in text
    assert "a warning" not in text


def test_a_builder_that_gives_no_reason(model: Path) -> None:
    fake = FakeTensorRt(builds=False)
    with pytest.raises(EngineError, match="it does not say why"):
        build_plan(fake.library(), read_network(model), Profile.parse("8x8"), EXACT)


def test_errors_of_one_build_are_not_told_of_the_next(model: Path) -> None:
    fake = FakeTensorRt(builds=False, errors=("first",))
    network, profile = read_network(model), Profile.parse("8x8")
    for said in ("first", "second"):
        fake.errors = (said,)
        with pytest.raises(EngineError, match=f": {said}$"):
            build_plan(fake.library(), network, profile, EXACT)


def test_what_follows_a_build_may_stop_it(model: Path) -> None:
    def follow() -> None:
        raise BrokenPipeError("nobody reads")

    fake = FakeTensorRt()
    with pytest.raises(BrokenPipeError, match="nobody reads"):
        build_plan(fake.library(), read_network(model), Profile.parse("8x8"), EXACT, follow=follow)
    assert fake.seen["steps"] == 1


@pytest.mark.parametrize("pause", [0, 0.1])
def test_ctrl_c_stops_a_build_after_its_step(pause: float, model: Path) -> None:
    def follow() -> None:
        # At once, the main thread may not wait yet.
        time.sleep(pause)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)

    fake = FakeTensorRt()
    with pytest.raises(KeyboardInterrupt):
        build_plan(fake.library(), read_network(model), Profile.parse("8x8"), EXACT, follow=follow)
    assert fake.seen["steps"] == 1


def test_measurements_are_kept_and_used_again(model: Path, ada: Gpu, tmp_path: Path) -> None:
    cache = tmp_path / "measured.cache"
    for given in (b"", b"+measured", b"+measured+measured"):
        fake = FakeTensorRt()
        built = build_engine(
            model, tmp_path / "m.engine", library=fake.library(), timing_cache=cache, overwrite=True
        )
        assert fake.seen["timing"] == given
        assert built.sidecar.timing_cache == bool(given)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[:-3] + b"\0" + data[-2:],
        lambda data: data.replace(b"11.4.0", b"11.4.1"),
        lambda data: b"x" + data,
        lambda data: b"",
        lambda data: b"\n\n\n\n",
    ],
)
def test_damaged_measurements_never_reach_tensorrt(
    damage: object, model: Path, ada: Gpu, tmp_path: Path
) -> None:
    cache, out = tmp_path / "measured.cache", tmp_path / "m.engine"
    build_engine(
        model, tmp_path / "first.engine", library=FakeTensorRt().library(), timing_cache=cache
    )
    assert callable(damage)
    damaged = damage(cache.read_bytes())
    cache.write_bytes(damaged)
    fake = FakeTensorRt()
    with pytest.raises(EngineError, match=r"timing cache .* is damaged.*; remove it"):
        build_engine(model, out, library=fake.library(), timing_cache=cache)
    assert fake.seen == {}
    assert not out.exists()
    assert cache.read_bytes() == damaged


def test_measurements_of_another_version_or_gpu_are_refused(
    model: Path, ada: Gpu, tmp_path: Path
) -> None:
    cache, out = tmp_path / "measured.cache", tmp_path / "m.engine"
    build_engine(model, out, library=FakeTensorRt().library(), timing_cache=cache)
    fake = FakeTensorRt("11.5.0")
    with pytest.raises(EngineError, match=r"is of TensorRT 11\.4\.0 on .*, and this is .*11\.5"):
        build_engine(model, out, library=fake.library(), timing_cache=cache, overwrite=True)
    assert fake.seen == {}
    picky = FakeTensorRt(takes_cache=False)
    with pytest.raises(EngineError, match="refuses the timing cache"):
        build_engine(model, out, library=picky.library(), timing_cache=cache, overwrite=True)


def test_a_timing_cache_that_is_a_folder_is_refused_before_any_work(
    model: Path, ada: Gpu, tmp_path: Path
) -> None:
    fake = FakeTensorRt()
    with pytest.raises(InputError, match="is a folder"):
        build_engine(model, tmp_path / "m.engine", library=fake.library(), timing_cache=tmp_path)
    assert fake.seen == {}
