"""BC-GNN for export: the graph, inputs to prove it on, and what a difference costs in proposals.

The graph takes the snippet features of a window, ``features`` [N, D, l_w] float32, and gives the probabilities
``start`` and ``end`` [N, l_w] and ``content`` [N, l_w, l_w] float32, of the segment from location i to j and 0 where
these make none. What follows is :mod:`models.bcgnn.proposals` and :mod:`models.bcgnn.nms`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from errors import UserError
from export.families import FP32_RELATIVE, Arrays, Network, Request, Sample, scores_of
from formats.temporal.features import SUFFIXES, read_features
from inference.manifest import Manifest, Provenance, Tensor, WindowProfile
from models.bcgnn.nms import soft_nms
from models.bcgnn.proposals import fuse
from models.bcgnn.segments import location_times, temporal_iou
from models.bcgnn.windows import rescaled, sliding

if TYPE_CHECKING:
    from models.bcgnn.checkpoint import Checkpoint

INPUT = "features"
RANDOM_FEATURES = 400  # of a network without weights: two streams' scores of ActivityNet's 200 classes
_COMPARED = 100  # proposals of a window
_SIGMA = 0.4


class BCGNNFamily:
    """See :class:`export.families.Family`."""

    shipped = None
    outputs = ()
    keep_fp32: ClassVar = {}
    fp32_relative = FP32_RELATIVE
    least_alike: ClassVar = {"fp32": {}, "half": {"same_proposals": 0.95}}

    def __init__(self, length: int, max_duration: int) -> None:
        self.name = f"bcgnn-{length}"
        self._length, self._max_duration = length, max_duration

    def load(self, request: Request) -> Network:
        """See :class:`export.families.Family`."""
        from export.families.probabilities import Probabilities
        from export.weights import rounded

        if request.height is not None or request.width is not None:
            raise UserError(f"--size: {self.name} takes windows of {self._length} snippets; leave it out")
        checkpoint = self._random() if request.weights is None else self._read(request.weights)
        exact = checkpoint.restore().requires_grad_(False)
        return Network(
            Probabilities(exact).eval(),
            Probabilities(rounded(exact, request.storage)).eval(),
            self._manifest(checkpoint, request),
        )

    def _read(self, path: Path) -> Checkpoint:
        from models.bcgnn.checkpoint import load_checkpoint

        checkpoint = load_checkpoint(path)
        length, longest = checkpoint.arguments["length"], checkpoint.arguments["max_duration"]
        if (length, longest) != (self._length, self._max_duration):
            raise UserError(
                f"{path}: was trained on windows of {length} snippets with segments up to {longest}, {self.name} has "
                f"{self._length} and {self._max_duration}; give other weights, or export another model"
            )
        return checkpoint

    def _random(self) -> Checkpoint:
        import torch

        from models.bcgnn.checkpoint import Checkpoint
        from models.bcgnn.network import BCGNN

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = BCGNN(RANDOM_FEATURES, self._length, self._max_duration)
        return Checkpoint(
            arguments=network.arguments,
            step=0,
            network=network.state_dict(),
            style="rescaled" if self._max_duration == self._length - 1 else "sliding",
            step_s=None,
            trained_on="nothing: random weights",
        )

    def _manifest(self, checkpoint: Checkpoint, request: Request) -> Manifest:
        batch = request.batch.least if request.batch.is_fixed else "batch"
        length, channels = self._length, int(checkpoint.arguments["feature_dim"])
        weights = request.weights.read_bytes() if request.weights else b""
        return Manifest(
            family="bcgnn",
            model=self.name,
            inputs=(Tensor(name=INPUT, dtype="float32", shape=(batch, channels, length)),),
            outputs=(
                Tensor(name="start", dtype="float32", shape=(batch, length)),
                Tensor(name="end", dtype="float32", shape=(batch, length)),
                Tensor(name="content", dtype="float32", shape=(batch, length, length)),
            ),
            precision="fp32" if request.storage == "fp32" else f"{request.storage} weights",
            windows=WindowProfile(style=checkpoint.style, step_s=checkpoint.step_s),
            provenance=Provenance(
                trained_on=request.trained_on or checkpoint.trained_on,
                weights_sha256=hashlib.sha256(weights).hexdigest(),
            ),
        )

    def made_up(self, manifest: Manifest) -> list[Sample]:
        """See :class:`export.families.Family`."""
        actions = _actions(_channels(manifest), self._length)
        one = np.zeros_like(actions)
        one[:, self._length // 2] = actions[:, self._length // 2]
        windows = {
            "three actions": actions,
            "nothing": np.zeros_like(actions),
            "one snippet": one,
            "all alike": np.ones_like(actions),
            # Up to 10, twice the largest of real features. Products of edges and nodes grow with a high power of them:
            # at ten times as large a trained network's float32 is itself 1e-3 away from its float64.
            "four times as large": 4 * actions,
        }
        return [
            Sample(name, "made up" if name == "three actions" else "adversarial", {INPUT: window[None]})
            for name, window in windows.items()
        ]

    def real(self, manifest: Manifest, data: Path, count: int) -> list[Sample]:
        """``count`` videos of a folder of feature files (``.npy``, ``.csv``): the middle window of long ones."""
        files = sorted(file for file in data.iterdir() if file.suffix.lower() in SUFFIXES)
        if not files:
            raise UserError(f"{data}: no feature files ({', '.join(SUFFIXES)}); give a folder with one per video")
        picked = [files[i * len(files) // min(count, len(files))] for i in range(min(count, len(files)))]
        samples = []
        for file in picked:
            features = read_features(file, _channels(manifest))
            if manifest.windows is not None and manifest.windows.style == "rescaled":
                window = rescaled(features, self._length)
            else:
                windows = sliding(features, self._length)[1]
                window = windows[len(windows) // 2]
            samples.append(Sample(file.stem, "videos", {INPUT: window[None]}))
        return samples

    def by_value(self, manifest: Manifest) -> Sequence[str]:
        """See :class:`export.families.Family`."""
        return scores_of(manifest)

    def measure(
        self, manifest: Manifest, found: Sequence[Arrays], expected: Sequence[Arrays], samples: Sequence[Sample]
    ) -> dict[str, float]:
        """``same_proposals``: how much of the network's 100 best proposals of a window, after Soft-NMS, a stage's 100
        best cover: the mean of their best tIoU."""
        covered = [
            temporal_iou(theirs, ours).max(axis=1).mean()
            for ours_by_name, theirs_by_name in zip(found, expected, strict=True)
            for ours, theirs in zip(_best(ours_by_name), _best(theirs_by_name), strict=True)
        ]
        return {"same_proposals": float(np.mean(covered))} if covered else {}


def _channels(manifest: Manifest) -> int:
    channels = manifest.inputs[0].shape[1]
    assert isinstance(channels, int)
    return channels


def _best(arrays: Arrays) -> list[np.ndarray]:
    """Of each window of a batch, [K, 2]: the best proposals."""
    best = []
    for start, end, content in zip(arrays["start"], arrays["end"], arrays["content"], strict=True):
        candidates = fuse(start, end, content, location_times(len(start), step_s=1.0))
        best.append(soft_nms(*candidates, sigma=_SIGMA, most=_COMPARED).segments_s)
    return best


def _actions(channels: int, length: int) -> np.ndarray:
    """Features of three actions on a changing ground, [D, l_w] float32: each sets every third channel while it lasts.

    A formula, so that every machine makes the same one: layers are compared on it.
    """
    t, channel = (np.arange(length) + 0.5) / length, np.arange(channels)
    ground = 1 + np.sin(2 * np.pi * ((1 + channel[:, None] % 7) * t + channel[:, None] / 11))
    for i, (start, end) in enumerate(((0.08, 0.2), (0.3, 0.62), (0.7, 0.94))):
        ground += 3 * ((channel[:, None] % 3 == i) & (t >= start) & (t < end))
    return (ground / 2).astype(np.float32)
