from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import restore_rt
from restore_rt.errors import InputError, ModelError
from restore_rt.model.manifest import check_intact, read_manifest, weights_sha256, write_manifest
from tests.networks import MakeModel, nearest


def test_round_trip(make_model: MakeModel) -> None:
    path = make_model(nearest(3, 2), scale=2, metrics={"psnr": 33.25}, value_range=(0, 255))
    manifest = read_manifest(onnx.load(path))
    assert manifest is not None
    assert (manifest.scale, manifest.colour, manifest.channels) == (2, "rgb", 3)
    assert manifest.metrics == {"psnr": 33.25}
    assert manifest.value_range == (0.0, 255.0)
    assert manifest.tile == (64, 64)
    again = onnx.load(path)
    again.metadata_props.add(key="author", value="somebody")
    write_manifest(again, manifest)
    write_manifest(again, manifest)
    assert read_manifest(again) == manifest
    assert [prop.key for prop in again.metadata_props].count("author") == 1


def test_checksum_depends_on_the_weights_alone(make_model: MakeModel) -> None:
    model = onnx.load(make_model(nearest(1, 2), scale=2))
    before = weights_sha256(model)
    model.metadata_props.add(key="author", value="somebody")
    assert weights_sha256(model) == before
    weights = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weights[0] = np.nextafter(weights[0], np.float32(2))
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, "w0"))
    assert weights_sha256(model) != before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", "../x"),
        ("name", "x\\y"),
        ("version", ""),
        ("licence", ""),
        ("scale", 0),
        ("scale", 9),
        ("task", "dream"),
        ("content", "music"),
        ("colour", "cmyk"),
        ("precision", "fp64"),
        ("halo", -1),
        ("multiple", 0),
        ("tile", (0, 64)),
        ("value_range", (1.0, 0.0)),
        ("schema", 99),
    ],
)
def test_values_out_of_range_are_refused(make_model: MakeModel, field: str, value: Any) -> None:
    with pytest.raises(ModelError, match=field):
        make_model(nearest(1, 1), **{field: value})


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("scale", "two"),
        ("scale", "2.5"),
        ("tile", "[64]"),
        ("tile", '[64.5, "64"]'),
        ("metrics", "[1]"),
        ("halo", "true"),
    ],
)
def test_damaged_text_is_refused(make_model: MakeModel, key: str, text: str) -> None:
    model = onnx.load(make_model(nearest(1, 1)))
    for prop in model.metadata_props:
        if prop.key == f"restore_rt.{key}":
            prop.value = text
    with pytest.raises(ModelError, match=key):
        read_manifest(model)


def drop(model: onnx.ModelProto, field: str) -> None:
    kept = [prop for prop in model.metadata_props if prop.key != f"restore_rt.{field}"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)


def test_missing_field_is_named(make_model: MakeModel) -> None:
    model = onnx.load(make_model(nearest(1, 1)))
    drop(model, "halo")
    with pytest.raises(ModelError, match="halo"):
        read_manifest(model)


def test_newer_schema_asks_for_an_upgrade(make_model: MakeModel) -> None:
    model = onnx.load(make_model(nearest(1, 1)))
    drop(model, "recipe")
    for prop in model.metadata_props:
        if prop.key == "restore_rt.schema":
            prop.value = "2"
    with pytest.raises(ModelError, match=r"schema is 2.*upgrade restore_rt"):
        read_manifest(model)


def test_changed_weights_are_refused(make_model: MakeModel) -> None:
    path = make_model(nearest(1, 1))
    model = onnx.load(path)
    model.graph.initializer[0].CopyFrom(
        numpy_helper.from_array(np.full((1, 1, 1, 1), 2, np.float32), "w0")
    )
    onnx.save(model, path)
    with pytest.raises(ModelError, match="manifest"):
        restore_rt.load(path)


def test_a_file_without_a_manifest_is_what_the_caller_says(make_model: MakeModel) -> None:
    path = make_model(nearest(1, 2), scale=2, manifest=False)
    frame = np.arange(35, dtype=np.uint8).reshape(5, 7)
    with restore_rt.load(path, scale=2, colour="luma") as restorer:
        np.testing.assert_array_equal(restorer(frame), frame.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"scale": 4, "colour": "luma"}, ModelError, "scale 4"),
        ({"scale": 2, "colour": "rgb"}, ModelError, "takes 1 channels"),
        ({"scale": 9, "colour": "luma"}, InputError, "scale is 9"),
        ({"scale": 2, "colour": "cmyk"}, InputError, "cmyk"),
    ],
)
def test_wrong_word_of_the_caller_is_found_at_once(
    make_model: MakeModel, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    path = make_model(nearest(1, 2), scale=2, manifest=False)
    with pytest.raises(error, match=message):
        restore_rt.load(path, **options)


def test_contradicting_the_manifest_is_refused(make_model: MakeModel) -> None:
    path = make_model(nearest(1, 2), scale=2)
    with pytest.raises(InputError, match="scale"):
        restore_rt.load(path, scale=4)


def renamed(model: onnx.ModelProto) -> None:
    model.graph.node[-1].name = "other"


def rewired(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute[0].ints[0] += 1


def resized(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 64


def upgraded(model: onnx.ModelProto) -> None:
    model.opset_import[0].version += 1


def described(model: onnx.ModelProto) -> None:
    (halo,) = (prop for prop in model.metadata_props if prop.key == "restore_rt.halo")
    halo.value = "3"


@pytest.mark.parametrize("change", [renamed, rewired, resized, upgraded, described])
def test_what_was_changed_is_not_intact(
    make_model: MakeModel, change: Callable[[onnx.ModelProto], None]
) -> None:
    path = make_model(nearest(1, 1))
    model = onnx.load(path)
    manifest = read_manifest(model)
    assert manifest is not None
    check_intact(model, manifest, path)
    change(model)
    onnx.save(model, path)
    manifest = read_manifest(model)
    assert manifest is not None
    with pytest.raises(ModelError, match=r"the graph or description in .* are not those"):
        check_intact(model, manifest, path)
    with pytest.raises(ModelError, match="damaged or was changed"):
        restore_rt.load(path)


def test_a_file_of_a_version_without_checksum_loads(make_model: MakeModel) -> None:
    path = make_model(nearest(1, 1))
    model = onnx.load(path)
    drop(model, "checksum")
    onnx.save(model, path)
    with restore_rt.load(path) as restorer:
        assert restorer.manifest.checksum == ""
