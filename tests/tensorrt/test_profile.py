from __future__ import annotations

import dataclasses

import pytest

from restore_rt.errors import InputError
from restore_rt.model import registry as zoo
from restore_rt.model.manifest import Manifest
from restore_rt.tensorrt.profile import Profile, Shape


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("64x96", [(1, 64, 96)] * 3),
        ("2x64x96", [(2, 64, 96)] * 3),
        ("1x1:64x96:4x128x256", [(1, 1, 1), (1, 64, 96), (4, 128, 256)]),
        (" 8X8 : 8x8 : 16x8 ", [(1, 8, 8), (1, 8, 8), (1, 16, 8)]),
    ],
)
def test_shapes_are_read(text: str, shapes: list[tuple[int, int, int]]) -> None:
    profile = Profile.parse(text)
    assert [profile.min, profile.opt, profile.max] == shapes
    assert Profile.parse(str(profile)) == profile


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is no shape"),
        ("64", "'64' is no shape"),
        ("64x", "is no shape"),
        ("1x2x3x4", "is no shape"),
        ("-4x8", "is no shape"),
        ("6.5x8", "is no shape"),
        ("٣x8", "is no shape"),
        ("8x8:16x16", "with 2 shapes"),
        ("8x8:8x8:8x8:8x8", "with 4 shapes"),
        ("8x8::8x8", "'' is no shape"),
        ("0x8", "height is 0; allowed are 1"),
        ("0x8x8", "batch is 0; allowed are 1"),
        ("99999x8", "height is 99999; allowed are 1 to 65536"),
        ("8x999999999", "width is 999999999"),
        ("16x16:8x16:32x32", "min is 1x16x16 and its opt 1x8x16; height must not be less"),
        ("8x8:8x32:32x16", "opt is 1x8x32 and its max 1x32x16; width"),
        ("4x8x8:2x8x8:8x8x8", "batch must not be less in opt than in min"),
    ],
)
def test_other_texts_are_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Profile.parse(text)
    assert said in str(caught.value)


def test_numbers_of_other_types_are_refused() -> None:
    with pytest.raises(InputError, match="height is True"):
        Profile.of((1, True, 8))
    with pytest.raises(InputError, match=r"width is 8\.0"):
        Profile.of((1, 8, 8.0))  # type: ignore[arg-type]


def test_a_profile_is_frozen_and_compares_by_value() -> None:
    profile = Profile.parse("8x8")
    assert profile == Profile.of((1, 8, 8))
    assert len({profile, Profile.of((1, 8, 8))}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        profile.min = Shape(1, 1, 1)  # type: ignore[misc]


def test_what_it_takes() -> None:
    profile = Profile.parse("8x8:16x16:2x32x16")
    taken = [(1, 8, 8), (2, 32, 16), (1, 9, 11)]
    refused = [(3, 8, 8), (1, 7, 8), (1, 33, 16), (1, 32, 17)]
    assert all(profile.takes(Shape(*shape)) for shape in taken)
    assert not any(profile.takes(Shape(*shape)) for shape in refused)
    assert not profile.is_static
    assert Profile.parse("8x8").is_static


@pytest.mark.parametrize("manifest", zoo.models(), ids=lambda manifest: manifest.name)
def test_the_usual_profile_fits_its_model(manifest: Manifest) -> None:
    profile = Profile.usual(manifest)
    profile.check(manifest)
    assert profile.min == (1, manifest.multiple, manifest.multiple)
    assert profile.opt == profile.max == (1, *manifest.tile)


def test_sides_must_be_multiples_of_what_the_model_needs() -> None:
    manifest = dataclasses.replace(zoo.models()[0], multiple=4, tile=(8, 8))
    Profile.parse("4x8:8x8:16x12").check(manifest)
    with pytest.raises(InputError, match=r"opt is 1x8x6; .* multiples of 4"):
        Profile.parse("4x4:8x6:16x12").check(manifest)


def test_outputs_beyond_what_tensorrt_can_number_are_refused() -> None:
    manifest = dataclasses.replace(zoo.models()[0], scale=4, colour="rgb", multiple=1)
    Profile.parse("8x8:8x8:4096x8192").check(manifest)
    with pytest.raises(InputError, match="allowed are 2147483647"):
        Profile.parse("8x8:8x8:8192x8192").check(manifest)
