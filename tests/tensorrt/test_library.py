from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

from restore_rt.errors import BackendError, EngineError, InputError
from restore_rt.tensorrt import api as used
from restore_rt.tensorrt.library import LIBRARIES, Library, open_library

MODULES = {"tensorrt": "tensorrt", "rtx": "tensorrt_rtx_bindings"}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return what changes ``sys.modules``, with neither library there."""
    for module in MODULES.values():
        monkeypatch.setitem(sys.modules, module, None)
    return monkeypatch


def fake(version: str) -> ModuleType:
    module = ModuleType("fake")
    module.__dict__.update(__version__=version, Builder=object)
    return module


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_missing_library_says_what_to_install(name: str, installed: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        BackendError, match=rf"is not installed: pip install 'restore-rt\[{name}\]'"
    ):
        open_library(name)


def test_where_neither_is_installed_both_are_named(installed: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendError) as caught:
        open_library()
    assert "restore-rt[tensorrt]" in str(caught.value)
    assert "restore-rt[rtx]" in str(caught.value)


def test_one_is_not_taken_for_the_other(installed: pytest.MonkeyPatch) -> None:
    installed.setitem(sys.modules, MODULES["rtx"], fake("1.7.1"))
    with pytest.raises(BackendError, match="TensorRT is not installed"):
        open_library("tensorrt")


def test_auto_takes_tensorrt_first(installed: pytest.MonkeyPatch) -> None:
    installed.setitem(sys.modules, MODULES["rtx"], fake("1.7.1"))
    assert open_library().name == "rtx"
    installed.setitem(sys.modules, MODULES["tensorrt"], fake("11.4.0.2"))
    library = open_library()
    assert (library.name, library.version) == ("tensorrt", "11.4.0.2")
    assert str(library) == "TensorRT 11.4.0.2"


@pytest.mark.parametrize(
    ("version", "old"), [("9.3.0", True), ("10.15.1", True), ("10.16.0", False), ("11.0", False)]
)
def test_old_versions_are_refused(version: str, old: bool, installed: pytest.MonkeyPatch) -> None:
    installed.setitem(sys.modules, MODULES["tensorrt"], fake(version))
    if old:
        with pytest.raises(BackendError, match=r"10\.16 or later is needed"):
            open_library()
    else:
        assert open_library().version == version


def test_a_broken_library_is_not_passed_over(
    installed: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    (folder / "tensorrt.py").write_text("import libnvinfer_that_is_not_there")
    installed.delitem(sys.modules, MODULES["tensorrt"])
    installed.syspath_prepend(folder)
    installed.setitem(sys.modules, MODULES["rtx"], fake("1.7.1"))
    with pytest.raises(EngineError, match=r"cannot be loaded .*force-reinstall"):
        open_library()


def test_a_folder_of_type_stubs_is_no_library(
    installed: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("stubs")
    (folder / "tensorrt").mkdir()
    (folder / "tensorrt" / "__init__.pyi").touch()
    installed.delitem(sys.modules, MODULES["tensorrt"])
    installed.syspath_prepend(folder)
    with pytest.raises(BackendError, match="TensorRT is not installed"):
        open_library("tensorrt")
    installed.delitem(sys.modules, "tensorrt", raising=False)


def test_other_names_are_refused() -> None:
    with pytest.raises(InputError, match="'openvino'; allowed are auto, tensorrt, rtx"):
        open_library("openvino")


def test_the_real_library_has_what_is_used_of_it(rtx: Library) -> None:
    theirs = {
        used.Builder: "Builder",
        used.Config: "IBuilderConfig",
        used.Memory: "IHostMemory",
        used.Network: "INetworkDefinition",
        used.OptimizationProfile: "IOptimizationProfile",
        used.Parser: "OnnxParser",
        used.ParserError: "ParserError",
        used.TensorRt: None,
        used.TimingCache: "ITimingCache",
    }
    lacking = []
    for ours, name in theirs.items():
        real = rtx.module if name is None else getattr(rtx.module, name)
        members = {*vars(ours), *ours.__annotations__}
        wanted = {item for item in members if not item.startswith("_")}
        assert wanted
        lacking += [f"{name}.{item}" for item in wanted if not hasattr(real, item)]
    assert lacking == []


@pytest.mark.parametrize(
    "module", ["restore_rt.tensorrt.pair", "restore_rt.tensorrt.building.build"]
)
def test_imports_load_no_heavy_library(module: str) -> None:
    heavy = ("torch", "onnx", "onnxruntime", *MODULES.values())
    code = f"import sys, {module}\nprint([name for name in {heavy!r} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
