"""SqueezeSegV3 for export: the graph, inputs to prove it on, and what a difference costs in labels.

The graph takes the normalised range image ``range_image`` [N, 5, H, W] float32 and gives ``logits`` [N, C, H, W]
float32 and ``labels`` [N, H, W] uint8, the class with the largest logit, or one of the two. Batch norm is folded, the
SAC blocks are accumulated (:mod:`models.squeezesegv3.inference`), and weights are stored small
(:mod:`export.weights`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from errors import UserError
from evaluation.segmentation.protocol import confusion, scores
from export.families import FP32_RELATIVE, Arrays, Network, Request, Sample, scores_of
from formats.labelled_scans import find_recordings, points_of, read_classes, read_points
from formats.labels import load_label_table
from inference.manifest import Labels, Manifest, Normalisation, Provenance, SensorProfile, Tensor
from models.range_view.labels import label_image
from models.range_view.normalize import normalize
from models.range_view.projection import project

if TYPE_CHECKING:
    from models.squeezesegv3.checkpoint import Checkpoint

INPUT = "range_image"
OUTPUTS = {"both": ("logits", "labels"), "logits": ("logits",), "labels": ("labels",)}
RANDOM_SIZE = (64, 512)
SHIPPED = Path(__file__).resolve().parent.parent.parent / "weights"


class SqueezeSegV3Family:
    """See :class:`export.families.Family`."""

    outputs = tuple(OUTPUTS)

    # In int8 the first two stages, at full resolution, cost half of the labels that all layers together cost.
    keep_fp32: ClassVar = {"int8": ("*.backbone.enc1.*", "*.backbone.enc2.*")}

    # Of equal scores rounding decides: float32 may differ in one pixel of a thousand.
    fp32_relative = FP32_RELATIVE
    least_alike: ClassVar = {"fp32": {"same_label": 0.999}, "half": {"same_label": 0.995}}

    def __init__(self, layers: int) -> None:
        self.name = f"squeezesegv3-{layers}"
        self._layers = layers
        folder = SHIPPED / f"{self.name}-64x512"
        self.shipped = folder if folder.is_dir() else None

    def load(self, request: Request) -> Network:
        """See :class:`export.families.Family`."""
        import torch

        from export.families.labelled import Labelled
        from export.weights import rounded
        from models.squeezesegv3.inference import inference_form

        checkpoint = self._random() if request.weights is None else self._read(request.weights)
        height = checkpoint.height if request.height is None else request.height
        width = checkpoint.width if request.width is None else request.width
        if width < 8 or width % 8 or height < 1:
            raise UserError(
                f"--size {height}x{width}: the width must be a multiple of 8, the network halves it three times"
            )
        exact = inference_form(checkpoint.restore()).to(memory_format=torch.contiguous_format)
        stored = rounded(exact, request.storage)
        return Network(
            Labelled(exact, OUTPUTS[request.outputs]).eval(),
            Labelled(stored, OUTPUTS[request.outputs]).eval(),
            self._manifest(checkpoint, request, height, width),
        )

    def _read(self, path: Path) -> Checkpoint:
        from models.squeezesegv3.checkpoint import load_checkpoint

        checkpoint, table = load_checkpoint(path), load_label_table()
        if checkpoint.layers != self._layers:
            raise UserError(
                f"{path}: has {checkpoint.layers} layers, {self.name} {self._layers}; export squeezesegv3-"
                f"{checkpoint.layers}, or give other weights"
            )
        if checkpoint.label_names != table.names:
            raise UserError(
                f"{path}: its {checkpoint.classes} classes ({', '.join(checkpoint.label_names[:3])}, …) are not "
                f"the {len(table.names)} of configs/labels/semantic-kitti.yaml, which gives them colours and raw ids"
            )
        return checkpoint

    def _random(self) -> Checkpoint:
        import torch

        from models.squeezesegv3.checkpoint import Checkpoint
        from models.squeezesegv3.network import SqueezeSegV3

        names = load_label_table().names
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = SqueezeSegV3(self._layers, len(names))
        return Checkpoint(
            layers=self._layers,
            classes=len(names),
            sac="isk",
            height=RANDOM_SIZE[0],
            width=RANDOM_SIZE[1],
            step=0,
            network=network.state_dict(),
            label_names=names,
            trained_on="nothing: random weights",
        )

    def _manifest(self, checkpoint: Checkpoint, request: Request, height: int, width: int) -> Manifest:
        table = load_label_table()
        batch = request.batch.least if request.batch.is_fixed else "batch"
        tensors = {
            "logits": Tensor(name="logits", dtype="float32", shape=(batch, checkpoint.classes, height, width)),
            "labels": Tensor(name="labels", dtype="uint8", shape=(batch, height, width)),
        }
        weights = request.weights.read_bytes() if request.weights else b""
        return Manifest(
            family="squeezesegv3",
            model=self.name,
            inputs=(Tensor(name=INPUT, dtype="float32", shape=(batch, 5, height, width)),),
            outputs=tuple(tensors[name] for name in OUTPUTS[request.outputs]),
            precision="fp32" if request.storage == "fp32" else f"{request.storage} weights",
            provenance=Provenance(
                trained_on=request.trained_on or checkpoint.trained_on,
                weights_sha256=hashlib.sha256(weights).hexdigest(),
            ),
            normalisation=Normalisation(means=checkpoint.means, stds=checkpoint.stds),
            labels=Labels(names=table.names, colors=table.colors_rgb),
            sensor=SensorProfile(
                name="hdl64",
                height=height,
                width=width,
                fov_up_deg=checkpoint.fov_up_deg,
                fov_down_deg=checkpoint.fov_down_deg,
            ),
        )

    def made_up(self, manifest: Manifest) -> list[Sample]:
        """See :class:`export.families.Family`."""
        sensor, norm = manifest.sensor, manifest.normalisation
        assert sensor is not None
        assert norm is not None
        street = made_up_street(sensor)
        empty = np.full_like(street, -1)
        one = empty.copy()
        row, column = sensor.height // 2, sensor.width // 2
        one[:, row, column] = street[:, row, column]
        direction = street[1:4] / street[0]
        far = np.concatenate([np.full_like(street[:1], 200), direction * 200, np.ones_like(street[:1])])
        near = np.concatenate([np.full_like(street[:1], 0.01), direction * 0.01, np.zeros_like(street[:1])])
        images = {"street": street, "no point": empty, "one point": one, "all at 200 m": far, "all at 1 cm": near}
        return [
            Sample(
                name,
                "made up" if name == "street" else "adversarial",
                {INPUT: normalize(image.astype(np.float32), norm.means, norm.stds)[None]},
            )
            for name, image in images.items()
        ]

    def real(self, manifest: Manifest, data: Path, count: int) -> list[Sample]:
        """See :class:`export.families.Family`."""
        sensor, norm, table = manifest.sensor, manifest.normalisation, load_label_table()
        assert sensor is not None
        assert norm is not None
        scans = [
            (f"{recording.name}/{name}", path, recording.folder / "labels" / f"{name}.label")
            for recording in find_recordings(data, need_labels=False)
            for name, path in points_of(recording).items()
        ]
        picked = [scans[i * len(scans) // min(count, len(scans))] for i in range(min(count, len(scans)))]
        samples = []
        for name, path, labels in picked:
            points = read_points(path)
            projection = project(
                points,
                height=sensor.height,
                width=sensor.width,
                fov_up_deg=sensor.fov_up_deg,
                fov_down_deg=sensor.fov_down_deg,
            )
            truth = label_image(projection, read_classes(labels, table, len(points))) if labels.exists() else None
            image = normalize(projection.image, norm.means, norm.stds)
            samples.append(Sample(name, "scans", {INPUT: image[None]}, truth))
        return samples

    def by_value(self, manifest: Manifest) -> Sequence[str]:
        """See :class:`export.families.Family`."""
        return scores_of(manifest)

    def measure(
        self, manifest: Manifest, found: Sequence[Arrays], expected: Sequence[Arrays], samples: Sequence[Sample]
    ) -> dict[str, float]:
        """``same_label``: share of the pixels with a point that have the same class; where the truth is known, also
        ``miou`` over the classes that are there, on pixels, and ``miou_change``, against the network's."""
        same, pixels, counts = 0, 0, np.zeros((2, 256, 256), np.int64)
        for ours, theirs, sample in zip(found, expected, samples, strict=True):
            seen = (sample.inputs[INPUT] != 0).any(axis=1)
            labels = [_labels(arrays) for arrays in (ours, theirs)]
            same += int((labels[0] == labels[1])[seen].sum())
            pixels += int(seen.sum())
            if sample.truth is not None:
                for i, label in enumerate(labels):
                    counts[i] += confusion(sample.truth, label[0], 256)
        measures = {"same_label": same / pixels if pixels else 1.0}
        if counts[0].any():
            classes = len(load_label_table().names)
            ours, theirs = (scores(each[:classes, :classes]).miou_present for each in counts)
            measures |= {"miou": ours, "miou_change": ours - theirs}
        return measures


def _labels(arrays: Arrays) -> np.ndarray:
    """[N, H, W] uint8."""
    return arrays["labels"] if "labels" in arrays else arrays["logits"].argmax(axis=1).astype(np.uint8)


def made_up_street(sensor: SensorProfile) -> np.ndarray:
    """What a sensor 1.73 m above a road sees between two rows of houses, with a car every 12 m: [5, H, W], in metres.

    A formula, so that every machine makes the same one: layers are compared on it.
    """
    rows, columns = np.meshgrid(np.arange(sensor.height), np.arange(sensor.width), indexing="ij")
    up, down = np.radians(sensor.fov_up_deg), np.radians(sensor.fov_down_deg)
    elevation = up - (rows + 0.5) / sensor.height * (up - down)
    azimuth = np.pi - (columns + 0.5) / sensor.width * 2 * np.pi
    ray = np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    with np.errstate(divide="ignore"):
        ground = np.where(ray[2] < 0, -1.73 / ray[2], np.inf)
        wall = 9.0 / np.abs(ray[1]) * (1 + 0.02 * np.sin(7 * azimuth))
        side = 3.2 / np.abs(ray[1])
    beside = side * ray[:, ...]
    is_car = (np.mod(beside[0], 12) < 4.3) & (beside[2] < -0.3) & (beside[2] > -1.73)
    distance = np.minimum(np.minimum(ground, np.minimum(wall, 80.0)), np.where(is_car, side, np.inf))
    shiny = 0.2 + 0.15 * np.sin(3 * distance) ** 2 + np.where(is_car & (distance == side), 0.4, 0.0)
    return np.concatenate([distance[None], ray * distance, shiny[None]])
