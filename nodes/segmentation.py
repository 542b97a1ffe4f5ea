"""Give each point of a scan its class, with an exported range-view model."""

from __future__ import annotations

import logging

import numpy as np

from errors import UserError
from inference.manifest import load_manifest
from inference.range_view import CHANNELS, describe
from nodes._model_session import SessionOptions
from pipeline.messages import RangeImage, SemanticScan

log = logging.getLogger(__name__)


class Segmentation:
    """One :class:`SemanticScan` per range image: normalise, infer, and vote the pixels' classes back to the points.

    Args:
        model: folder of an exported model, with its ``model.json``. The graph takes the normalised image
            [1, 5, H, W] float32 and gives ``labels`` [1, H, W], or ``logits`` [1, classes, H, W].
        backend, precision, allow_fallback, allow_failed_parity: see :func:`inference.auto.open_session`.
        threads: compute threads; 0: the available cores.
        knn: neighbours that vote on a point's class (:mod:`models.range_view.knn`); 0: each point takes its pixel's.
        knn_search: width and height of the window of pixels searched for neighbours; odd.
        knn_sigma: of the Gaussian that weighs a neighbour's range difference by its distance in pixels.
        knn_cutoff_m: neighbours whose weighted range difference is larger do not vote.

    Points without a pixel get class 0.
    """

    def __init__(
        self,
        model: str,
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        knn: int = 5,
        knn_search: int = 5,
        knn_sigma: float = 1.0,
        knn_cutoff_m: float = 1.0,
        allow_fallback: bool = False,
        allow_failed_parity: bool = False,
    ) -> None:
        self.model = model
        self._options = SessionOptions(backend, precision, threads, allow_fallback, allow_failed_parity)
        self.knn = knn
        self.knn_search = knn_search
        self.knn_sigma = knn_sigma
        self.knn_cutoff_m = knn_cutoff_m

    @classmethod
    def check(
        cls,
        model: str,
        backend: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        knn: int = 5,
        knn_search: int = 5,
        knn_sigma: float = 1.0,
        knn_cutoff_m: float = 1.0,
        allow_fallback: bool = False,
        allow_failed_parity: bool = False,
    ) -> None:
        """Raise :class:`UserError` where the model folder is damaged or of another kind, or a parameter is wrong."""
        SessionOptions(backend, precision, threads).check("segmentation")
        if knn_search < 1 or knn_search % 2 == 0:
            raise UserError(f"segmentation: knn_search is {knn_search}; give an odd number of pixels, 1 or more")
        if not 0 <= knn <= knn_search**2:
            raise UserError(
                f"segmentation: knn is {knn}; a window of knn_search {knn_search} has {knn_search**2} pixels: give 0 "
                f"(no voting) to {knn_search**2}"
            )
        if not knn_sigma > 0 or not knn_cutoff_m > 0:
            raise UserError(
                f"segmentation: knn_sigma is {knn_sigma}, knn_cutoff_m {knn_cutoff_m}; both must be above 0"
            )
        describe(model, load_manifest(model))

    def open(self) -> None:
        """Load the model, compile what is compiled at first use, and run all of it once."""
        self._session = self._options.open(self.model)
        self._normalisation, self._labels, self._sensor = describe(self.model, self._session.manifest)
        height, width = self._sensor.height, self._sensor.width
        empty = np.full((CHANNELS, height, width), -1, np.float32)
        self.process(RangeImage(image=empty, point_pixel=np.zeros(1, np.int32), point_range=np.ones(1, np.float32)))

    def process(self, range_image: RangeImage) -> SemanticScan:
        """Label one scan.

        Raises:
            UserError: the image is not of the size the model was exported for.
        """
        labels = self._refine(self._segment(range_image.image), range_image)
        return SemanticScan(
            header=range_image.header,
            labels=labels,
            class_names=self._labels.names,
            class_colors=self._labels.colors,
        )

    def close(self) -> None:
        """Close the session."""
        if hasattr(self, "_session"):
            self._session.close()

    def _segment(self, image: np.ndarray) -> np.ndarray:
        """The class of each pixel, uint8 [H, W]."""
        from models.range_view.labels import pixel_labels
        from models.range_view.normalize import normalize

        height, width = image.shape[1:]
        if (height, width) != (self._sensor.height, self._sensor.width):
            raise UserError(
                f"the range image is {height}x{width} pixels, but {self.model} was exported for "
                f"{self._sensor.height}x{self._sensor.width}: set the projection's height and width to that"
            )
        normalised = normalize(image, self._normalisation.means, self._normalisation.stds)
        outputs = self._session.infer({self._session.inputs[0].name: normalised[np.newaxis]})
        return pixel_labels(outputs)

    def _refine(self, label_image: np.ndarray, projected: RangeImage) -> np.ndarray:
        """The class of each point, uint8 [N]."""
        from models.range_view.labels import point_labels

        return point_labels(
            label_image,
            projected.image[0],
            projected.point_pixel,
            projected.point_range,
            knn=self.knn,
            search=self.knn_search,
            sigma=self.knn_sigma,
            cutoff_m=self.knn_cutoff_m,
            classes=len(self._labels.names),
        )
