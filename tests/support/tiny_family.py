"""A model family that exports in a second: a few convolutions over an image, with labels that NumPy can tell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from errors import UserError
from export.families import Arrays, Network, Request, Sample, scores_of
from export.weights import rounded
from inference.manifest import Manifest, Provenance
from inference.manifest import Tensor as TensorDescription

NAME = "tiny"
INPUT = "image"


class TinyNetwork(nn.Module):
    """Image [N, 3, H, W] → ``scores`` [N, 5, H, W], and the best of each pixel, ``labels`` [N, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3, padding=1)
        self.second = nn.Conv2d(32, 32, 3, padding=1)
        self.third = nn.Conv2d(32, 32, 3, padding=1)
        self.head = nn.Conv2d(32, 5, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.relu(self.first(image))
        x = x + torch.relu(self.second(x))
        x = x + torch.relu(self.third(x))
        scores = self.head(x)
        return scores, scores.argmax(dim=1).to(torch.uint8)


class TinyFamily:
    """See :class:`export.families.Family`. Its checkpoint is a state dict; recordings are folders of ``.npy``."""

    name = NAME
    shipped = None
    outputs = ()
    keep_fp32: ClassVar = {}
    fp32_relative = 1e-4
    least_alike: ClassVar = {"fp32": {"same_label": 0.999}, "half": {"same_label": 0.995}}

    def load(self, request: Request) -> Network:
        torch.manual_seed(0)
        network = TinyNetwork().eval()
        if request.weights is not None:
            state = torch.load(request.weights, weights_only=True)
            if missing := sorted(set(network.state_dict()) - set(state)):
                raise UserError(f"{request.weights}: has no {', '.join(missing)}; give weights of {NAME}")
            network.load_state_dict(state)
        height, width = request.height or 16, request.width or 24
        if width % 2:
            raise UserError(f"--size {height}x{width}: the width must be even")
        batch = request.batch.least if request.batch.is_fixed else "batch"
        manifest = Manifest(
            family=NAME,
            model=NAME,
            inputs=(TensorDescription(name=INPUT, dtype="float32", shape=(batch, 3, height, width)),),
            outputs=(
                TensorDescription(name="scores", dtype="float32", shape=(batch, 5, height, width)),
                TensorDescription(name="labels", dtype="uint8", shape=(batch, height, width)),
            ),
            precision=f"{request.storage} weights",
            provenance=Provenance(trained_on="nothing", weights_sha256=""),
        )
        return Network(network, rounded(network, request.storage), manifest)

    def made_up(self, manifest: Manifest) -> list[Sample]:
        height, width = (int(size) for size in manifest.inputs[0].shape[2:] if not isinstance(size, str | None))
        smooth = np.sin(np.arange(3 * height * width, dtype=np.float32) / 7).reshape(1, 3, height, width)
        return [
            Sample("waves", "made up", {INPUT: smooth}),
            Sample("nothing", "adversarial", {INPUT: np.zeros_like(smooth)}),
        ]

    def real(self, manifest: Manifest, data: Path, count: int) -> list[Sample]:
        files = sorted(data.glob("*.npy"))[:count]
        if not files:
            raise UserError(f"{data}: no .npy files")
        return [Sample(file.name, "scans", {INPUT: np.load(file)}) for file in files]

    def by_value(self, manifest: Manifest) -> Sequence[str]:
        """See :class:`export.families.Family`."""
        return scores_of(manifest)

    def measure(
        self, manifest: Manifest, found: Sequence[Arrays], expected: Sequence[Arrays], samples: Sequence[Sample]
    ) -> dict[str, float]:
        same = [(a["labels"] == b["labels"]).mean() for a, b in zip(found, expected, strict=True)]
        return {"same_label": float(np.mean(same))}
