"""A detector as a :class:`training.task.Task`: pictures with boxes, a matching's loss or a two-stage one, COCO's AP."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from errors import UserError
from evaluation.detection.protocol import coco_scores
from formats.detection.classes import load_classes, with_classes
from formats.detection.dataset import DetectionSet, Picture, joined
from formats.detection.pictures import read_picture
from formats.detection.reading import Part, find_parts
from formats.detection.tracked_drives import Limits
from models.detection import losses
from models.detection.backbones.imagenet import load_imagenet
from models.detection.build import make_detector
from models.detection.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from models.detection.inputs import normalised
from models.detection.matching import Objects
from models.detection.one_stage import OneStage
from training.detection.augmentation import Input, augmented
from training.detection.pictures import SPARE, PictureStore
from training.detection.prediction import Prediction, predict, to_chw
from training.detection.recipe import DetectionRecipe, check
from training.drives import split
from training.task import Score

_NO_OBJECT = -1
"""The label that fills the samples of a batch up to the same number of objects."""
_VALIDATION_BATCH = 8


class DetectionTask:
    """See :class:`training.task.Task`.

    Raises:
        UserError: the recipe's keys do not fit each other, or no data set with boxes, a part of it that no pattern
            matches, something wrong in it.
    """

    def __init__(self, recipe: DetectionRecipe, folders: Sequence[Path]) -> None:
        check(recipe)
        self._recipe, data = recipe, recipe.data
        limits = Limits(data.most_hidden, data.least_height_px)
        parts = [
            part
            for folder in folders
            for part in find_parts(folder, data.format, limits=limits, bad_boxes=data.bad_boxes)
        ]
        chosen, held_out = split(parts, data.training, data.validation)
        training = self._read(chosen)
        validation = self._read(held_out) if held_out else training._replace(pictures=(), notes=())
        if validation.class_names != training.class_names:
            raise UserError("data.validation: has other classes than data.training; give a table with data.classes")
        _require_apart(training, validation)
        self._class_names = training.class_names
        self._pictures, self._validation = training.pictures, self._spaced(validation.pictures)
        self._most_objects = max((int((~p.ignored).sum()) for p in self._pictures), default=0)
        if not self._most_objects:
            raise UserError(f"--data {folders[0]}: no object to train on in {len(self._pictures)} pictures")
        self._input = Input(recipe.image.height, recipe.image.width, recipe.image.fit)
        spare = math.inf if recipe.augmentation.enlarge else SPARE  # what is enlarged needs every pixel there is
        self._store = PictureStore(self._input, int(recipe.image.keep_gib * 2**30), spare)
        self._loss = losses.make(recipe.loss.matching, **recipe.loss.numbers) if recipe.loss.matching else None
        self.samples, self.validation_samples = len(self._pictures), len(self._validation)
        self.data = {
            "training": [part.name for part in chosen],
            "pictures": self.samples,
            "classes": list(self._class_names),
            "validation": [part.name for part in held_out],
            "validation_pictures": self.validation_samples,
        }
        self.notes = list(dict.fromkeys((*training.notes, *validation.notes)))

    def network(self) -> nn.Module:
        model = self._recipe.model
        network = make_detector(model.name, len(self._class_names), **model.arguments)
        if isinstance(network, OneStage) != (self._loss is not None):
            kind = "a two-stage detector, with losses of its own: leave loss.matching null"
            raise UserError(
                f"{model.name}: {'needs loss.matching, such as mutual_guidance' if self._loss is None else kind}"
            )
        if model.imagenet is not None and (left_out := load_imagenet(network.backbone, Path(model.imagenet))):
            self.notes.append(f"{model.imagenet}: left out, not the backbone's: {', '.join(left_out)}")
        network.backbone.requires_grad_(model.freeze != "all")
        return network

    def load(self, network: nn.Module, checkpoint: Path) -> None:
        found, model = load_checkpoint(checkpoint), self._recipe.model
        for name, theirs, ours in (
            ("model.name", found.name, model.name),
            ("model.arguments", found.arguments, network.arguments),
            ("classes", found.class_names, self._class_names),
        ):
            if theirs != ours:
                raise UserError(f"--init {checkpoint}: has {name} {theirs}, the recipe {ours}; they must be the same")
        network.load_state_dict(found.network)

    def sample(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The input, uint8 [3, H, W] RGB; boxes float32 [M, 4] in its pixels; labels int64 [M], −1 where none is."""
        picture = self._pictures[index]
        image = self._store.read(picture)
        wanted = ~picture.ignored
        scale = image.shape[1] / picture.width, image.shape[0] / picture.height
        scaled = picture.boxes[wanted] * np.float32(scale * 2)
        image, boxes, labels = augmented(
            image, scaled, picture.labels[wanted], self._input, self._recipe.augmentation, rng
        )
        all_boxes = np.zeros((self._most_objects, 4), np.float32)
        all_labels = np.full(self._most_objects, _NO_OBJECT, np.int64)
        all_boxes[: len(boxes)], all_labels[: len(boxes)] = boxes, labels
        return to_chw(image), all_boxes, all_labels

    def losses(self, network: nn.Module, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        images, boxes, labels = batch
        if self._recipe.model.freeze != "nothing":
            network.backbone.eval()  # the loop has put all of the network into training mode
        images = normalised(images).to(memory_format=torch.channels_last)
        objects = [Objects(b[there], k[there]) for b, k, there in zip(boxes, labels, labels != _NO_OBJECT, strict=True)]
        if self._loss is None:
            return network.losses(images, objects)
        outputs = network(images)
        with torch.autocast(images.device.type, enabled=False):
            return self._loss(network, outputs, objects, self._input.height, self._input.width)

    def validate(
        self, network: nn.Module, indices: Sequence[int], on_sample: Callable[[], None]
    ) -> list[tuple[int, Prediction]]:
        """What is found in some validation pictures, with their indices."""
        settings, found = self._recipe.validation, []
        for first in range(0, len(indices), _VALIDATION_BATCH):
            batch = indices[first : first + _VALIDATION_BATCH]
            images = [read_picture(p.file, p.width, p.height) for p in (self._validation[i] for i in batch)]
            predictions = predict(network, images, self._input, settings.score_threshold, settings.nms_iou)
            for i, prediction in zip(batch, predictions, strict=True):
                found.append((i, prediction))
                on_sample()
        return found

    def score(self, parts: Sequence[Any]) -> Score:
        """COCO's AP."""
        found = dict(pair for part in parts for pair in part)
        scores = coco_scores(self._validation, [found[i] for i in range(len(found))], self._class_names)
        by_class = {
            f"ap/{name}": float(row[0])
            for name, row, annotated in zip(scores.class_names, scores.class_ap, scores.annotated, strict=True)
            if annotated
        }
        return Score(scores.ap, {"ap": scores.ap, "ap50": scores.ap50, "ap75": scores.ap75, **by_class})

    def save(self, network: nn.Module, path: Path, step: int) -> None:
        data = self.data
        save_checkpoint(
            path,
            Checkpoint(
                name=self._recipe.model.name,
                arguments=network.arguments,
                size=(self._input.height, self._input.width),
                fit=self._input.fit,
                class_names=self._class_names,
                step=step,
                network=network.state_dict(),
                trained_on=f"{data['pictures']} pictures of {_shortened(data['training'])}",
            ),
        )

    def _read(self, parts: Sequence[Part]) -> DetectionSet:
        """The parts as one set, its classes those of the recipe's table where it names one."""
        data = joined([part.read() for part in parts])
        return with_classes(data, load_classes(self._recipe.data.classes)) if self._recipe.data.classes else data

    def _spaced(self, pictures: Sequence[Picture]) -> list[Picture]:
        count = min(self._recipe.validation.pictures or len(pictures), len(pictures))
        return [pictures[i * len(pictures) // count] for i in range(count)]


def _require_apart(training: DetectionSet, validation: DetectionSet) -> None:
    """Raise UserError where a picture is there twice: parts of a data set, VOC's lists for one, can overlap."""
    files = [picture.file.resolve() for picture in training.pictures]
    held_out = {picture.file.resolve() for picture in validation.pictures}
    if both := next((file for file in files if file in held_out), None):
        raise UserError(f"{both}: is in data.training and in data.validation; choose parts that do not overlap")
    if len(set(files)) < len(files):
        raise UserError("data.training: has pictures twice; choose parts that do not overlap")
    if validation.pictures and all(picture.ignored.all() for picture in validation.pictures):
        raise UserError("data.validation: has no object to find; choose other parts")


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} parts, {names[0]} to {names[-1]}"
