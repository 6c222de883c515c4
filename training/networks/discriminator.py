"""The network that learns to tell restored pictures from true ones."""

from __future__ import annotations

from torch import Tensor, nn

from restore_rt.errors import InputError

__all__ = ["Discriminator"]

SMALLEST = 32


class Discriminator(nn.Module):
    """Judges patches: convolutions that halve the size, down to a map of logits.

    Each logit sees 68x68 pixels, so that what is judged is texture, and pictures of any size will
    do, as in PatchGAN (Isola et al., "Image-to-Image Translation with Conditional Adversarial
    Networks", 2017, arXiv 1611.07004). Strides of 1 and 2 take turns as in SRGAN (Ledig et al.,
    2017, arXiv 1609.04802); the widths are c, c, 2c, 2c, 4c, 4c, 4c for a `size` of c, at least 1:
    what Neural Enhance calls ``discriminator-size``, though the layers that follow are others.
    Instance norm follows all convolutions but the first and the last, as in CycleGAN (Zhu et al.,
    2017, arXiv 1703.10593), so that a picture, of 3 `channels` or 1, is judged apart from the
    others of its batch.
    """

    def __init__(self, *, size: int, channels: int = 3) -> None:
        super().__init__()
        if size < 1 or channels not in (1, 3):
            raise InputError(
                f"size is {size}, channels {channels}; size must be at least 1, channels 1 or 3"
            )
        steps = [
            (channels, size, 3, 1),
            (size, size, 4, 2),
            (size, 2 * size, 3, 1),
            (2 * size, 2 * size, 4, 2),
            (2 * size, 4 * size, 3, 1),
            (4 * size, 4 * size, 4, 2),
            (4 * size, 4 * size, 3, 1),
        ]
        layers: list[nn.Module] = []
        for index, (inputs, outputs, kernel, stride) in enumerate(steps):
            conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=1)
            norm = [nn.InstanceNorm2d(outputs, affine=True)] if index else []
            layers += [conv, *norm, nn.LeakyReLU(0.2)]
        layers.append(nn.Conv2d(4 * size, 1, 3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Judge pictures (N, channels, H, W) of 0 to 1: logits (N, 1, H // 8, W // 8).

        Raises `InputError` if height or width is below 32.
        """
        if min(x.shape[2:]) < SMALLEST:
            raise InputError(
                f"pictures are {x.shape[2]}x{x.shape[3]}; a discriminator needs at least "
                f"{SMALLEST}x{SMALLEST}; use larger patches"
            )
        return self.layers(2 * x - 1)  # type: ignore[no-any-return]
