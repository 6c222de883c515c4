"""Training of the small feature network: patches are degraded and turned, and it tells how."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn import functional as F

from restore_rt import __version__
from restore_rt.errors import InputError, RestoreError
from restore_rt.files import check_target
from restore_rt.training.data.grouping import hold_out
from restore_rt.training.data.pictures import Library, PictureFile, survey
from restore_rt.training.features.networks import (
    TURNS,
    FeatureNet,
    keep_features,
    safetensors,
)
from restore_rt.training.precision import Precision

__all__ = ["CLASSES", "KINDS", "PATCH", "draw_patch", "feature_loss", "train_features"]

U8 = NDArray[np.uint8]
ByFolder = Mapping[str, Sequence[PictureFile]]

PATCH = 64
# On each side of a patch, degraded with it and cut off, so that borders and the grid of JPEG
# blocks tell nothing.
MARGIN = 8
# For each kind, from what to what its strength goes: slight, middling and strong. Blur in pixels
# of standard deviation, noise in steps of 8 bit, JPEG in quality, reduction in times.
KINDS: dict[str, tuple[tuple[float, float], ...]] = {
    "blur": ((0.6, 1.0), (1.0, 1.8), (1.8, 3.0)),
    "noise": ((3, 7), (7, 14), (14, 30)),
    "jpeg": ((75, 92), (45, 75), (12, 45)),
    "reduce": ((1.3, 1.7), (1.7, 2.5), (2.5, 4.0)),
}
CLASSES: tuple[str, ...] = (
    "none",
    *(f"{kind} {number}" for kind, spans in KINDS.items() for number in range(1, len(spans) + 1)),
)
# One picture in so many is kept for the figures at the end.
HOLDOUT = 8
HELD_OUT_BATCHES, HELD_OUT_BATCH = 32, 32
# A patch flatter than this, in steps of 8 bit of standard deviation, teaches nothing.
FLAT = 4.0
LOG_EVERY = 100


def train_features(
    data: Path,
    out: Path,
    *,
    folders: Sequence[str],
    steps: int,
    seed: int = 0,
    batch: int = 64,
    rate: float = 2e-3,
    precision: str = "mixed",
    device: str = "auto",
    trained_on: str = "",
    licence: str = "",
    overwrite: bool = False,
    say: Callable[[str], None] = print,
) -> dict[str, float]:
    """Train a `FeatureNet` and write it to a file that `load_features` reads.

    The file says how it was made: version, folders, pictures, steps, seed, batch, rate, classes,
    accuracy, and what the caller says of the pictures.

    Parameters
    ----------
    data
        The folder that holds `folders`.
    out
        The ``.safetensors`` file to write; it appears whole or not at all. If it cannot be written
        after the training, the network is kept elsewhere, and the error says where.
    folders
        Folders of pictures, each of which gives as many patches as the others.
    steps
        How many batches, at least 1.
    seed
        The same seed gives the same network on the same machine.
    batch
        Patches in a batch, at least 1.
    rate
        The highest learning rate: it rises at first and falls to the end, as in Smith and Topin,
        "Super-Convergence", 2017 (arXiv 1708.07120).
    precision, device
        As `restore_rt.training.precision.Precision` takes them.
    trained_on, licence
        The pictures with their credits, and the licences of these.
    overwrite
        An existing file may be replaced.
    say
        Takes one line of progress.

    Returns
    -------
    dict[str, float]
        The share, 0 to 1, of patches of held-out pictures that it judges rightly: ``degradation``
        (kind and strength), ``kind`` (kind alone), ``rotation``.

    Raises
    ------
    InputError
        If a parameter is not allowed, safetensors is not installed, or the pictures cannot be
        used.
    OutputError
        If the file cannot be written.
    RestoreError
        If the loss is no longer a number.
    """
    if min(steps, batch) < 1 or not 0 < rate < math.inf:
        raise InputError(
            f"steps is {steps}, batch {batch}, rate {rate}; steps and batch must be at least 1, "
            "rate above 0 and finite"
        )
    if not folders:
        raise InputError("no folders are named; name at least one folder of pictures")
    if out.suffix != ".safetensors":
        raise InputError(f"the output is {str(out)!r}; its name must end in .safetensors")
    safetensors()
    check_target(out, overwrite=overwrite)
    compute = Precision(precision, device)
    files = survey(data, folders, smallest=PATCH + 2 * MARGIN, say=say)
    used, kept = (_by_folder(part) for part in hold_out(files, HOLDOUT, say=say))
    held = sum(map(len, kept.values()))
    say(f"{len(files) - held} pictures to train on, {held} held out")
    torch.manual_seed(seed)
    network = FeatureNet(degradations=len(CLASSES))
    network = network.to(compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    adam = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, rate, total_steps=steps + 1)
    rng, library = np.random.default_rng([seed, 0]), Library()
    losses: list[float] = []
    for step in range(1, steps + 1):
        patches, labels = _batch(used, library, rng, batch, compute.device)
        adam.zero_grad()
        with compute.autocast():
            logits = network(patches)
        loss = feature_loss(logits, labels)
        if not math.isfinite(loss.item()):
            raise RestoreError(
                f"step {step}: the loss is {loss.item()}; lower the rate, which is {rate}"
            )
        compute.backward(loss, adam)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        compute.step(adam)
        schedule.step()
        losses.append(loss.item())
        if step % LOG_EVERY == 0 or step == steps:
            say(f"step {step}/{steps}  loss {np.mean(losses[-LOG_EVERY:]):.4f}")
    accuracy = _accuracy(network.eval(), kept, library, np.random.default_rng([seed, 1]))
    say("  ".join(f"{name} {value:.1%}" for name, value in accuracy.items()) + "  on held-out ones")
    origin = {
        "made_by": f"restore-rt train-features {__version__}",
        "folders": [*folders],
        "pictures": len(files),
        "trained_on": trained_on or "not stated",
        "licence": licence or "not stated",
        "steps": steps,
        "seed": seed,
        "batch": batch,
        "rate": rate,
        "classes": [*CLASSES],
        "accuracy": accuracy,
    }
    keep_features(network, out, origin, overwrite=overwrite)
    return accuracy


def _by_folder(files: Sequence[PictureFile]) -> ByFolder:
    folders = sorted({file.folder for file in files})
    return {name: [file for file in files if file.folder == name] for name in folders}


def feature_loss(logits: tuple[Tensor, Tensor], labels: tuple[Tensor, Tensor]) -> Tensor:
    """Sum the cross-entropies of both heads.

    `logits` are a `FeatureNet`'s, (N, degradations) and (N, 4), `labels` the classes, twice (N,)
    int64.
    """
    pairs = zip(logits, labels, strict=True)
    degradation, rotation = (F.cross_entropy(guess.float(), label) for guess, label in pairs)
    return degradation + rotation


def draw_patch(picture: U8, rng: np.random.Generator) -> tuple[U8, int, int]:
    """Cut a patch out of (H, W, 3) 8-bit RGB, at least 80x80, turn it and degrade it.

    Returns the patch (64, 64, 3), the degradation's index in `CLASSES`, and by how many quarters it
    was turned, 0 to 3.
    """
    side = PATCH + 2 * MARGIN
    for _ in range(8):
        top, left = (int(rng.integers(size - side + 1)) for size in picture.shape[:2])
        patch = picture[top : top + side, left : left + side]
        if patch.std() >= FLAT:
            break
    turns = int(rng.integers(TURNS))
    # Turned first: what a degradation leaves behind must not tell how it lay.
    patch = np.ascontiguousarray(np.rot90(patch, turns))
    kind = int(rng.integers(len(KINDS) + 1))
    degradation = 0
    if kind:
        name, spans = [*KINDS.items()][kind - 1]
        level = int(rng.integers(len(spans)))
        patch = _degrade(patch, name, rng.uniform(*spans[level]), rng)
        degradation = CLASSES.index(f"{name} {level + 1}")
    top, left = (int(v) for v in rng.integers(2 * MARGIN + 1, size=2))
    return patch[top : top + PATCH, left : left + PATCH], degradation, turns


def _degrade(patch: U8, kind: str, strength: float, rng: np.random.Generator) -> U8:
    if kind == "noise":
        noisy = patch + rng.normal(0, strength, patch.shape)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    image = Image.fromarray(patch)
    if kind == "blur":
        image = image.filter(ImageFilter.GaussianBlur(strength))
    elif kind == "jpeg":
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=round(strength))
        image = Image.open(buffer)
    else:
        small = tuple(round(size / strength) for size in image.size)
        ways = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
        down, up = (ways[int(i)] for i in rng.integers(len(ways), size=2))
        image = image.resize((small[0], small[1]), down).resize(image.size, up)
    return np.array(image)


def _batch(
    files: ByFolder,
    library: Library,
    rng: np.random.Generator,
    size: int,
    device: torch.device,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    folders = [*files.values()]
    drawn = []
    for _ in range(size):
        inside = folders[int(rng.integers(len(folders)))]
        frames = library(inside[int(rng.integers(len(inside)))])
        # Of a clip the middle; a picture has one frame.
        drawn.append(draw_patch(frames[len(frames) // 2], rng))
    patches = torch.from_numpy(np.stack([patch for patch, _, _ in drawn]))
    # Permuted, batches of pictures are in the channels-last format already.
    x = patches.to(device).permute(0, 3, 1, 2).float().div_(255)
    labels = torch.tensor([[degradation, turns] for _, degradation, turns in drawn])
    labels = labels.to(device)
    return x, (labels[:, 0], labels[:, 1])


@torch.no_grad()
def _accuracy(
    network: FeatureNet, files: ByFolder, library: Library, rng: np.random.Generator
) -> dict[str, float]:
    device = network.mean.device
    kind_of = torch.tensor([0, *(i for i, spans in enumerate(KINDS.values(), 1) for _ in spans)])
    kind_of = kind_of.to(device)
    right = torch.zeros(3)
    for _ in range(HELD_OUT_BATCHES):
        patches, (degradation, turns) = _batch(files, library, rng, HELD_OUT_BATCH, device)
        guess, guessed_turns = (logits.argmax(1) for logits in network(patches))
        right[0] += (guess == degradation).sum().item()
        right[1] += (kind_of[guess] == kind_of[degradation]).sum().item()
        right[2] += (guessed_turns == turns).sum().item()
    shares = (right / (HELD_OUT_BATCHES * HELD_OUT_BATCH)).tolist()
    return dict(zip(("degradation", "kind", "rotation"), shares, strict=True))
