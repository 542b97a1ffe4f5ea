"""SqueezeSegV3 as a :class:`training.task.Task`: labelled LiDAR scans, the multi-layer loss, SemanticKITTI's scores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from errors import UserError
from evaluation.segmentation.protocol import confusion, scores
from formats.labelled_scans import find_recordings, read_scan, scans_of
from formats.labels import load_label_table
from models.range_view.labels import label_image, point_labels
from models.squeezesegv3.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from models.squeezesegv3.inference import inference_form
from models.squeezesegv3.network import SqueezeSegV3
from training.drives import DataSettings, split
from training.losses import CLASS_WEIGHTS, lovasz_softmax, multi_layer_cross_entropy
from training.pasting import Things
from training.recipe import Count, NotNegative, Recipe, Settings, Share, ValidationSettings
from training.scans import (
    Augmentation,
    ClassTraits,
    class_frequencies,
    evaluation_sample,
    training_sample,
)
from training.task import Score

Pixels = Annotated[int, msgspec.Meta(ge=8, multiple_of=8)]


class ModelSettings(Settings, kw_only=True):
    """Arguments of :class:`models.squeezesegv3.network.SqueezeSegV3`."""

    layers: Literal[21, 53]
    sac: Literal["none", "s", "is", "sk", "isk"] = "isk"
    dropout: Share = 0.01


class ImageSettings(Settings, kw_only=True):
    """Range images of ``height`` × ``width``; a sample is a window of ``crop_width`` columns."""

    height: Count
    width: Pixels
    crop_width: Pixels


class LossSettings(Settings, kw_only=True):
    """``lovasz``: weight of the Lovász-softmax loss of the last head, beside the cross-entropies of all."""

    class_weights: Literal["inverse", "log", "none"] = "inverse"
    lovasz: NotNegative = 0.0


class SegmentationValidation(ValidationSettings, kw_only=True):
    """``scans``: how many, evenly spaced; None for all. ``knn``: neighbours that vote for each point's label, 0 for the
    label of its pixel; None scores pixels instead of points, which is quicker, and not the benchmark's protocol."""

    scans: Count | None = None
    knn: Annotated[int, msgspec.Meta(ge=0, le=25)] | None = 5


class SegmentationRecipe(Recipe, kw_only=True):
    """The recipe of a SqueezeSegV3."""

    model: ModelSettings
    image: ImageSettings
    data: DataSettings
    augmentation: Augmentation = Augmentation()
    loss: LossSettings = LossSettings()
    validation: SegmentationValidation


def _shown(scans: Sequence[Any], what: str) -> Iterable[Any]:
    """``scans``, with progress in the first of several processes: to read all labels can take minutes."""
    return track(scans, what, transient=True, disable=os.environ.get("RANK", "0") != "0")


class SegmentationTask:
    """See :class:`training.task.Task`.

    Raises:
        UserError: folders without labelled scans, or patterns that no drive matches.
    """

    def __init__(self, recipe: SegmentationRecipe, folders: Sequence[Path]) -> None:
        image = recipe.image
        if image.crop_width > image.width:
            raise UserError(f"image.crop_width: {image.crop_width} is more than the width, {image.width}")
        self._recipe, self._table = recipe, load_label_table()
        found = [recording for folder in folders for recording in find_recordings(folder)]
        labelled = [recording for recording in found if recording.has_labels]
        drives, held_out = split(labelled, recipe.data.training, recipe.data.validation)
        self._scans = [scan for drive in drives for scan in scans_of(drive)]
        validation = [scan for drive in held_out for scan in scans_of(drive)]
        count = min(recipe.validation.scans or len(validation), len(validation))
        self._validation = [validation[i * len(validation) // count] for i in range(count)]
        frequencies = class_frequencies(_shown(self._scans, "counting labels"), self._table)
        self._weights = CLASS_WEIGHTS[recipe.loss.class_weights](frequencies)
        self._traits = ClassTraits.of(recipe.augmentation, self._table.names, frequencies)
        pasted = np.flatnonzero(self._traits.paste).tolist()
        self._things = Things.collect(_shown(self._scans, "objects"), self._table, pasted) if pasted else None
        self.samples, self.validation_samples = len(self._scans), len(self._validation)
        self.data = {
            "training": [drive.name for drive in drives],
            "scans": self.samples,
            "validation": [drive.name for drive in held_out],
            "validation_scans": self.validation_samples,
        }
        left_out = [recording.name for recording in found if not recording.has_labels]
        self.notes = [f"left out, no labels/: {', '.join(left_out)}"] if left_out else []

    def network(self) -> SqueezeSegV3:
        model = self._recipe.model
        return SqueezeSegV3(model.layers, len(self._table.names), dropout=model.dropout, sac=model.sac)

    def load(self, network: SqueezeSegV3, checkpoint: Path) -> None:
        found, model = load_checkpoint(checkpoint), self._recipe.model
        for name, theirs, ours in (
            ("layers", found.layers, model.layers),
            ("sac", found.sac, model.sac),
            ("classes", found.classes, len(self._table.names)),
        ):
            if theirs != ours:
                raise UserError(f"--init {checkpoint}: has {name}={theirs}, the recipe {ours}; they must be the same")
        network.load_state_dict(found.network)

    def sample(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        image, how = self._recipe.image, self._recipe.augmentation
        scan = read_scan(self._scans[index], self._table)
        return training_sample(scan, rng, image.height, image.width, image.crop_width, how, self._traits, self._things)

    def losses(self, network: SqueezeSegV3, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        image, labels = batch
        image, labels = image.to(memory_format=torch.channels_last), labels.long()
        outputs = network.side_outputs(image)
        terms = multi_layer_cross_entropy(outputs, labels, self._weights.to(labels.device))
        losses = {f"head{len(outputs) - i}": term for i, term in enumerate(terms)}
        if self._recipe.loss.lovasz:
            losses["lovasz"] = self._recipe.loss.lovasz * lovasz_softmax(outputs[0], labels)
        return losses

    def validate(self, network: SqueezeSegV3, indices: Sequence[int], on_sample: Callable[[], None]) -> np.ndarray:
        """Confusion counts [C, C] of some validation scans."""
        classes, knn = len(self._table.names), self._recipe.validation.knn
        height, width = self._recipe.image.height, self._recipe.image.width
        device = next(network.parameters()).device
        fast = inference_form(network)
        counts = np.zeros((classes, classes), np.int64)
        for i in indices:
            scan = read_scan(self._validation[i], self._table)
            image, projection = evaluation_sample(scan, height, width)
            logits = fast(torch.from_numpy(image)[None].to(device, memory_format=torch.channels_last))
            pixels = logits[0].argmax(0).to(torch.uint8).cpu().numpy()
            if knn is None:
                counts += confusion(label_image(projection, scan.labels), pixels, classes)
            else:
                place = projection.image[0], projection.point_pixel, projection.point_range
                counts += confusion(scan.labels, point_labels(pixels, *place, knn=knn, classes=classes), classes)
            on_sample()
        return counts

    def score(self, parts: Sequence[Any]) -> Score:
        """mIoU over the classes that the validation scans have."""
        found = scores(np.sum(parts, axis=0))
        named = zip(self._table.names, found.iou, found.present, strict=True)
        iou = {f"iou/{name}": float(value) for name, value, here in named if here}
        return Score(found.miou_present, {"miou": found.miou_present, "accuracy": found.accuracy, **iou})

    def save(self, network: SqueezeSegV3, path: Path, step: int) -> None:
        image, model, data = self._recipe.image, self._recipe.model, self.data
        save_checkpoint(
            path,
            Checkpoint(
                layers=model.layers,
                classes=len(self._table.names),
                sac=model.sac,
                height=image.height,
                width=image.width,
                step=step,
                network=network.state_dict(),
                label_names=self._table.names,
                trained_on=f"{data['scans']} scans of {', '.join(data['training'])}",
            ),
        )
