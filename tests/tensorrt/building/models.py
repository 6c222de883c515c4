"""Model files to build engines from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import onnx

from restore_rt.export.half import to_half
from restore_rt.model.manifest import read_manifest, weights_sha256, write_manifest

Change = Callable[[onnx.ModelProto], object]


def half_of(model: onnx.ModelProto, *, float_io: bool = True) -> onnx.ModelProto:
    """Return the network in fp16, with float32 in and out or float16."""
    return described(to_half(model, float_io=float_io), precision="fp16", of=model)


def described(
    model: onnx.ModelProto, *, precision: str | None = None, of: onnx.ModelProto | None = None
) -> onnx.ModelProto:
    """Write a manifest that fits the weights as they are now, made from that of another model."""
    manifest = read_manifest(of or model)
    assert manifest is not None
    precision = precision or manifest.precision
    checksum = weights_sha256(model)
    write_manifest(model, dataclasses.replace(manifest, precision=precision, sha256=checksum))
    return model


def altered(source: Path, target: Path, change: Change) -> Path:
    """Write a changed copy of a model, whose checksum is right."""
    model = onnx.load(source)
    change(model)
    onnx.save(described(model), target)
    return target
