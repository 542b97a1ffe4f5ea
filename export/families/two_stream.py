"""The two-stream snippet encoder for export: the graph, snippets to prove it on, and what a difference costs.

The graph takes ``rgb`` [N, 3, h, w] and ``flow`` [N, 2·(frames − 1), h, w] as :mod:`models.two_stream.snippets` makes
them, and gives ``features`` [N, D], float32.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from errors import UserError
from export.families import FP32_RELATIVE, Arrays, Network, Request, Sample, scores_of
from formats import video
from formats.frames import list_files
from formats.images_in_time import ImagesInTime
from inference.manifest import Manifest, Provenance, SnippetProfile, Tensor
from inference.two_stream import FAMILY
from models.two_stream.snippets import FLOW_LIMIT_PX, FLOW_UNIT_PX, Snippet, Snippeter, SnippetSettings, network_inputs

if TYPE_CHECKING:
    from models.two_stream.checkpoint import Checkpoint

SHIPPED = Path(__file__).resolve().parent.parent.parent / "weights" / "two-stream"
RANDOM_CLASSES = 18


class TwoStreamFamily:
    """See :class:`export.families.Family`."""

    name = "two-stream"
    outputs = ()
    keep_fp32: ClassVar = {}
    fp32_relative = FP32_RELATIVE
    least_alike: ClassVar = {"fp32": {}, "half": {"least_cosine": 0.98}}

    def __init__(self) -> None:
        self.shipped = SHIPPED if SHIPPED.is_dir() else None

    def load(self, request: Request) -> Network:
        """See :class:`export.families.Family`."""
        from export.families.features import Features
        from export.weights import rounded
        from models.two_stream.checkpoint import load_checkpoint
        from models.two_stream.inference import inference_form

        if request.height is not None or request.width is not None:
            raise UserError(f"--size: {self.name} takes snippets of the size that it was trained on; leave it out")
        checkpoint = self._random() if request.weights is None else load_checkpoint(request.weights)
        exact = inference_form(checkpoint.restore())
        return Network(
            Features(exact).eval(),
            Features(rounded(exact, request.storage)).eval(),
            self._manifest(checkpoint, request),
        )

    def _random(self) -> Checkpoint:
        import torch

        from models.two_stream.checkpoint import Checkpoint
        from models.two_stream.network import TwoStream

        settings = SnippetSettings()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = TwoStream(settings.flow_channels, RANDOM_CLASSES)
        return Checkpoint(
            arguments=network.arguments,
            snippet=dataclasses.asdict(settings),
            step=0,
            network=network.state_dict(),
            label_names=tuple(f"class {i}" for i in range(RANDOM_CLASSES)),
            trained_on="nothing: random weights",
        )

    def _manifest(self, checkpoint: Checkpoint, request: Request) -> Manifest:
        batch = request.batch.least if request.batch.is_fixed else "batch"
        settings, dimension = checkpoint.settings, 2 * checkpoint.arguments["stream_dim"]
        size = (settings.height, settings.width)
        weights = request.weights.read_bytes() if request.weights else b""
        return Manifest(
            family=FAMILY,
            model=self.name,
            inputs=(
                Tensor(name="rgb", dtype="float32", shape=(batch, 3, *size)),
                Tensor(name="flow", dtype="float32", shape=(batch, settings.flow_channels, *size)),
            ),
            outputs=(Tensor(name="features", dtype="float32", shape=(batch, dimension)),),
            precision="fp32" if request.storage == "fp32" else f"{request.storage} weights",
            provenance=Provenance(
                trained_on=request.trained_on or checkpoint.trained_on,
                weights_sha256=hashlib.sha256(weights).hexdigest(),
            ),
            snippet=SnippetProfile(**checkpoint.snippet),
        )

    def made_up(self, manifest: Manifest) -> list[Sample]:
        """See :class:`export.families.Family`."""
        settings = _settings(manifest)
        rgb, flow = network_inputs(_moving_discs(settings))
        fastest = np.full_like(flow, FLOW_LIMIT_PX / FLOW_UNIT_PX)
        inputs = {
            "moving discs": (rgb, flow),
            "nothing": (np.zeros_like(rgb), np.zeros_like(flow)),
            "white, all at the limit of speed": (np.full_like(rgb, rgb.max()), fastest),
            "black, all at the limit of speed": (np.full_like(rgb, rgb.min()), -fastest),
        }
        return [
            Sample(name, "made up" if i == 0 else "adversarial", {"rgb": rgb[None], "flow": flow[None]})
            for i, (name, (rgb, flow)) in enumerate(inputs.items())
        ]

    def real(self, manifest: Manifest, data: Path, count: int) -> list[Sample]:
        """``count`` snippets of the videos in a folder: the first ones of each."""
        files = list_files(data, video.SUFFIXES)
        if not files:
            raise UserError(f"{data}: no videos ({', '.join(sorted(video.SUFFIXES))}); give a folder of some")
        each = -(-count // len(files))
        samples = [
            Sample(
                f"{file.name} at {snippet.start_s:g} s",
                "videos",
                {"rgb": snippet.rgb[None], "flow": snippet.flow[None]},
            )
            for file in files
            for snippet in islice(_snippets(file, _settings(manifest)), each)
        ]
        if not samples:
            raise UserError(f"{data}: its videos are all shorter than a snippet; give longer ones")
        return samples[:count]

    def by_value(self, manifest: Manifest) -> Sequence[str]:
        """See :class:`export.families.Family`."""
        return scores_of(manifest)

    def measure(
        self, manifest: Manifest, found: Sequence[Arrays], expected: Sequence[Arrays], samples: Sequence[Sample]
    ) -> dict[str, float]:
        """``least_cosine``: of the angle between a stage's features of a snippet and the network's."""
        pairs = [(ours["features"], theirs["features"]) for ours, theirs in zip(found, expected, strict=True)]
        cosines = [
            (a * b).sum(axis=1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-12)
            for a, b in pairs
        ]
        return {"least_cosine": float(np.concatenate(cosines).min())} if cosines else {}


def _settings(manifest: Manifest) -> SnippetSettings:
    profile = manifest.snippet
    assert profile is not None
    return SnippetSettings(
        snippet_s=profile.snippet_s, frames=profile.frames, height=profile.height, width=profile.width
    )


def _snippets(file: Path, settings: SnippetSettings) -> Iterator[Snippet]:
    snippeter = Snippeter(settings)
    for time_s, image in ImagesInTime(file):
        yield from snippeter.add(image, time_s)
    yield from snippeter.finish()


def _moving_discs(settings: SnippetSettings) -> list[np.ndarray]:
    """Samples, uint8 [h, w, 3], of three discs that move over a ground of waves.

    A formula, so that every machine makes the same ones: layers are compared on them.
    """
    height, width = settings.height, settings.width
    y, x = np.mgrid[:height, :width] / height
    images = []
    for k in range(settings.frames):
        picture = np.stack([0.4 + 0.15 * np.sin(9 * x + i) * np.cos(11 * y + 2 * i) for i in range(3)], axis=-1)
        for i, (at_x, at_y, speed) in enumerate(((0.3, 0.3, 0.03), (0.9, 0.6, -0.05), (1.3, 0.4, 0.01))):
            inside = (x - at_x - k * speed) ** 2 + (y - at_y - k * speed / 2) ** 2 < 0.02
            picture[inside] = 0.9 * np.roll((1.0, 0.4, 0.1), i)
        images.append((255 * picture).astype(np.uint8))
    return images
