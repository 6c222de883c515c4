"""Files without a manifest: trial runs find the scale, the colour, the sizes and the reach."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from restore_rt.errors import ModelError
from restore_rt.model.adapting import free_batch, pad_and_crop, single_picture, take_floats
from restore_rt.model.interface import Interface, read_interface
from restore_rt.model.manifest import COLOURS, MOST_SCALE, Manifest, weights_sha256
from restore_rt.model.precision import precision_of, single
from restore_rt.model.reading import LoadedModel
from restore_rt.tiled.fit import CHANNELS, Fit, find_fit
from restore_rt.tiled.period import find_period
from restore_rt.tiled.probe import Probe, ProbeError
from restore_rt.tiled.reach import Reach, measure_reach
from restore_rt.tiled.sizes import round_up

if TYPE_CHECKING:
    import onnx

__all__ = ["adapt", "describe"]

# The halo of a deep plain network, and a safe tile.
_ASSUMED_HALO = 32
_ASSUMED_TILE = (256, 256)
_UNKNOWN = "unknown"
# Of a network that takes tiles of one size alone: what is measured on one picture may be too small.
_LEAST_HALO = 8

# Shifts after which a network that works on blocks of pixels does the same again.
_PERIODS = (1, 2, 4, 8, 16, 32)

# White of 8 bits, and how dark mid-grey is if white was taken to be another number.
_WHITE = 255.0
_TOO_DARK = 0.02
# By how much a picture's result may depend on how many are in the batch: fp16 rounds.
_SAME = 5e-3


def adapt(model: LoadedModel, threads: int) -> LoadedModel:
    """Make a network with a manifest take float32, and batches of any size.

    Raises
    ------
    BackendError
        ONNX Runtime is needed for a trial, and not installed.
    """
    network, interface, manifest = model.network, model.interface, model.manifest
    notes: list[str] = []
    if not interface.is_plain:
        network, interface = _in_floats(network, interface, (1.0, 1.0), notes)
    if interface.count not in (None, 1):
        height, width = manifest.tile
        shape = (manifest.channels, interface.height or height, interface.width or width)
        network, interface = _any_batch(network, interface, shape, threads, notes)
    return dataclasses.replace(
        model, original=network, network=network, interface=interface, notes=tuple(notes)
    )


def describe(
    network: onnx.ModelProto,
    path: Path,
    interface: Interface,
    *,
    scale: int | None = None,
    colour: str | None = None,
    threads: int = 1,
) -> LoadedModel:
    """Adapt a network without a manifest to the runtime, and describe it, by trial runs.

    A network with three channels is taken for RGB, one with a single channel for luma, and one
    that takes both for RGB. The number that height and width must be multiples of is found by
    trial too. Values are assumed to range from 0 to 1, and 0 to 255 in uint8: a network that turns
    mid-grey into hundreds is refused. What its result is too small by is padded. A network that
    looks at the whole frame is recognised.

    Parameters
    ----------
    network, path
        The network and the file that it was read from.
    interface
        The network's input and output, see ``read_interface``.
    scale, colour
        The values that the caller expects; None to find them.
    threads
        CPU threads to use.

    Raises
    ------
    ModelError
        The network does not restore pictures, or does not fit `scale` or `colour`.
    BackendError
        ONNX Runtime is not installed.
    """
    original = network
    notes: list[str] = []
    colours = _possible_colours(interface, path, colour)
    network, probe, found_colour, fit = _tried(
        network, path, interface, colours, scale, threads, notes
    )
    interface = read_interface(network, path)
    if scale not in (None, fit.scale):
        raise ModelError(
            f"{path} cannot be run as a model of scale {scale}: it enlarges {fit.scale} times; "
            "leave scale out"
        )
    channels = CHANNELS[found_colour]
    manifest = Manifest(
        name=path.stem,
        version=_UNKNOWN,
        task="upscale" if fit.scale > 1 else "repair",
        content="photo",
        scale=fit.scale,
        colour=found_colour,
        halo=_ASSUMED_HALO,
        multiple=fit.multiple,
        tile=_ASSUMED_TILE,
        precision=precision_of(network),
        sha256=weights_sha256(original),
        trained_on=_UNKNOWN,
        licence=_UNKNOWN,
        recipe="",
    )
    margin = max(-(-missing // (2 * fit.scale)) for missing in fit.missing)
    if any(fit.missing):
        network, interface = _padded(network, interface, fit, path, notes)
        probe = Probe(network, threads)
    if interface.count not in (None, 1):
        height, width = (own or 64 for own in (interface.height, interface.width))
        shape = (channels, height, width)
        network, interface = _any_batch(network, interface, shape, threads, notes)
        probe = Probe(network, threads)
    fixed = (interface.height, interface.width)
    try:
        reach = measure_reach(
            probe, channels=channels, scale=fit.scale, multiple=fit.multiple, fixed=fixed
        )
        if not reach.everywhere:
            manifest = _with_period(manifest, probe, fixed)
    except ProbeError as error:
        raise ModelError(f"{path} cannot be run on pictures of other sizes: {error}") from error
    tile_notes: list[str] = []
    if reach.everywhere:
        tile_notes.append(_of_whole_frames(manifest.name, fixed, reach))
    else:
        manifest = _with_halo(manifest, fixed, reach, margin, tile_notes)
    return LoadedModel(
        path,
        network,
        network,
        manifest,
        interface,
        whole=reach.everywhere,
        notes=tuple(notes),
        tile_notes=tuple(tile_notes),
    )


def _possible_colours(interface: Interface, path: Path, colour: str | None) -> list[str]:
    channels = interface.channels
    if interface.width in (1, 3) and channels not in (1, 3):
        raise ModelError(f"{path} takes channels last, (N, H, W, C); export it with (N, C, H, W)")
    if colour is not None:
        if channels not in (None, CHANNELS[colour]):
            raise ModelError(
                f"{path} takes {channels} channels, but is said to be {colour}, which has "
                f"{CHANNELS[colour]}"
            )
        return [colour]
    colours = [name for name in COLOURS if channels in (None, CHANNELS[name])]
    if not colours:
        raise ModelError(
            f"{path} takes {channels} channels; allowed are 3, which are RGB, and 1, which is luma"
        )
    return colours


def _tried(
    network: onnx.ModelProto,
    path: Path,
    interface: Interface,
    colours: list[str],
    scale: int | None,
    threads: int,
    notes: list[str],
) -> tuple[onnx.ModelProto, Probe, str, Fit]:
    """Return the network in float32, opened, with the colour and the fit that its trial found."""
    reasons = []
    for whites in _possible_whites(interface):
        said: list[str] = []
        plain, plain_interface = network, interface
        if not interface.is_plain:
            plain, plain_interface = _in_floats(network, interface, whites, said)
        try:
            probe = Probe(plain, threads)
        except ProbeError as error:
            reasons.append(str(error))
            continue
        for colour in colours:
            fit = find_fit(probe, plain_interface, colour, scale)
            if isinstance(fit, list):
                reasons += fit
            elif any(interface.has_integers) and abs(fit.grey) < _TOO_DARK:
                reasons.append(f"of mid-grey it makes {fit.grey:.4g}, which is nearly black")
            else:
                notes += said
                return plain, probe, colour, fit
    raise ModelError(
        f"{path} has no manifest, and a trial does not tell what it is: {reasons[0]}; a model "
        f"takes float32 (N, C, H, W) with C of 3 or 1, values 0 to 1, and gives the same 1 to "
        f"{MOST_SCALE} times as high and wide"
    )


def _possible_whites(interface: Interface) -> list[tuple[float, float]]:
    """Return which values white may have at input and output: 1, or that of 8 bits."""
    taken, given = interface.has_integers
    if taken and not given:
        return [(_WHITE, 1.0), (_WHITE, _WHITE)]
    if given and not taken:
        return [(1.0, _WHITE), (_WHITE, _WHITE)]
    return [(_WHITE, _WHITE) if taken else (1.0, 1.0)]


def _in_floats(
    network: onnx.ModelProto,
    interface: Interface,
    whites: tuple[float, float],
    notes: list[str],
) -> tuple[onnx.ModelProto, Interface]:
    """Return the network with float32 input and output."""
    notes.append(f"it {interface.types}: values are converted from and to float32")
    if whites != (1.0, 1.0):
        notes.append(
            f"white is taken to be {whites[0]:.0f} at its input and {whites[1]:.0f} at its output"
        )
    if interface.has_double:
        notes.append("its float64 is computed in float32")
        network = single(network)
    network = take_floats(network, whites)
    return network, dataclasses.replace(interface, kinds=Interface.plain_kinds())


def _padded(
    network: onnx.ModelProto, interface: Interface, fit: Fit, path: Path, notes: list[str]
) -> tuple[onnx.ModelProto, Interface]:
    """Return the network with its input padded, so that its result is as large as it should be."""
    margins, crops = [], []
    for missing in fit.missing:
        margin = -(-missing // (2 * fit.scale))
        # The network's own input keeps to its multiple.
        while 2 * margin % fit.multiple:
            margin += 1
        margins.append(margin)
        crops.append(fit.scale * margin - missing // 2)
    for side, margin in zip((interface.height, interface.width), margins, strict=True):
        if side is not None and side <= 2 * margin:
            raise ModelError(
                f"{path} takes {side} pixels along a side and leaves out {margin} at each end, so "
                "that nothing is left: export it with dynamic sizes"
            )
    rows, columns = fit.missing
    notes.append(
        f"its result is {columns} columns and {rows} rows smaller than {fit.scale} times its "
        "input: half is taken to be missing on each side, and pictures are padded with their edge"
    )
    network = pad_and_crop(network, (margins[0], margins[1]), (crops[0], crops[1]))
    return network, read_interface(network, path)


def _any_batch(
    network: onnx.ModelProto,
    interface: Interface,
    shape: tuple[int, int, int],
    threads: int,
    notes: list[str],
) -> tuple[onnx.ModelProto, Interface]:
    """Return a network of a fixed batch size as one that takes any, or as one that takes one."""
    count = interface.count
    assert count is not None
    freed = free_batch(network)
    pictures = np.random.default_rng(0).random((count, *shape), np.float32)
    try:
        together = Probe(network, threads).run(pictures)[-1:]
        alone = Probe(freed, threads).run(pictures[-1:])
    except ProbeError:
        same = False
    else:
        same = alone.shape == together.shape and np.allclose(alone, together, rtol=0, atol=_SAME)
    if same:
        notes.append(f"its batch size of {count} is ignored: other sizes give the same result")
        return freed, dataclasses.replace(interface, count=None)
    notes.append(
        f"it takes batches of {count} alone: each picture fills a batch, which makes it {count} "
        "times slower; export it with a dynamic batch size"
    )
    return single_picture(network, count), dataclasses.replace(interface, count=1)


def _of_whole_frames(name: str, fixed: tuple[int | None, int | None], reach: Reach) -> str:
    limits = [
        f"{side} pixels {name}"
        for side, name in zip(fixed, ("high", "wide"), strict=True)
        if side is not None
    ]
    sizes = f", up to {' and '.join(limits)}" if limits else ""
    return (
        f"{name} looks at the whole frame (what lies far away changes a result by up to "
        f"{reach.worst:.1f} of 255): it runs on whole frames{sizes}, without tiles"
    )


def _with_period(
    manifest: Manifest, probe: Probe, fixed: tuple[int | None, int | None]
) -> Manifest:
    """Return the manifest with the multiple of a network of a fixed size, where tiles begin."""
    height, width = fixed
    if height is None or width is None:
        return manifest
    candidates = [
        shift
        for shift in _PERIODS
        if not (height % shift or width % shift)
        and _largest_halo(min(height, width), shift) >= _LEAST_HALO
    ]
    period = find_period(
        probe,
        channels=manifest.channels,
        scale=manifest.scale,
        size=(height, width),
        candidates=candidates,
    )
    return dataclasses.replace(manifest, multiple=period)


def _largest_halo(side: int, multiple: int) -> int:
    """Return the largest halo for which tiles of a side have room."""
    # As in ``TileSizes.of``, where the overlap is rounded up to the multiple.
    return max(0, (side - 3 * _feather(side) - 3 * multiple + 1) // 2)


def _feather(side: int) -> int:
    return min(8, side // 8)


def _with_halo(
    manifest: Manifest,
    fixed: tuple[int | None, int | None],
    reach: Reach,
    margin: int,
    notes: list[str],
) -> Manifest:
    """Return the manifest with a halo that covers the reach, as far as tiles of a fixed size do."""
    needed = max(margin, reach.distance)
    halo = max(_ASSUMED_HALO, needed)
    sides = [side for side in fixed if side is not None]
    tile = manifest.tile
    if sides:
        own = min(sides)
        most = _largest_halo(own, manifest.multiple)
        if halo > most:
            halo = min(most, max(_LEAST_HALO, margin, 2 * reach.distance))
            overlap = round_up(2 * halo + _feather(own), manifest.multiple)
            notes.append(
                f"{manifest.name} takes tiles of {own} pixels alone: neighbours overlap by "
                f"{overlap}, and {halo} at each edge are discarded"
            )
        if needed > halo:
            notes.append(
                f"it looks {needed} pixels far, for which these tiles have no room: seams "
                "may show; export it with dynamic sizes"
            )
    elif halo > _ASSUMED_HALO:
        side = max(tile[0], -(-4 * halo // manifest.multiple) * manifest.multiple)
        tile = (side, side)
        notes.append(
            f"{manifest.name} looks {halo} pixels far, and so do its tiles of {side} pixels"
            + ("" if reach.ends else "; what it sees farther away counts less and is left out")
        )
    return dataclasses.replace(manifest, halo=halo, tile=tile)
