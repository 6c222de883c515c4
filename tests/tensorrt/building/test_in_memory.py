"""Networks in memory are checked as those in files are."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import onnx
import pytest

from restore_rt.errors import ModelError
from restore_rt.model.manifest import Manifest, read_manifest
from restore_rt.model.precision import narrow
from restore_rt.tensorrt.building.network import network_of, read_network


@pytest.fixture
def loaded(model: Path) -> onnx.ModelProto:
    return onnx.load(model)


@pytest.fixture
def manifest(loaded: onnx.ModelProto) -> Manifest:
    found = read_manifest(loaded)
    assert found is not None
    return found


def test_it_is_the_same_network(model: Path, loaded: onnx.ModelProto, manifest: Manifest) -> None:
    held, read = network_of(loaded, manifest), read_network(model)
    assert held.sha256 == hashlib.sha256(held.blob).hexdigest()
    assert dataclasses.replace(held, path=model, sha256=read.sha256, blob=read.blob) == read
    assert network_of(loaded, manifest).sha256 == held.sha256


def test_what_it_says_of_itself_comes_first(loaded: onnx.ModelProto, manifest: Manifest) -> None:
    half = network_of(narrow(loaded), manifest)
    assert (half.precision, half.manifest.precision) == ("fp16", "fp16")
    assert (half.input.dtype, half.output.dtype) == ("float16", "float16")


def test_it_need_not_say_anything(loaded: onnx.ModelProto, manifest: Manifest) -> None:
    del loaded.metadata_props[:]
    assert network_of(loaded, manifest).manifest == manifest
    with pytest.raises(ModelError, match=r"gives .* by its manifest"):
        network_of(loaded, dataclasses.replace(manifest, scale=4))


def test_damage_is_noticed(loaded: onnx.ModelProto, manifest: Manifest) -> None:
    weights = bytearray(loaded.graph.initializer[0].raw_data)
    weights[1] ^= 8
    loaded.graph.initializer[0].raw_data = bytes(weights)
    with pytest.raises(ModelError, match="the weights in model are not those"):
        network_of(loaded, manifest)
    loaded.graph.initializer[0].raw_data = bytes(weights[:-4])
    with pytest.raises(ModelError, match=r"model cannot be built: .* has .* bytes of data"):
        network_of(loaded, manifest)


def test_unknown_operators_are_refused(loaded: onnx.ModelProto, manifest: Manifest) -> None:
    loaded.graph.node[0].op_type = "Frobnicate"
    with pytest.raises(ModelError, match="Frobnicate"):
        network_of(loaded, manifest)
