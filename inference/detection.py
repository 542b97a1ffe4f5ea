"""What the manifest of a detector must say: whoever detects with one asks here."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from errors import UserError
from inference.manifest import DetectorProfile, Labels, Manifest, Normalisation, Tensor

FAMILY = "detector"
"""Of every detector: what differs between them is in the profile. The manifest's ``model`` is its name."""


class DetectorModel(NamedTuple):
    """How a picture becomes the graph's input, what its outputs mean, and what its classes are.

    ``normalisation`` None: the graph takes values of 0..255.
    """

    profile: DetectorProfile
    labels: Labels
    normalisation: Normalisation | None
    input: Tensor
    outputs: tuple[Tensor, ...]

    def arguments(self) -> dict[str, Any]:
        """What :class:`models.detection.exported.ExportedDetector` is made of."""
        return msgspec.structs.asdict(self.profile) | {
            "classes": len(self.labels.names),
            "means": self.normalisation.means if self.normalisation else None,
            "stds": self.normalisation.stds if self.normalisation else None,
            "dtype": self.input.dtype,
            "given": {tensor.name: tensor.shape for tensor in self.outputs},
        }


def describe(folder: str | Path, manifest: Manifest) -> DetectorModel:
    """What is needed of ``manifest`` to find objects with the model in ``folder``.

    The graph takes one picture, [1, 3, H, W] or [1, H, W, 3], float32 or (without a normalisation) uint8. Whether its
    outputs fit the decoding says :class:`models.detection.exported.ExportedDetector`.

    Raises:
        UserError: the model is of another kind.
    """

    def wrong(what: str) -> UserError:
        return UserError(f"{folder}: {what}; give the folder of a detector")

    profile, labels, normalisation = manifest.detector, manifest.labels, manifest.normalisation
    if profile is None:
        raise wrong(f"is a model of family {manifest.family!r}, its manifest has no detector profile")
    if labels is None:
        raise wrong("its manifest has no labels: nobody knows what its classes are called")
    if normalisation is not None and len(normalisation.means) != 3:
        raise wrong(f"it normalises {len(normalisation.means)} channels, a picture has 3")
    (picture, *others) = manifest.inputs
    if others:
        raise wrong(f"takes {', '.join(map(str, manifest.inputs))}, not one picture")
    size = (3, profile.height, profile.width) if profile.layout == "nchw" else (profile.height, profile.width, 3)
    expected = (1, *size)
    if len(picture.shape) != 4 or any(
        isinstance(found, int) and found != want for found, want in zip(picture.shape, expected, strict=True)
    ):
        raise wrong(f"takes {picture}, not {list(expected)} as its detector profile says")
    if picture.dtype not in ("float32", "uint8") or (picture.dtype == "uint8" and normalisation is not None):
        raise wrong(f"takes {picture}, not float32, or uint8 without a normalisation")
    return DetectorModel(profile, labels, normalisation, picture, manifest.outputs)


def class_colors(count: int) -> tuple[tuple[int, int, int], ...]:
    """RGB colours for :class:`~inference.manifest.Labels`, told apart whatever their number: hues a golden section
    apart."""
    hues = [(0.61803399 * i) % 1 for i in range(count)]
    return tuple(
        (round(255 * r), round(255 * g), round(255 * b))
        for r, g, b in (colorsys.hsv_to_rgb(hue, 0.75, 1.0) for hue in hues)
    )
