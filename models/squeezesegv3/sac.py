"""Spatially-adaptive convolution (SqueezeSegV3: Xu et al., ECCV 2020, Sec. 4): a convolution whose inputs are weighed,
per pixel, by an attention map that is computed from the points' coordinates.

    y = Σ_k  M_k · (A_k ⊙ x shifted by k) + b,        A = σ(BN(conv₇ₓ₇(xyz)))                            (Eq. 4)

The paper's variants differ in what A tells apart beside pixels: nothing (S), input channels (IS), the kernel's nine
positions (SK), or both (ISK). Where A does not know positions it weighs the input, before the convolution (Sec. 4.3).

Written as that formula, training is bound by memory: the maps have 9·C channels, and each of batch norm, sigmoid,
product and their gradients passes over them. Three things are done differently here, with the same result:

- Batch norm. The 7×7 convolution is linear in the patches of xyz, which are data, so mean and variance of its output
  follow from the mean and covariance of the patches, and the norm folds into the weights even in training.
- The convolution over 3 channels is a matrix product with the patches, which all blocks of one width share. Patches
  need no gradient.
- The nine positions are taken one by one, each small enough for the cache, and the gradient keeps A alone.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Sac = Literal["none", "s", "is", "sk", "isk"]
VARIANTS: tuple[Sac, ...] = get_args(Sac)
UNFOLDING: tuple[Sac, ...] = ("sk", "isk")
"""Whose attention knows kernel positions, so that it meets the unfolded input. The others need no patches."""
POSITIONS = 9  # of a 3×3 kernel
_KERNEL = 7  # of the attention's convolution
_PATCH = 3 * _KERNEL**2
_PADDED_PATCH = 160  # the next multiple of 32, which matrix units like; the first of the rest is 1, for the bias


class Coordinates(NamedTuple):
    """xyz of a range image at one width, as the attention of all its blocks needs it.

    ``xyz`` [B, 3, H, W]. In training also ``patches`` [B·H·W, 160]: the 7×7 surroundings of each pixel in the order
    (row, column, channel), zero outside the image, then 1, then zeros, in the number format that the network computes
    in (torch.autocast); and in that of ``xyz`` their mean [147] and covariance [147, 147].
    """

    xyz: Tensor
    patches: Tensor | None = None
    mean: Tensor | None = None
    covariance: Tensor | None = None


def coordinates(xyz: Tensor, *, training: bool, synchronised: bool = False) -> Coordinates:
    """``xyz`` [B, 3, H, W] normalised coordinates, with their patches and statistics where ``training`` needs them.

    ``synchronised``: the statistics are those of all processes' images, as :class:`torch.nn.SyncBatchNorm` has them.
    """
    if not training:
        return Coordinates(xyz)
    dtype = xyz.dtype
    if torch.is_autocast_enabled(xyz.device.type):
        dtype = torch.get_autocast_dtype(xyz.device.type)
    with torch.no_grad(), torch.autocast(xyz.device.type, enabled=False):
        batch, channels, height, width = xyz.shape
        pad = _KERNEL // 2
        padded = F.pad(xyz, (pad, pad, pad, pad)).permute(0, 2, 3, 1).contiguous()
        windows = padded.unfold(1, _KERNEL, 1).unfold(2, _KERNEL, 1)  # [B, H, W, 3, 7, 7]
        patches = xyz.new_zeros((batch * height * width, _PADDED_PATCH))
        inside = patches[:, :_PATCH].view(batch, height, width, _KERNEL, _KERNEL, channels)
        inside.copy_(windows.permute(0, 1, 2, 4, 5, 3))
        patches[:, _PATCH] = 1
        moments = patches[:, : _PATCH + 1].t() @ patches[:, : _PATCH + 1] / len(patches)
        if synchronised:
            torch.distributed.all_reduce(moments)
            moments /= torch.distributed.get_world_size()
        mean = moments[-1, :-1]
        covariance = moments[:-1, :-1] - torch.outer(mean, mean)
    return Coordinates(xyz, patches.to(dtype), mean, covariance)


class _Mixed(torch.autograd.Function):
    """``Σ_k (σ(patches · attention_k) ⊙ shifted_k) · mix_k``, position by position."""

    @staticmethod
    def forward(ctx: Any, patches: Tensor, attention: Tensor, padded: Tensor, mix: Tensor) -> Tensor:
        """``patches`` [P, 160], ``attention`` [9, 160, C or 1], ``padded`` [B, H+2, W+2, C], ``mix`` [9, C, C'] →
        [P, C']."""
        batch, height, width, channels = padded.shape
        height, width = height - 2, width - 2
        weights = torch.empty((POSITIONS, len(patches), attention.shape[2]), dtype=padded.dtype, device=padded.device)
        weighted = torch.empty((batch, height, width, POSITIONS, channels), dtype=padded.dtype, device=padded.device)
        for k in range(POSITIONS):
            torch.mm(patches, attention[k], out=weights[k]).sigmoid_()
            map_k = weights[k].view(batch, height, width, -1)
            torch.mul(_shifted(padded, k), map_k, out=weighted[:, :, :, k])
        ctx.save_for_backward(patches, weights, padded, mix)
        return weighted.view(len(patches), -1) @ mix.reshape(-1, mix.shape[2])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, Tensor]:
        patches, weights, padded, mix = ctx.saved_tensors
        batch, height, width, channels = padded.shape
        shape = (batch, height - 2, width - 2, channels)
        grad_padded = torch.zeros_like(padded)
        grad_attention = torch.empty(
            (POSITIONS, patches.shape[1], weights.shape[2]), dtype=patches.dtype, device=patches.device
        )
        grad_mix = torch.empty_like(mix)
        grad_weighted = torch.empty((len(patches), channels), dtype=gradient.dtype, device=gradient.device)
        product = torch.empty_like(grad_weighted)
        for k in range(POSITIONS):
            shifted, map_k = _shifted(padded, k), weights[k].view(*shape[:3], -1)
            torch.mul(shifted, map_k, out=product.view(shape))
            torch.mm(product.t(), gradient, out=grad_mix[k])
            torch.mm(gradient, mix[k].t(), out=grad_weighted)
            torch.mul(grad_weighted.view(shape), map_k, out=product.view(shape))
            _shifted(grad_padded, k).add_(product.view(shape))
            grad_weighted.view(shape).mul_(shifted)
            grad_map = grad_weighted if map_k.shape[3] > 1 else grad_weighted.sum(1, keepdim=True)
            grad_logit = torch.ops.aten.sigmoid_backward(grad_map, weights[k])
            torch.mm(patches.t(), grad_logit, out=grad_attention[k])
        return None, grad_attention, grad_padded, grad_mix


def _shifted(padded: Tensor, k: int) -> Tensor:
    """The neighbour at kernel position ``k`` of each pixel: a view [B, H, W, C] of ``padded`` [B, H+2, W+2, C]."""
    row, column = divmod(k, 3)
    return padded[:, row : padded.shape[1] - 2 + row, column : padded.shape[2] - 2 + column]


class SACBlock(nn.Module):
    """Spatially-adaptive convolution, batch norm, ReLU; a 3×3 convolution, batch norm, ReLU; and the input added.

    Parameters have the names and the order (``c·9 + k``) of the authors' release, whose block is SAC-ISK.

    Args:
        channels: of the feature, in and out.
        sac: what the attention tells apart beside pixels: ``isk`` input channels and kernel positions, ``sk``, ``is``,
            ``s``, or ``none``: no attention, a plain 3×3 convolution (the paper's baseline).
    """

    def __init__(self, channels: int, sac: Sac = "isk") -> None:
        super().__init__()
        if sac not in VARIANTS:
            raise ValueError(f"sac={sac!r}: there are {', '.join(VARIANTS)}")
        self.channels, self.sac = channels, sac
        if sac != "none":
            maps = {"s": 1, "is": channels, "sk": POSITIONS, "isk": POSITIONS * channels}[sac]
            conv = nn.Conv2d(3, maps, _KERNEL, padding=_KERNEL // 2)
            self.attention_x = nn.Sequential(conv, nn.BatchNorm2d(maps))
        first = (
            nn.Conv2d(POSITIONS * channels, channels, 1)
            if self.unfolds
            else nn.Conv2d(channels, channels, 3, padding=1)
        )
        self.position_mlp_2 = nn.Sequential(
            first,
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    @property
    def unfolds(self) -> bool:
        """Whether the attention knows kernel positions."""
        return self.sac in UNFOLDING

    def forward(self, at: Coordinates, feature: Tensor) -> Tensor:
        """``feature`` [B, C, H, W] and the coordinates of its pixels → [B, C, H, W]."""
        if at.patches is not None and self.unfolds:
            mixed = self._mixed(at, feature)
        else:
            mixed = self.position_mlp_2[0](self._weighted(at, feature))
        for layer in self.position_mlp_2[1:]:
            mixed = layer(mixed)
        return mixed + feature

    def _weighted(self, at: Coordinates, feature: Tensor) -> Tensor:
        """What the first convolution takes, as the formula says it: the (unfolded) input times the attention map."""
        if self.sac == "none":
            return feature
        attention = torch.sigmoid(self.attention_x(at.xyz))
        if not self.unfolds:
            return feature * attention
        batch, channels, height, width = feature.shape
        unfolded = F.unfold(feature, 3, padding=1).view(batch, channels, POSITIONS, height, width)
        return (unfolded * attention.view(batch, -1, POSITIONS, height, width)).flatten(1, 2)

    def _mixed(self, at: Coordinates, feature: Tensor) -> Tensor:
        """The same after the 1×1 convolution, position by position: what training runs."""
        dtype = at.patches.dtype
        batch, channels, height, width = feature.shape
        mix = self.position_mlp_2[0]
        positions_first = mix.weight.view(channels, channels, POSITIONS).permute(2, 1, 0)
        padded = F.pad(feature, (1, 1, 1, 1)).permute(0, 2, 3, 1)
        attention = self._folded_attention(at)
        mixed = _Mixed.apply(
            at.patches,
            attention.to(dtype),
            padded.to(dtype).contiguous(),
            positions_first.to(dtype).contiguous(),
        )
        return mixed.view(batch, height, width, channels).permute(0, 3, 1, 2) + mix.bias.to(dtype).view(-1, 1, 1)

    def _folded_attention(self, at: Coordinates) -> Tensor:
        """Weights [9, 160, C or 1] such that ``patches @ weights[k]`` is the attention's logits, batch norm included.

        The statistics of the batch are those of the patches, seen through the weights: ``Wμ + b`` and ``diag(WΣWᵀ)``.
        """
        conv, norm = self.attention_x
        with torch.autocast(at.xyz.device.type, enabled=False):
            rows = conv.weight.permute(0, 2, 3, 1).reshape(len(conv.weight), -1)
            mean = rows @ at.mean + conv.bias
            variance = ((rows @ at.covariance) * rows).sum(1)
            if norm.training:
                count = len(at.patches)
                with torch.no_grad():
                    norm.num_batches_tracked += 1
                    norm.running_mean.lerp_(mean, norm.momentum)
                    norm.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
            else:
                mean, variance = norm.running_mean, norm.running_var
            scale = norm.weight / torch.sqrt(variance + norm.eps)
            bias = (conv.bias - mean) * scale + norm.bias
            folded = torch.cat([rows * scale[:, None], bias[:, None]], dim=1)
            folded = F.pad(folded, (0, _PADDED_PATCH - folded.shape[1]))
            return folded.view(-1, POSITIONS, _PADDED_PATCH).permute(1, 2, 0).contiguous()
