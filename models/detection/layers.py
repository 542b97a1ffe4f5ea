"""The convolution that necks and heads are made of."""

from __future__ import annotations

from torch import nn

GROUP_CHANNELS = 8
"""Channels that group normalisation takes together: 32 groups of 256, as Wu and He (ECCV 2018) have them."""

NORMS = ("none", "batch", "group")


def convolution(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int] = 3,
    *,
    stride: int = 1,
    dilation: int = 1,
    norm: str = "batch",
    relu: bool = True,
) -> nn.Sequential:
    """Convolution, normalisation, ReLU: [N, inputs, H, W] → [N, outputs, ⌈H/stride⌉, ⌈W/stride⌉].

    Args:
        inputs: channels.
        outputs: channels; of ``group`` a multiple of :data:`GROUP_CHANNELS`.
        kernel: side, or height and width; odd.
        stride: in cells of the input.
        dilation: cells from one of the kernel's weights to the next.
        norm: one of :data:`NORMS`; the convolution has a bias only with ``none``.
        relu: whether it ends in one.

    Raises:
        ValueError: no such normalisation, or channels that make no whole groups.
    """
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = dilation * (height // 2), dilation * (width // 2)
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, (height, width), stride, padding, dilation, bias=norm == "none")
    ]
    if norm == "batch":
        layers.append(nn.BatchNorm2d(outputs))
    elif norm == "group":
        layers.append(group_norm(outputs))
    elif norm != "none":
        raise ValueError(f"norm is {norm!r}, not one of {', '.join(NORMS)}")
    if relu:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def group_norm(channels: int) -> nn.GroupNorm:
    """Normalisation over groups of :data:`GROUP_CHANNELS`.

    Raises:
        ValueError: not a multiple.
    """
    if channels % GROUP_CHANNELS:
        raise ValueError(f"{channels} channels make no whole groups of {GROUP_CHANNELS}")
    return nn.GroupNorm(channels // GROUP_CHANNELS, channels)


def initialise(module: nn.Module) -> None:
    """Give every convolution of a part that is trained anew He et al.'s (ICCV 2015) normal weights, and no bias."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
