"""SqueezeSegV3 rewritten for inference: same weights, same function, less memory traffic.

Batch norm is folded into the convolution before it, and the side heads are gone. Where the attention knows kernel
positions (SAC-SK, SAC-ISK) these are accumulated one after the other,

    mixed = Σ_k  W_k · (x shifted by k ⊙ sigmoid(A_k(xyz))),

which is the unfold, product and 1×1 convolution of :class:`models.squeezesegv3.sac.SACBlock` without ever storing
anything of 9·C channels. Equal to the network up to the rounding of sums (relative difference about 1e-6).

The first convolution stays as precise as float32 where the graph is computed in bfloat16, as it is in training.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.squeezesegv3.network import SqueezeSegV3
from models.squeezesegv3.sac import POSITIONS, Coordinates, SACBlock


def inference_form(network: SqueezeSegV3) -> SqueezeSegV3:
    """A copy of ``network`` for inference, in evaluation mode. It cannot be trained and has no side heads."""
    network = copy.deepcopy(network).eval()
    for i in range(1, 5):
        delattr(network, f"segmentation_head{i}")
    with torch.no_grad():
        _rewrite(network)
        network.backbone.conv1 = SplitConvolution(network.backbone.conv1)
    return network.requires_grad_(False)


def _rewrite(module: nn.Module) -> None:
    convolution = None
    for name, child in list(module.named_children()):
        if isinstance(child, SACBlock):
            setattr(module, name, AccumulatedSACBlock(child) if child.unfolds else FoldedSACBlock(child))
        elif isinstance(child, nn.BatchNorm2d):
            conv_name, conv = convolution
            transposed = isinstance(conv, nn.ConvTranspose2d)
            setattr(module, conv_name, fuse_conv_bn_eval(conv, child, transpose=transposed))
            setattr(module, name, nn.Identity())
        elif isinstance(child, nn.Conv2d | nn.ConvTranspose2d):
            convolution = name, child
        else:
            _rewrite(child)


class SplitConvolution(nn.Module):
    """A convolution whose inputs and weights are split into two parts each that bfloat16 can say:

        w · x = (hi(w) + lo(w)) · (coarse(x) + fine(x))

    ``hi`` rounds to bfloat16, ``coarse`` cuts to sixteenths, which bfloat16 holds up to 16: ten deviations of any
    channel of a normalised range image. Matrix units add up in float32, so all that is lost is the rounding of the
    small parts: an error of about 2⁻¹⁴, not 2⁻⁹. Four times the channels cost nothing where five are padded to 32.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        high = conv.weight.bfloat16().to(conv.weight.dtype)
        low = conv.weight - high
        self.conv = _convolution(torch.cat([high, high, low, low], dim=1), conv.bias, conv.padding)

    def forward(self, image: Tensor) -> Tensor:
        coarse = torch.floor(image * 16) / 16
        fine = image - coarse
        return self.conv(torch.cat([coarse, fine, coarse, fine], dim=1))


class FoldedSACBlock(SACBlock):
    """A trained SAC block whose attention, where it has any, weighs the input before a 3×3 convolution."""

    def __init__(self, block: SACBlock) -> None:
        nn.Module.__init__(self)
        self.sac = block.sac
        if block.sac != "none":
            self.attention = fuse_conv_bn_eval(*block.attention_x)
        self.mix = fuse_conv_bn_eval(*block.position_mlp_2[:2])
        self.conv = fuse_conv_bn_eval(*block.position_mlp_2[3:5])

    def forward(self, at: Coordinates, feature: Tensor) -> Tensor:
        return F.relu(self.conv(F.relu(self._mixed(at, feature)))) + feature

    def _mixed(self, at: Coordinates, feature: Tensor) -> Tensor:
        return self.mix(feature if self.sac == "none" else feature * torch.sigmoid(self.attention(at.xyz)))


class AccumulatedSACBlock(FoldedSACBlock):
    """A trained SAC block whose attention knows kernel positions, which are accumulated one after the other."""

    def __init__(self, block: SACBlock) -> None:
        super().__init__(block)
        self.attention = nn.ModuleList(_part(self.attention, slice(k, None, 9), slice(None)) for k in range(POSITIONS))
        self.mix = nn.ModuleList(_part(self.mix, slice(None), slice(k, None, 9)) for k in range(POSITIONS))
        for part in self.mix[1:]:
            part.bias = None

    def _mixed(self, at: Coordinates, feature: Tensor) -> Tensor:
        height, width = feature.shape[2:]
        padded = F.pad(feature, (1, 1, 1, 1))
        mixed = None
        for k, (attention, mix) in enumerate(zip(self.attention, self.mix, strict=True)):
            row, column = divmod(k, 3)
            shifted = padded[:, :, row : row + height, column : column + width]
            part = mix(shifted * torch.sigmoid(attention(at.xyz)))
            mixed = part if mixed is None else mixed + part
        return mixed


def _part(conv: nn.Conv2d, outputs: slice, inputs: slice) -> nn.Conv2d:
    """The convolution's restriction to some of its output and input channels."""
    return _convolution(conv.weight[outputs, inputs], conv.bias[outputs], conv.padding)


def _convolution(weight: Tensor, bias: Tensor, padding: tuple[int, int]) -> nn.Conv2d:
    """A convolution with copies of these, where they are."""
    outputs, inputs, *kernel = weight.shape
    conv = nn.Conv2d(inputs, outputs, kernel, padding=padding, device=weight.device, dtype=weight.dtype)
    conv.weight.copy_(weight)
    conv.bias.copy_(bias)
    return conv
