"""A model's manifest: the schema of ``metadata_props``, which only this module defines."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from restore_rt.errors import InputError, ModelError

if TYPE_CHECKING:
    import onnx

__all__ = [
    "CHROMA",
    "COLOURS",
    "CONTENTS",
    "MOST_SCALE",
    "PRECISIONS",
    "SCHEMA",
    "TASKS",
    "Manifest",
    "check_expected",
    "check_intact",
    "parameter_count",
    "read_manifest",
    "weights_sha256",
    "write_manifest",
]

SCHEMA = 1
TASKS = ("upscale", "repair", "inpaint", "enhance")
CONTENTS = ("photo", "comic", "video")
COLOURS = ("rgb", "luma")
# Networks that restore no frames, but the chroma beside a luma network.
CHROMA = "chroma"
PRECISIONS = ("fp32", "fp16", "int8")
MOST_SCALE = 8

_PREFIX = "restore_rt."


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The description that travels in a model file.

    Attributes
    ----------
    schema
        Version of this schema.
    name, version
        The model's name, as ``restore_rt.load`` takes it, and its version.
    task
        One of ``TASKS``.
    content
        The kind of pictures that the model was trained for, one of ``CONTENTS``.
    scale
        Output size over input size, 1 to 8.
    colour
        ``"rgb"`` (three channels in and out), ``"luma"`` (one), or ``"chroma"``: 16 channels in,
        which ``restore_rt._ext.chroma_inputs_into`` makes of 4:2:0 planes, and Cb and Cr out, less
        grey. Sizes are those of the chroma planes.
    value_range
        Sample values of black and white at the network's input and output.
    halo
        Distance in input pixels over which the network looks, measured on export.
    multiple
        Height and width of the input must be multiples of this.
    tile
        Recommended height and width of a tile, in input pixels.
    precision
        One of ``PRECISIONS``: the type of the weights.
    sha256
        Checksum of the weights, see ``weights_sha256``.
    trained_on, licence
        Training material with its credits, and the licences of that material.
    recipe
        The training recipe (TOML).
    metrics
        Figures measured on validation images, by name.
    checksum
        SHA-256 of the graph without its weights, and of the manifest; computed by
        ``write_manifest``. Empty, and not checked, in files of former versions.
    """

    name: str
    version: str
    task: str
    content: str
    scale: int
    colour: str
    halo: int
    tile: tuple[int, int]
    sha256: str
    trained_on: str
    licence: str
    recipe: str
    schema: int = SCHEMA
    value_range: tuple[float, float] = (0.0, 1.0)
    multiple: int = 1
    precision: str = "fp32"
    metrics: dict[str, float] = field(default_factory=dict)
    checksum: str = ""

    def __post_init__(self) -> None:
        """Refuse values that the runtime does not support."""
        _check_schema(self.schema)
        for key in ("name", "version", "licence"):
            if not getattr(self, key).strip():
                raise ModelError(f"manifest {key} is {getattr(self, key)!r}; it must say something")
        if "/" in self.name or "\\" in self.name:
            raise ModelError(
                f"manifest name is {self.name!r}; it must be a name without / and \\, like photo-x2"
            )
        for key, allowed in (
            ("task", TASKS),
            ("content", CONTENTS),
            ("colour", (*COLOURS, CHROMA)),
            ("precision", PRECISIONS),
        ):
            if getattr(self, key) not in allowed:
                raise ModelError(
                    f"manifest {key} is {getattr(self, key)!r}; allowed are {', '.join(allowed)}"
                )
        for key, low, high in (
            ("scale", 1, MOST_SCALE),
            ("halo", 0, 4096),
            ("multiple", 1, 1024),
        ):
            if not low <= getattr(self, key) <= high:
                raise ModelError(
                    f"manifest {key} is {getattr(self, key)}; allowed are {low} to {high}"
                )
        if any(side < 1 or side % self.multiple for side in self.tile):
            raise ModelError(
                f"manifest tile is {self.tile}; both sides must be positive multiples of "
                f"{self.multiple}"
            )
        black, white = self.value_range
        if not (math.isfinite(black) and math.isfinite(white) and black < white):
            raise ModelError(
                f"manifest value_range is {self.value_range}; it must be two finite numbers, "
                "black below white"
            )

    @property
    def channels(self) -> int:
        """Channels of the network's input, and of its output unless it is for chroma."""
        return {"rgb": 3, "luma": 1}.get(self.colour, 16)


def _check_schema(schema: int) -> None:
    if schema != SCHEMA:
        raise ModelError(
            f"manifest schema is {schema}; this version of restore_rt reads {SCHEMA}: "
            f"{'upgrade restore_rt' if schema > SCHEMA else 'export the model again'}"
        )


def weights_sha256(model: onnx.ModelProto) -> str:
    """Return the SHA-256 of a model's weights: names, types, shapes and values, ordered by name."""
    from onnx import numpy_helper

    digest = hashlib.sha256()
    for tensor in sorted(model.graph.initializer, key=lambda tensor: tensor.name):
        values = numpy_helper.to_array(tensor)
        digest.update(f"{tensor.name}:{values.dtype.str}:{values.shape}:".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def parameter_count(model: onnx.ModelProto) -> int:
    """Return the number of a model's weights."""
    return sum(math.prod(tensor.dims) for tensor in model.graph.initializer)


def _checksum(model: onnx.ModelProto, manifest: Manifest) -> str:
    """Return the SHA-256 of the graph without weights and of the manifest."""
    graph = model.graph
    digest = hashlib.sha256()
    for part in (model.opset_import, graph.input, graph.output, graph.node, model.functions):
        for item in part:
            data = item.SerializeToString(deterministic=True)
            digest.update(f"{len(data)}:".encode() + data)
    for key, text in _texts(dataclasses.replace(manifest, checksum="")).items():
        digest.update(f"{key}:{len(text)}:{text}".encode())
    return digest.hexdigest()


def check_expected(
    manifest: Manifest, path: Path, *, scale: int | None, colour: str | None
) -> None:
    """Refuse a ``scale`` or ``colour`` that is not None and contradicts the manifest of a file.

    Raises
    ------
    InputError
        A value contradicts the manifest.
    """
    for key, given in (("scale", scale), ("colour", colour)):
        if given is not None and given != getattr(manifest, key):
            raise InputError(
                f"{key} is {given!r}, but the manifest in {path} has {getattr(manifest, key)!r}; "
                f"leave {key} out"
            )


def check_intact(model: onnx.ModelProto, manifest: Manifest, path: Path) -> None:
    """Refuse a model, read from `path`, that does not match its manifest's checksums.

    Raises
    ------
    ModelError
        The file is damaged or was changed.
    """
    parts = [("weights", manifest.sha256, weights_sha256(model))]
    if manifest.checksum:
        parts.append(("graph or description", manifest.checksum, _checksum(model, manifest)))
    for what, named, found in parts:
        if named != found:
            raise ModelError(
                f"the {what} in {path} are not those that its manifest names: the file is damaged "
                "or was changed; get it again"
            )


def _texts(manifest: Manifest) -> dict[str, str]:
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in dataclasses.asdict(manifest).items()
    }


def write_manifest(model: onnx.ModelProto, manifest: Manifest) -> Manifest:
    """Write ``manifest`` with its checksum to ``model.metadata_props``, replacing any other.

    Returns
    -------
    Manifest
        The manifest with its checksum.
    """
    # As they are read again: 0 and 0.0 are written differently.
    black, white = manifest.value_range
    manifest = dataclasses.replace(manifest, value_range=(float(black), float(white)))
    manifest = dataclasses.replace(manifest, checksum=_checksum(model, manifest))
    kept = [prop for prop in model.metadata_props if not prop.key.startswith(_PREFIX)]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    for key, text in _texts(manifest).items():
        model.metadata_props.add(key=_PREFIX + key, value=text)
    return manifest


def read_manifest(model: onnx.ModelProto) -> Manifest | None:
    """Read a model's manifest.

    Returns
    -------
    Manifest or None
        ``None`` if the model has no manifest.

    Raises
    ------
    ModelError
        The manifest lacks a field, or a field has a wrong type or value.
    """
    texts = {
        prop.key[len(_PREFIX) :]: prop.value
        for prop in model.metadata_props
        if prop.key.startswith(_PREFIX)
    }
    if not texts:
        return None
    hints = get_type_hints(Manifest)
    # Before all else: another schema may have other fields.
    _check_schema(_parse("schema", texts.get("schema", "0"), int))
    required = {
        item.name
        for item in dataclasses.fields(Manifest)
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    }
    missing = sorted(required - texts.keys())
    if missing:
        raise ModelError(f"the manifest lacks {', '.join(missing)}; export the model again")
    values = {key: _parse(key, texts[key], hints[key]) for key in hints if key in texts}
    return Manifest(**values)


def _parse(key: str, text: str, hint: Any) -> Any:
    if hint is str:
        return text
    try:
        value = json.loads(text)
        if hint is int:
            if type(value) is not int:
                raise ValueError
            return value
        if hint == dict[str, float]:
            figures = {str(name): float(figure) for name, figure in value.items()}
            if not all(map(math.isfinite, figures.values())):
                raise ValueError
            return figures
        kinds = get_args(hint)
        numbers = (int,) if kinds[0] is int else (int, float)
        if len(value) != len(kinds) or not all(type(item) in numbers for item in value):
            raise ValueError
        return tuple(kind(item) for kind, item in zip(kinds, value, strict=True))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise ModelError(
            f"manifest {key} is {text[:200]!r}, which is not {getattr(hint, '__name__', hint)}; "
            "export the model again"
        ) from None
