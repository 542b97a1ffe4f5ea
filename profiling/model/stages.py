"""What surrounds the inference of one input: the family's own pre- and post-processing, as the pipeline does them.

An item is what the pipeline would get: the points of a scan. A model of a family that has no such stages here takes its
items as the graph's inputs, and has inference and copies alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np

from errors import UserError
from inference.manifest import Manifest
from inference.range_view import describe

Arrays = Mapping[str, np.ndarray]
MADE_UP_SIZE = (64, 2048)
"""Rows and columns of the made-up scan: 131,072 points, as many as a real one has."""


class Items(NamedTuple):
    """What is inferred in turn. ``about`` says what they are, and what is in them: profiles compare alike ones only."""

    arrays: list[Arrays]
    about: str


class Stages(Protocol):
    """What is done to one item."""

    def before(self, item: Arrays) -> tuple[Arrays, Any]:
        """Pre-processing: the graph's inputs, and what :meth:`after` needs beside its outputs."""
        ...

    def copy(self, outputs: Arrays) -> Arrays:
        """Of the outputs, which last until the next inference, what must last longer."""
        ...

    def after(self, outputs: Arrays, context: Any) -> object:
        """Post-processing."""
        ...


class GraphAlone:
    """No stages: an item is the inputs."""

    def before(self, item: Arrays) -> tuple[Arrays, Any]:
        """See :class:`Stages`."""
        return item, None

    def copy(self, outputs: Arrays) -> Arrays:
        """See :class:`Stages`: all of them."""
        return {name: output.copy() for name, output in outputs.items()}

    def after(self, outputs: Arrays, context: Any) -> object:
        """See :class:`Stages`."""
        return outputs


class RangeView:
    """A scan's ``points`` [N, 4] float32 → a label per point: project, normalise; then vote with five neighbours."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._model = describe(folder, manifest)
        self._input = manifest.inputs[0].name

    def before(self, item: Arrays) -> tuple[Arrays, Any]:
        """See :class:`Stages`."""
        from models.range_view.normalize import normalize
        from models.range_view.projection import project

        sensor, normalisation = self._model.sensor, self._model.normalisation
        projection = project(
            item["points"],
            height=sensor.height,
            width=sensor.width,
            fov_up_deg=sensor.fov_up_deg,
            fov_down_deg=sensor.fov_down_deg,
        )
        image = normalize(projection.image, normalisation.means, normalisation.stds)
        return {self._input: image[np.newaxis]}, projection

    def copy(self, outputs: Arrays) -> Arrays:
        """See :class:`Stages`: the labels, or the logits where the graph has no labels."""
        name = "labels" if "labels" in outputs else "logits"
        return {name: outputs[name].copy()}

    def after(self, outputs: Arrays, context: Any) -> object:
        """See :class:`Stages`."""
        from models.range_view.labels import pixel_labels, point_labels

        return point_labels(
            pixel_labels(outputs),
            context.image[0],
            context.point_pixel,
            context.point_range,
            classes=len(self._model.labels.names),
        )


def stages_of(folder: Path, manifest: Manifest) -> Stages:
    """Those of the model's kind."""
    return GraphAlone() if manifest.sensor is None else RangeView(folder, manifest)


def items_for(manifest: Manifest, data: Path | None, count: int) -> Items:
    """Up to ``count`` items, evenly spread over the recordings in ``data``; None: one that is made up.

    Raises:
        UserError: ``data`` has none, or the model takes no recordings.
    """
    if manifest.sensor is not None:
        arrays = [{"points": _made_up_points(manifest)}] if data is None else _scans(data, count)
    else:
        arrays = _graph_inputs(manifest, data, count)
    digest = hashlib.sha256()
    for item in arrays:
        for name, array in item.items():
            digest.update(name.encode() + array.tobytes())
    kind = "made up" if data is None else "of recordings"
    return Items(arrays, f"{len(arrays)} {kind}, sha256 {digest.hexdigest()[:12]}")


def _scans(data: Path, count: int) -> list[Arrays]:
    from formats.labelled_scans import find_recordings, points_of, read_points

    found = find_recordings(data, need_labels=False)
    paths = [path for recording in found for path in points_of(recording).values()]
    picked = [paths[i * len(paths) // min(count, len(paths))] for i in range(min(count, len(paths)))]
    return [{"points": read_points(path)} for path in picked]


def _made_up_points(manifest: Manifest) -> np.ndarray:
    """The points [N, 4] float32 of a street that the model's own sensor sees."""
    from export.families.squeezesegv3 import made_up_street

    assert manifest.sensor is not None
    height, width = MADE_UP_SIZE
    image = made_up_street(msgspec.structs.replace(manifest.sensor, height=height, width=width))
    return np.ascontiguousarray(image[1:].reshape(4, -1).T, np.float32)


def _graph_inputs(manifest: Manifest, data: Path | None, count: int) -> list[Arrays]:
    from export.families import MODELS

    if manifest.model in MODELS:
        family = MODELS[manifest.model]()
        samples = family.made_up(manifest)[:1] if data is None else family.real(manifest, data, count)
        return [dict(sample.inputs) for sample in samples]
    if data is not None:
        raise UserError(f"--data {data}: how a {manifest.family} model reads recordings is not known; leave it out")
    rng = np.random.default_rng(0)
    open_sizes = [str(tensor) for tensor in manifest.inputs if not tensor.is_static]
    if open_sizes:
        raise UserError(f"{', '.join(open_sizes)}: a size is left open; export the model with fixed sizes")
    return [{t.name: rng.random([int(s or 1) for s in t.shape]).astype(t.dtype) for t in manifest.inputs}]
