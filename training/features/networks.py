"""Networks whose features a perceptual loss compares: a small one of our own, and VGG-19."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from restore_rt.errors import InputError, OutputError
from restore_rt.files import whole_file
from restore_rt.training.needed import needed
from restore_rt.training.networks.layers import conv3x3

__all__ = [
    "DEFAULT",
    "FeatureNet",
    "Features",
    "Vgg19",
    "keep_features",
    "load_features",
    "safetensors",
    "save_features",
]

# The weights that ship.
DEFAULT = Path(__file__).with_name("features.safetensors")
TURNS = 4


class Features(nn.Module):
    """Blocks of 3x3 convolutions with ReLU, with a pooling after each block but the last.

    `blocks` has, for each block, the channels of its convolutions. `mean` is taken off the colours
    of 0 to 1, which are then divided by `std`. `pool` is ``"average"`` or ``"max"``, over 2x2
    pixels.
    """

    def __init__(
        self,
        blocks: Sequence[Sequence[int]],
        *,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        pool: str,
    ) -> None:
        super().__init__()
        self.layers: tuple[str, ...] = tuple(
            f"conv{block}_{number}"
            for block, widths in enumerate(blocks, 1)
            for number, _ in enumerate(widths, 1)
        )
        inputs = 3
        for name, width in zip(self.layers, (w for widths in blocks for w in widths), strict=True):
            self.add_module(name, conv3x3(inputs, width))
            inputs = width
        self.pool = F.avg_pool2d if pool == "average" else F.max_pool2d
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def features(self, x: Tensor, layer: str) -> Tensor:
        """Compute what a convolution gives, before its ReLU: (N, width, h, w).

        Takes pictures (N, 3, H, W), or grey ones (N, 1, H, W), of 0 to 1, and one of `layers`,
        ``conv<block>_<number>``. Each pooling before the layer halves height and width, rounded
        down.

        Raises `InputError` if there is no such layer, or the pictures are too small for it or have
        two channels.
        """
        if layer not in self.layers:
            raise InputError(f"layer is {layer!r}; allowed are {', '.join(self.layers)}")
        smallest = 2 ** (int(layer[4]) - 1)
        if x.shape[1] not in (1, 3) or min(x.shape[2:]) < smallest:
            raise InputError(
                f"pictures are {tuple(x.shape)}; features at {layer} need 1 or 3 channels and at "
                f"least {smallest}x{smallest} pixels"
            )
        x = (x - self.mean) / self.std
        for name in self.layers[: self.layers.index(layer)]:
            x = torch.relu(self.get_submodule(name)(x))
            following = self.layers[self.layers.index(name) + 1]
            if following[4] != name[4]:
                x = self.pool(x, 2)
        return self.get_submodule(layer)(x)  # type: ignore[no-any-return]


class FeatureNet(Features):
    """A small network that learns features by telling what was done to a patch.

    It is laid out as the first four blocks of VGG are (Simonyan and Zisserman, 2014, arXiv
    1409.1556), but narrower, and averages where that takes the maximum, as Gatys et al., 2015
    (arXiv 1508.06576), found better. Two heads serve the training alone: which degradation the
    patch has, and by how many quarters it was turned (Gidaris et al., "Unsupervised Representation
    Learning by Predicting Image Rotations", 2018, arXiv 1803.07728).

    Parameters
    ----------
    degradations
        How many there are to tell apart.
    """

    def __init__(self, *, degradations: int) -> None:
        super().__init__(
            [(32, 32), (64, 64), (128, 128), (128, 128)],
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
            pool="average",
        )
        self.degradation = nn.Linear(128, degradations)
        self.rotation = nn.Linear(128, TURNS)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Judge patches (N, 3, H, W): logits (N, degradations) and (N, 4) for quarter turns."""
        pooled = torch.relu(self.features(x, self.layers[-1])).mean((2, 3))
        return self.degradation(pooled), self.rotation(pooled)


class Vgg19(Features):
    """The convolutions of VGG-19 (Simonyan and Zisserman, 2014, arXiv 1409.1556)."""

    def __init__(self) -> None:
        super().__init__(
            [(64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4],
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            pool="max",
        )


def load_features(path: str | Path) -> FeatureNet | Vgg19:
    """Load a feature network, fixed and in evaluation mode; no code in the file is run.

    The file has weights of VGG-19 in torchvision's layout (``features.0.weight`` ..), as
    ``.safetensors`` or by PyTorch; or weights of a `FeatureNet`, from `save_features`.

    Raises `InputError` if it cannot be read, or a tensor is missing or has the wrong shape.
    """
    path = Path(path)
    weights = _read(path)
    network: FeatureNet | Vgg19
    if any(name.startswith("features.") for name in weights):
        network = Vgg19()
        renamed = _torchvision_names(network.layers)
    elif "degradation.bias" in weights:
        network = FeatureNet(degradations=weights["degradation.bias"].numel())
        renamed = {name: name for name in network.state_dict()}
    else:
        raise InputError(
            f"{path} has no weights of a feature network; it needs VGG-19 in torchvision's layout, "
            "with a tensor 'features.0.weight', or a network of this package's feature training"
        )
    state = {}
    for name, wanted in network.state_dict().items():
        found = weights.get(renamed[name])
        if found is None or found.shape != wanted.shape:
            what = "is missing" if found is None else f"has the shape {tuple(found.shape)}"
            raise InputError(
                f"{path}: tensor {renamed[name]!r} {what}; a {type(network).__name__} needs it "
                f"with the shape {tuple(wanted.shape)}"
            )
        if not torch.isfinite(found).all():
            raise InputError(f"{path}: tensor {renamed[name]!r} has values that are not finite")
        state[name] = found.float()
    network.load_state_dict(state)
    return network.requires_grad_(False).eval()


def save_features(
    network: FeatureNet,
    path: Path,
    origin: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
) -> None:
    """Write a network's weights to a ``.safetensors`` file, as float16, whole or not at all.

    `origin` says, in what JSON holds, how it was made; it goes to the file's header as
    ``restore_rt``.

    Raises `OutputError` if the file cannot be written, `InputError` if it exists and may not be
    replaced.
    """
    tensors = {
        name: value.detach().cpu().half().contiguous()
        for name, value in network.state_dict().items()
    }
    # One entry, as safetensors keeps several in no order.
    header = {"restore_rt": json.dumps(origin)} if origin else None
    with whole_file(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(safetensors().save(tensors, header))


def keep_features(
    network: FeatureNet, path: Path, origin: Mapping[str, Any], *, overwrite: bool = False
) -> None:
    """Write as `save_features` does or, where that fails, to the folder of temporary files.

    Raises `OutputError`, which says where the network is, if not at `path`.
    """
    try:
        save_features(network, path, origin, overwrite=overwrite)
    except (InputError, OutputError) as error:
        spare = Path(tempfile.mkdtemp(prefix="restore-rt-")) / path.name
        save_features(network, spare, origin)
        raise OutputError(f"{error}; the trained network is kept in {spare}") from error


def _read(path: Path) -> Mapping[str, Tensor]:
    """Read the tensors of a file by name."""
    content: object
    if not path.is_file():
        raise InputError(f"no file at {path}; name one with the weights of a feature network")
    try:
        if path.suffix == ".safetensors":
            content = safetensors().load(path.read_bytes())
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:
        # Both libraries raise many kinds for a damaged file.
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} cannot be read as weights: {detail}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}; it must hold tensors by name")
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _torchvision_names(layers: Sequence[str]) -> dict[str, str]:
    """Give torchvision's names, which number convolutions, ReLUs and poolings in one sequence."""
    names, index = {}, 0
    for layer, following in zip(layers, [*layers[1:], layers[-1]], strict=True):
        for kind in ("weight", "bias"):
            names[f"{layer}.{kind}"] = f"features.{index}.{kind}"
        index += 2 if following[4] == layer[4] else 3
    return names


def safetensors() -> ModuleType:
    """Import safetensors; `InputError` where it is missing."""
    return needed("safetensors.torch", "safetensors", "a file of kind .safetensors", extra="train")
