"""Where predictions come from: a checkpoint, an exported model, or anybody's ``.label`` files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from errors import UserError
from formats.frames import list_files
from formats.labelled_scans import ScanFiles, read_classes, require_one_per_scan
from formats.labels import LabelTable


class Predictor(Protocol):
    """Says the class of each point of a scan. ``description``: what it is, for the record."""

    description: dict[str, Any]

    def predict(self, files: ScanFiles, points: np.ndarray) -> np.ndarray:
        """``points`` [N, 4] float32 of that scan → [N] uint8."""
        ...


class Network:
    """A range-view network with what comes before and after it: projection, normalisation, the vote.

    Args:
        segment: normalised range image [5, H, W] float32 → class of each pixel [H, W] uint8.
        height, width, fov_up_deg, fov_down_deg: of the range image.
        means, stds: per channel.
        knn: neighbours that vote on a point's class in a 5×5 window, as the segmentation node has it; 0: its pixel's.
        classes: how many there are.
    """

    def __init__(
        self,
        segment: Callable[[np.ndarray], np.ndarray],
        *,
        height: int,
        width: int,
        fov_up_deg: float,
        fov_down_deg: float,
        means: Sequence[float],
        stds: Sequence[float],
        knn: int,
        classes: int,
        description: dict[str, Any],
    ) -> None:
        self._segment = segment
        self._projection = {"height": height, "width": width, "fov_up_deg": fov_up_deg, "fov_down_deg": fov_down_deg}
        self._means, self._stds = means, stds
        self._knn, self._classes = knn, classes
        self.description = {**description, "height": height, "width": width, "knn": knn}

    def predict(self, files: ScanFiles, points: np.ndarray) -> np.ndarray:
        """See :class:`Predictor`. A point without a pixel gets class 0."""
        from models.range_view.labels import point_labels
        from models.range_view.normalize import normalize
        from models.range_view.projection import project

        projection = project(points, **self._projection)
        pixels = self._segment(normalize(projection.image, self._means, self._stds))
        return point_labels(
            pixels,
            projection.image[0],
            projection.point_pixel,
            projection.point_range,
            knn=self._knn,
            classes=self._classes,
        )


def from_checkpoint(path: Path, table: LabelTable, *, knn: int) -> Network:
    """The network of a checkpoint, in float32, in the form that is exported.

    Raises:
        UserError: torch is not installed, not a checkpoint, or its classes are not the table's.
    """
    try:
        import torch
    except ImportError as error:
        raise UserError(
            "--checkpoint needs torch: pip install rangecast[train]; or score an exported --model"
        ) from error
    from models.squeezesegv3.checkpoint import load_checkpoint
    from models.squeezesegv3.inference import inference_form

    checkpoint = load_checkpoint(path)
    _require_classes(path, checkpoint.label_names, table)
    network = inference_form(checkpoint.restore())

    def segment(image: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(image)[None])[0].argmax(0).to(torch.uint8).numpy()

    return Network(
        segment,
        height=checkpoint.height,
        width=checkpoint.width,
        fov_up_deg=checkpoint.fov_up_deg,
        fov_down_deg=checkpoint.fov_down_deg,
        means=checkpoint.means,
        stds=checkpoint.stds,
        knn=knn,
        classes=checkpoint.classes,
        description={
            "checkpoint": str(path),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "network": f"SqueezeSegV3-{checkpoint.layers}, SAC {checkpoint.sac}",
            "step": checkpoint.step,
            "trained_on": checkpoint.trained_on,
            "precision": "fp32",
            "torch": str(torch.__version__),
        },
    )


def from_model(folder: Path, table: LabelTable, *, knn: int, backend: str = "auto", precision: str = "auto") -> Network:
    """An exported model, run as the segmentation node runs it (:func:`inference.auto.open_session`).

    Raises:
        UserError: not an exported range-view model, its classes are not the table's, the backend cannot be had.
    """
    from inference.auto import open_session
    from inference.manifest import load_manifest
    from inference.range_view import describe
    from models.range_view.labels import pixel_labels

    model = describe(folder, load_manifest(folder))
    _require_classes(folder, model.labels.names, table)
    session = open_session(folder, backend=backend, precision=precision)
    image_name = session.inputs[0].name

    return Network(
        lambda image: pixel_labels(session.infer({image_name: image[np.newaxis]})),
        height=model.sensor.height,
        width=model.sensor.width,
        fov_up_deg=model.sensor.fov_up_deg,
        fov_down_deg=model.sensor.fov_down_deg,
        means=model.normalisation.means,
        stds=model.normalisation.stds,
        knn=knn,
        classes=len(model.labels.names),
        description={
            "model": str(folder),
            "family": session.manifest.family,
            "graph_sha256": session.manifest.graph_sha256,
            "trained_on": session.manifest.provenance.trained_on,
            "backend": session.backend,
            "provider": session.provider,
            "precision": session.precision,
        },
    )


class LabelFiles:
    """Predictions as ``.label`` files of raw ids, as they are submitted to the benchmark.

    Args:
        folder: with ``sequences/NN/predictions/*.label``; or, for a single sequence, with the ``*.label`` themselves.
        scans: what will be scored. That each has its file, and each file its scan, is checked at once.

    Raises:
        UserError: files are missing or left over.
    """

    def __init__(self, folder: Path, scans: Sequence[ScanFiles], table: LabelTable) -> None:
        self._table = table
        self._files: dict[tuple[str, str], Path] = {}
        names: dict[str, list[str]] = {}
        for scan in scans:
            names.setdefault(scan.sequence, []).append(scan.name)
        for sequence, expected in names.items():
            place = _predictions_folder(folder, sequence, alone=len(names) == 1)
            files = {file.stem: file for file in list_files(place, {".label"})}
            if not files:
                raise UserError(f"{place}: no *.label files; give the folder that has them, or a submission's root")
            require_one_per_scan(expected, files, place, ".label")
            self._files.update({(sequence, name): file for name, file in files.items()})
        self.description = {"predictions": str(folder)}

    def predict(self, files: ScanFiles, points: np.ndarray) -> np.ndarray:
        """See :class:`Predictor`."""
        return read_classes(self._files[files.sequence, files.name], self._table, len(points))


def _predictions_folder(folder: Path, sequence: str, *, alone: bool) -> Path:
    submitted = folder / "sequences" / sequence / "predictions"
    if submitted.is_dir():
        return submitted
    if not alone or (folder / "sequences").is_dir() or not folder.is_dir():
        raise UserError(f"{submitted}: no such folder; predictions are looked for there, or flat for one sequence")
    return folder


def _require_classes(where: Path, names: Sequence[str], table: LabelTable) -> None:
    if tuple(names) != table.names:
        raise UserError(
            f"{where}: its {len(names)} classes are not the {len(table.names)} that are scored "
            f"({', '.join(table.names[:4])}, …); there is nothing to compare"
        )
