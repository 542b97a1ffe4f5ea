"""What an exported detector needs around it: from a picture to its input, and from its outputs to objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from errors import UserError
from models.detection.decoding import Shape, fit_shapes, in_words, make_decoding, match_outputs
from models.detection.decoding.candidates import Candidates
from models.detection.fitting import Fit, Placed, fit
from models.detection.nms import nms


class Found(NamedTuple):
    """The objects of one picture, best first.

    Attributes:
        boxes: ``[K, 4]`` float32, x1 y1 x2 y2 in pixels of the picture, inside it.
        scores: ``[K]`` float32, 0..1.
        class_ids: ``[K]`` int32, 0-based.
    """

    boxes: np.ndarray
    scores: np.ndarray
    class_ids: np.ndarray


class ExportedDetector:
    """Pre- and post-processing of one detector, without what runs its graph.

    ``inference.detection.describe(folder, manifest).arguments()`` gives all of it. Most is in the manifest's profile.

    Args:
        classes: how many.
        means, stds: of three channels in the graph's order: it takes (value − mean) / std of values 0..255; None: it
            takes the values as they are.
        dtype: of the input: ``float32`` or ``uint8``.
        given: the graph's outputs, name → shape.
        height, width, channels, layout, fit, pad_value, decoding, numbers, outputs, score_threshold, nms_iou,
            max_detections: as there.

    Raises:
        UserError: the decoding is not known or does not fit the outputs.
    """

    def __init__(
        self,
        *,
        classes: int,
        means: Sequence[float] | None,
        stds: Sequence[float] | None,
        dtype: str,
        given: Mapping[str, Shape],
        height: int,
        width: int,
        channels: str,
        layout: str,
        fit: Fit,
        pad_value: int,
        decoding: str,
        numbers: Mapping[str, Any],
        outputs: Mapping[str, str],
        score_threshold: float,
        nms_iou: float | None,
        max_detections: int,
    ) -> None:
        self.height, self.width = height, width
        self.fit: Fit = fit
        self.pad_value = pad_value
        self.score_threshold, self.nms_iou, self.max_detections = score_threshold, nms_iou, max_detections
        self._rgb, self._nchw, self._dtype = channels == "rgb", layout == "nchw", dtype
        self._normalisation = None
        if means is not None and stds is not None:
            self._normalisation = np.array(means, np.float32), 1 / np.array(stds, np.float32)
        self._decoding = make_decoding(decoding, height, width, classes, numbers)
        self.outputs = match_outputs(decoding, self._decoding, given, outputs)

    def prepare(self, image: np.ndarray) -> tuple[np.ndarray, Placed]:
        """A picture, uint8 ``[H, W, 3]`` BGR, as the graph's input, ``[1, 3, H, W]`` or ``[1, H, W, 3]``, and where the
        picture lies in it."""
        fitted, placed = fit(image, self.height, self.width, self.fit, self.pad_value)
        if self._rgb:
            fitted = fitted[..., ::-1]
        values = fitted.astype(self._dtype)
        if self._normalisation:
            values = (values - self._normalisation[0]) * self._normalisation[1]
        values = values.transpose(2, 0, 1) if self._nchw else values
        return np.ascontiguousarray(values[None]), placed

    def candidates(self, outputs: Mapping[str, np.ndarray], least_score: float) -> Candidates:
        """Whatever scores more than ``least_score`` in one picture, before suppression; boxes in pixels of the input.

        Args:
            outputs: what the graph gave, by its own names, of the shapes that the decoding takes.
        """
        arrays = {
            role: outputs[name].reshape(outputs[name].shape[-len(self._decoding.outputs[role]) :])
            for role, name in self.outputs.items()
        }
        return self._decoding(arrays, least_score)

    def objects(self, outputs: Mapping[str, np.ndarray], placed: Placed) -> Found:
        """The objects of the picture that was placed so.

        Args:
            outputs: what the graph gave for one picture, by its own names.

        Raises:
            UserError: an output has not the shape that the decoding takes.
            ValueError: its values are not finite, or a class is none of the known ones.
        """
        shapes = {role: outputs[name].shape for role, name in self.outputs.items()}
        if not fit_shapes(shapes, self._decoding.outputs):
            raise UserError(f"the graph gave {in_words(shapes)}, its decoding wants {in_words(self._decoding.outputs)}")
        for name in self.outputs.values():
            if not np.isfinite(outputs[name].sum(dtype=np.float64)):  # one pass: it is so only where each value is
                raise ValueError(f"the graph's output {name} has values that are not finite")
        boxes, scores, class_ids = self.candidates(outputs, self.score_threshold)
        if self.nms_iou is not None:
            kept = nms(boxes, scores, class_ids, self.nms_iou, self.max_detections)
        else:
            kept = np.argsort(-scores, kind="stable")[: self.max_detections]
        return Found(placed.to_image(boxes[kept]), scores[kept], class_ids[kept].astype(np.int32))
