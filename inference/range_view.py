"""What the manifest of a range-view segmentation model must say: whoever labels scans with one asks here."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from errors import UserError
from inference.manifest import Labels, Manifest, Normalisation, SensorProfile

CHANNELS = 5  # range, x, y, z, remission


class RangeViewModel(NamedTuple):
    """How a scan becomes the graph's input, and what its classes are."""

    normalisation: Normalisation
    labels: Labels
    sensor: SensorProfile


def describe(folder: str | Path, manifest: Manifest) -> RangeViewModel:
    """What is needed of ``manifest`` to label scans with the model in ``folder``.

    The graph takes the normalised range image [1, 5, H, W] float32 and gives ``labels`` [1, H, W] or ``logits``
    [1, classes, H, W].

    Raises:
        UserError: the model is of another kind.
    """

    def wrong(what: str) -> UserError:
        return UserError(f"{folder}: {what}; give the folder of a range-view segmentation model")

    normalisation, labels, sensor = manifest.normalisation, manifest.labels, manifest.sensor
    if normalisation is None or labels is None or sensor is None:
        raise wrong("its manifest has no normalisation, no labels or no sensor")
    if len(normalisation.means) != CHANNELS:
        raise wrong(f"it normalises {len(normalisation.means)} channels, a range image has {CHANNELS}")
    if len(labels.names) > 256:
        raise wrong(f"it has {len(labels.names)} classes, a point's label holds 256")
    size = (sensor.height, sensor.width)
    if len(manifest.inputs) != 1 or manifest.inputs[0].dtype != "float32":
        raise wrong("it does not take one float32 image")
    if manifest.inputs[0].shape != (1, CHANNELS, *size):
        raise wrong(f"it takes {manifest.inputs[0]}, not [1, {CHANNELS}, {size[0]}, {size[1]}] as its sensor says")
    pixels, scores = manifest.output("labels"), manifest.output("logits")
    if pixels is None and scores is None:
        raise wrong(f"it gives {', '.join(tensor.name for tensor in manifest.outputs)}, neither labels nor logits")
    if pixels is not None and pixels.shape != (1, *size):
        raise wrong(f"it gives {pixels}, not [1, {size[0]}, {size[1]}]")
    if pixels is None and scores is not None and scores.shape != (1, len(labels.names), *size):
        raise wrong(
            f"it gives {scores}, not [1, {len(labels.names)}, {size[0]}, {size[1]}] for its {len(labels.names)} labels"
        )
    return RangeViewModel(normalisation, labels, sensor)
