"""Third-party checkpoints, loaded into our networks or by spandrel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from restore_rt.errors import InputError
from restore_rt.export.foreign.kinds import seems_state
from restore_rt.export.foreign.layouts import TITLES, Layout, recognise
from restore_rt.export.foreign.through_spandrel import SpandrelError, load_with_spandrel
from restore_rt.export.foreign.weightfile import states_of
from restore_rt.export.sources import Source
from restore_rt.model.manifest import CONTENTS, MOST_SCALE
from restore_rt.training.networks import build

__all__ = ["describe"]

_TILE = 256
_UNKNOWN = "unknown"


def describe(
    weights: Mapping[Any, Any],
    path: Path,
    *,
    name: str | None = None,
    content: str | None = None,
    licence: str | None = None,
) -> Source:
    """Make a source of what `read_content` gave: a network told by its weights alone.

    RRDBNet and SRVGGNetCompact become networks of ours; others are left to spandrel, if it is
    installed. The model's `name` is by default that of the file, `content` (one of
    `restore_rt.model.manifest.CONTENTS`) ``"photo"``, and the weights' `licence` ``"unknown"``.

    Raises `InputError` if nothing knows the network; the message says what it seems to be.
    """
    name = path.stem if name is None else name
    content = "photo" if content is None else content
    licence = _UNKNOWN if licence is None else licence
    # Before the work that an export is.
    if not name.strip() or "/" in name or "\\" in name:
        raise InputError(f"name is {name!r}; it must be one without / and \\, like anime-x4")
    if content not in CONTENTS:
        raise InputError(f"content is {content!r}; allowed are {', '.join(CONTENTS)}")
    if not licence.strip():
        raise InputError(f"licence is {licence!r}; give its name, or leave it out")
    network, scale, colour, tile = _find_network(states_of(weights, path), path)
    return Source(
        path=path,
        network=network,
        scale=scale,
        colour=colour,
        name=name,
        version=_UNKNOWN,
        task="upscale" if scale > 1 else "repair",
        content=content,
        tile=(tile, tile),
        trained_on=_UNKNOWN,
        licence=licence,
    )


def _find_network(states: list[dict[str, Tensor]], path: Path) -> tuple[nn.Module, int, str, int]:
    """Return the network with its weights, scale, colour and tile side."""
    try:
        for state in states:
            layout = recognise(state)
            if layout is not None:
                return _fill(layout), layout.scale, layout.colour, _TILE
    except InputError as error:
        raise InputError(f"{path} cannot be exported: {error}") from None
    try:
        taken = load_with_spandrel(states)
        if not 1 <= taken.scale <= MOST_SCALE:
            raise SpandrelError(
                f"knows it as {taken.title}, which enlarges {taken.scale} times; allowed are 1 to "
                f"{MOST_SCALE}"
            )
    except SpandrelError as error:
        seems, known = seems_state(states[0]), ", ".join(TITLES.values())
        raise InputError(
            f"{path} seems to be {seems.what}: {seems.fix} (tried: a checkpoint of restore-rt, "
            f"{known}, and spandrel, which {error})"
        ) from error
    tile = -(-max(_TILE, taken.minimum) // taken.multiple) * taken.multiple
    return taken.network, taken.scale, "rgb" if taken.channels == 3 else "luma", tile


def _fill(layout: Layout) -> nn.Module:
    network = build(layout.name, scale=layout.scale, colour=layout.colour, **layout.params).eval()
    wanted = network.state_dict()
    for name in {**wanted, **layout.weights}:
        ours, theirs = wanted.get(name), layout.weights.get(name)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            shapes = [None if each is None else tuple(each.shape) for each in (theirs, ours)]
            raise InputError(
                f"it looks like {TITLES[layout.name]} with {layout.params}, but the weights that "
                f"are {name!r} in ours have the shape {shapes[0]} in place of {shapes[1]}"
            )
    network.load_state_dict(layout.weights)
    return network
