"""What a network in training finds in pictures, decoded and suppressed as its export will be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from models.detection.fitting import Placed, fit
from models.detection.inference import boxes_and_scores
from models.detection.inputs import PAD_VALUE, normalised
from models.detection.nms import nms
from training.detection.augmentation import Input

_MOST_CANDIDATES, _MOST_OBJECTS = 1000, 100


class Prediction(NamedTuple):
    """Of one picture, in its pixels, best first: boxes [K, 4], scores [K], class ids [K] from 0."""

    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray


def predict(
    network: nn.Module, images: Sequence[np.ndarray], size: Input, score_threshold: float, nms_iou: float
) -> list[Prediction]:
    """The objects of pictures, uint8 [H, W, 3] BGR, of any sizes; they are one batch for the network."""
    fitted = [fit(image, size.height, size.width, size.fit, PAD_VALUE) for image in images]
    device = next(network.parameters()).device
    batch = torch.from_numpy(np.stack([to_chw(image) for image, _ in fitted])).to(device)
    boxes, scores = boxes_and_scores(network, normalised(batch).to(memory_format=torch.channels_last))
    return [_kept(boxes[i], scores[i], placed, score_threshold, nms_iou) for i, (_, placed) in enumerate(fitted)]


def to_chw(image: np.ndarray) -> np.ndarray:
    """BGR [H, W, 3] → RGB [3, H, W]."""
    return np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))


def _kept(boxes: Tensor, scores: Tensor, placed: Placed, score_threshold: float, nms_iou: float) -> Prediction:
    best = scores.flatten().topk(min(_MOST_CANDIDATES, scores.numel()))
    above = best.values > score_threshold
    place, values = best.indices[above], best.values[above].cpu().numpy()
    found = boxes[place // scores.shape[1]].cpu().numpy()
    class_ids = (place % scores.shape[1]).cpu().numpy()
    stay = nms(found, values, class_ids, nms_iou, _MOST_OBJECTS)
    return Prediction(placed.to_image(found[stay]), values[stay], class_ids[stay])
