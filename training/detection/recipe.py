"""The recipe of a training of a detector."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from errors import UserError, require_known
from formats.detection.dataset import BadBoxes
from formats.detection.reading import ASKED_FOR, Format
from models.detection.build import DETECTORS
from models.detection.fitting import Fit
from training.detection.augmentation import Augmentation
from training.recipe import Count, NotNegative, Positive, Recipe, Settings, Share, ValidationSettings

Side = Annotated[int, msgspec.Meta(ge=32, multiple_of=32)]


class ModelSettings(Settings, kw_only=True):
    """``name``: of :data:`models.detection.build.DETECTORS`. ``arguments``: further ones of its network, by name.
    ``imagenet``: a file with public ImageNet weights of its backbone; None: all of it learns from nothing.
    ``freeze``: what the backbone keeps of them: its ``statistics`` of batches, as is usual where a batch is small, or
    ``all``: what pictures of a simulation teach it may serve it badly on real ones (Hinterstoisser et al., ECCV 2018
    workshops)."""

    name: str
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)
    imagenet: str | None = None
    freeze: Literal["nothing", "statistics", "all"] = "nothing"


class InputSettings(Settings, kw_only=True):
    """``height`` × ``width`` px, and how a picture of another size becomes of it. ``keep_gib``: memory for decoded
    pictures, so that they need not be read again in every epoch."""

    height: Side
    width: Side
    fit: Fit = "letterbox"
    keep_gib: NotNegative = 0.0


class DataSettings(Settings, kw_only=True):
    """``training`` and ``validation``: patterns of the names of the parts of ``--data``: drives (``70*``), COCO's files
    (``train2017``), VOC's lists (``trainval``); what is validated on is not trained on. ``classes``: a table of classes
    (``road-users``); None: the data's own. ``most_hidden`` and ``least_height_px``: objects of drives and KITTI beyond
    are ignored. ``bad_boxes``: of no area, or outside their picture."""

    training: tuple[str, ...] = ("*",)
    validation: tuple[str, ...] = ()
    format: Format = "auto"
    classes: str | None = None
    most_hidden: Share = ASKED_FOR.most_hidden
    least_height_px: NotNegative = ASKED_FOR.least_height_px
    bad_boxes: BadBoxes = "refuse"


class LossSettings(Settings, kw_only=True):
    """``matching``: of :mod:`models.detection.losses`; None for a two-stage detector, whose losses are its own.
    ``numbers``: further ones of that loss, by name."""

    matching: str | None
    numbers: dict[str, float] = msgspec.field(default_factory=dict)


class DetectionValidation(ValidationSettings, kw_only=True):
    """COCO's AP. ``pictures``: how many, evenly spaced; None for all. What scores above ``score_threshold`` is looked
    at; of two of a class that overlap by more than ``nms_iou``, the better."""

    pictures: Count | None = None
    score_threshold: Share = 0.01
    nms_iou: Positive = 0.5


class DetectionRecipe(Recipe, kw_only=True):
    """The recipe of a detector."""

    family: Literal["detector"]
    model: ModelSettings
    image: InputSettings
    data: DataSettings = DataSettings()
    loss: LossSettings
    augmentation: Augmentation = Augmentation()
    validation: DetectionValidation


def check(recipe: DetectionRecipe) -> None:
    """Raise UserError where keys do not fit each other."""
    require_known("model.name", recipe.model.name, DETECTORS)
    if "classes" in recipe.model.arguments:
        raise UserError("model.arguments.classes: the classes are those of the data; leave it out")
    if recipe.model.freeze != "nothing" and recipe.model.imagenet is None:
        what = recipe.model.freeze
        raise UserError(f"model.freeze: {what} of random weights would be kept; give model.imagenet a file")
