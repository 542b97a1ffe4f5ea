"""Detectors for export: the graph, pictures to prove it on, and what a difference costs in boxes.

The graph takes ``image`` [N, 3, H, W] float32, RGB, normalised. What it gives is chosen: ``boxes`` decodes in the graph
(``boxes`` [N, A, 4] in pixels of the input, ``scores`` [N, A, C]); ``detections`` suppresses there too (``boxes``
[N, K, 4], ``scores`` [N, K], ``labels`` [N, K]); ``raw`` is what a one-stage detector's head gives. The manifest says
which, in its decoding, and whoever runs it (:mod:`models.detection.exported`) does the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from errors import UserError
from export.families import FP32_RELATIVE, Arrays, Network, Request, Sample
from formats import recording
from formats.images import read_image
from inference.detection import FAMILY, class_colors, describe
from inference.manifest import DetectorProfile, Labels, Manifest, Normalisation, Provenance, Tensor
from models.detection.decoding import RANKED
from models.detection.decoding.candidates import Candidates
from models.detection.exported import ExportedDetector
from models.detection.nms import iou, nms

if TYPE_CHECKING:
    from torch import nn

    from models.detection.checkpoint import Checkpoint

INPUT = "image"
SHIPPED = Path(__file__).resolve().parent.parent.parent / "weights"
RANDOM_CLASSES = 80
_SCORE, _NMS_IOU, _MOST = 0.3, 0.5, 100
_LOOKED_AT = 1000
"""Boxes of a picture that go into suppression where stages are compared: the best."""
_LEAST_SCORE_IN_GRAPH = 0.01
"""Of ``detections``: who takes them may ask for more, not for less. Average precision is measured from here on."""
FOREIGN_FP32_RELATIVE = 1e-3
"""What rounding may cost a graph of others: some take values of 0..255 as they are."""


class DetectorFamily:
    """See :class:`export.families.Family`.

    Args:
        name: of :data:`models.detection.build.DETECTORS`.
        random_size: height and width of the input where there are no weights to say them.
        two_stage: whether the network chooses regions itself: its boxes are then no fixed places.
    """

    keep_fp32: ClassVar = {}
    fp32_relative = FP32_RELATIVE
    least_alike: ClassVar = {"fp32": {"same_boxes": 0.995}, "half": {"same_boxes": 0.9}}

    def __init__(self, name: str, random_size: tuple[int, int], two_stage: bool) -> None:
        self.name = name
        self.outputs = ("boxes", "detections") if two_stage else ("boxes", "detections", "raw")
        self._random_size, self._two_stage = random_size, two_stage
        self.shipped = SHIPPED / name if (SHIPPED / name).is_dir() else None

    def load(self, request: Request) -> Network:
        """See :class:`export.families.Family`."""
        from export.families.detected import Decoded, Suppressed
        from export.to_onnx_options import ONE
        from export.weights import rounded
        from models.detection.inference import inference_form
        from models.detection.one_stage import SIZE_MULTIPLE

        if request.batch.is_fixed and request.batch != ONE:
            size = request.batch.least
            raise UserError(
                f"--batch {size}: a detector takes one picture, or as many as there are: give 1:{size}:{size}"
            )
        checkpoint = self._random() if request.weights is None else self._read(request.weights)
        height = checkpoint.size[0] if request.height is None else request.height
        width = checkpoint.size[1] if request.width is None else request.width
        if min(height, width) < SIZE_MULTIPLE or height % SIZE_MULTIPLE or width % SIZE_MULTIPLE:
            raise UserError(f"--size {height}x{width}: both must be multiples of {SIZE_MULTIPLE} for {self.name}")
        exact = inference_form(checkpoint.restore())
        both = exact, rounded(exact, request.storage)
        if request.outputs == "boxes":
            both = tuple(map(Decoded, both))
        elif request.outputs == "detections":
            both = tuple(Suppressed(each, _LEAST_SCORE_IN_GRAPH, _NMS_IOU, _MOST) for each in both)
        return Network(*(each.eval() for each in both), self._manifest(checkpoint, exact, request, height, width))

    def _read(self, path: Path) -> Checkpoint:
        from models.detection.checkpoint import load_checkpoint

        checkpoint = load_checkpoint(path)
        if checkpoint.name != self.name:
            raise UserError(f"{path}: is of {checkpoint.name}, not {self.name}; export that, or give other weights")
        return checkpoint

    def _random(self) -> Checkpoint:
        import torch

        from models.detection.build import make_detector
        from models.detection.checkpoint import Checkpoint

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = make_detector(self.name, RANDOM_CLASSES)
        return Checkpoint(
            name=self.name,
            arguments=network.arguments,
            size=self._random_size,
            fit="letterbox",
            class_names=tuple(f"class {i}" for i in range(RANDOM_CLASSES)),
            step=0,
            network=network.state_dict(),
            trained_on="nothing: random weights",
        )

    def _manifest(
        self, checkpoint: Checkpoint, network: nn.Module, request: Request, height: int, width: int
    ) -> Manifest:
        from models.detection.inputs import MEANS, PAD_VALUE, STDS

        batch = request.batch.least if request.batch.is_fixed else "batch"
        weights = request.weights.read_bytes() if request.weights else b""
        decoding, numbers = _decoding(network, request.outputs)
        return Manifest(
            family=FAMILY,
            model=self.name,
            inputs=(Tensor(name=INPUT, dtype="float32", shape=(batch, 3, height, width)),),
            outputs=tuple(
                Tensor(name=name, dtype="int32" if name == "labels" else "float32", shape=(batch, *shape))
                for name, shape in self._shapes(network, request.outputs, height, width).items()
            ),
            precision="fp32" if request.storage == "fp32" else f"{request.storage} weights",
            provenance=Provenance(
                trained_on=request.trained_on or checkpoint.trained_on,
                weights_sha256=hashlib.sha256(weights).hexdigest(),
            ),
            normalisation=Normalisation(
                means=tuple(255 * mean for mean in MEANS), stds=tuple(255 * std for std in STDS)
            ),
            labels=Labels(names=checkpoint.class_names, colors=class_colors(len(checkpoint.class_names))),
            detector=DetectorProfile(
                height=height,
                width=width,
                fit=checkpoint.fit,
                pad_value=PAD_VALUE,
                decoding=decoding,
                numbers=numbers,
                score_threshold=_SCORE,
                nms_iou=None if request.outputs == "detections" else _NMS_IOU,
                max_detections=_MOST,
            ),
        )

    def _shapes(self, network: nn.Module, outputs: str, height: int, width: int) -> dict[str, tuple[int, ...]]:
        """Of each output, without the batch."""
        classes = network.arguments["classes"]
        if outputs == "detections":
            return {"boxes": (_MOST, 4), "scores": (_MOST,), "labels": (_MOST,)}
        count = network.arguments["proposals"] if self._two_stage else len(network.priors(height, width).boxes)
        if outputs == "boxes":
            return {"boxes": (count, 4), "scores": (count, classes)}
        centerness = {"centerness": (count,)} if network.arguments.get("centerness") else {}
        return {"class_logits": (count, classes), "regression": (count, 4), **centerness}

    def by_value(self, manifest: Manifest) -> Sequence[str]:
        """What is chosen by rank has no fixed place: rounding may swap two boxes of all but equal scores."""
        assert manifest.detector is not None
        is_ranked = self._two_stage or manifest.detector.decoding in RANKED
        return () if is_ranked else list(_exported(manifest).outputs.values())

    def made_up(self, manifest: Manifest) -> list[Sample]:
        """See :class:`export.families.Family`."""
        profile = manifest.detector
        assert profile is not None
        discs = _discs(profile.height, profile.width)
        checks = 255 * (np.indices(discs.shape[:2]).sum(axis=0) % 2)
        images = {
            "discs": discs,
            "black": np.zeros_like(discs),
            "white": np.full_like(discs, 255),
            "every other pixel": np.repeat(checks[..., None], 3, axis=2).astype(np.uint8),
        }
        exported = _exported(manifest)
        return [
            Sample(name, "made up" if name == "discs" else "adversarial", _inputs(manifest, exported, image))
            for name, image in images.items()
        ]

    def real(self, manifest: Manifest, data: Path, count: int) -> list[Sample]:
        """``count`` pictures of a drive or folder, evenly spread."""
        files = recording.camera_frames(data, camera=2, nominal_rate_hz=10.0).files
        picked = [files[i * len(files) // min(count, len(files))] for i in range(min(count, len(files)))]
        exported = _exported(manifest)
        return [Sample(file.name, "pictures", _inputs(manifest, exported, read_image(file))) for file in picked]

    def measure(
        self, manifest: Manifest, found: Sequence[Arrays], expected: Sequence[Arrays], samples: Sequence[Sample]
    ) -> dict[str, float]:
        """``same_boxes``: of the network's 100 best boxes of a picture after suppression the share, weighted by their
        scores, that a stage gives too: of the same class, with an IoU of 0.9 at least. Of these, ``box_error`` is the
        largest difference of a side, relative to the input's longer side, and ``score_error`` that of a score."""
        profile = manifest.detector
        assert profile is not None
        weight = same = others = box_error = score_error = 0.0
        for found_one, expected_one in zip(found, expected, strict=True):
            for ours, theirs in zip(_best(manifest, found_one), _best(manifest, expected_one), strict=True):
                weight += float(theirs.scores.sum())
                others += 0 if len(theirs.scores) else len(ours.scores)
                for k, match in _matches(ours, theirs):
                    same += float(theirs.scores[k])
                    box_error = max(box_error, float(np.abs(ours.boxes[match] - theirs.boxes[k]).max()))
                    score_error = max(score_error, float(abs(ours.scores[match] - theirs.scores[k])))
        return {
            "same_boxes": same / weight if weight else float(not others),
            "box_error": box_error / max(profile.height, profile.width),
            "score_error": score_error,
        }


def _decoding(network: nn.Module, outputs: str) -> tuple[str, dict[str, Any]]:
    """What the outputs mean, and the numbers that it takes to read them."""
    if outputs == "boxes":
        return "boxes-scores", {}
    if outputs == "detections":
        return "boxes-scores-labels", {}
    if "centerness" in network.arguments:
        return "fcos", {"strides": list(network.strides), "centerness": network.arguments["centerness"]}
    anchors = network.anchors
    return "retinanet", {
        "strides": list(network.strides),
        "scale": anchors.scale,
        "octaves": anchors.octaves,
        "ratios": list(anchors.ratios),
    }


class ImportedDetector(DetectorFamily):
    """A detector that others made: its graph is as it came, and stands for the network."""

    fp32_relative = FOREIGN_FP32_RELATIVE

    def __init__(self, name: str) -> None:
        super().__init__(name, (0, 0), two_stage=False)
        self.outputs = ()

    def load(self, request: Request) -> Network:
        """There is none.

        Raises:
            UserError: always.
        """
        raise UserError(f"{self.name}: is not ours, so there is no network to make a graph of; give its folder")


def _exported(manifest: Manifest) -> ExportedDetector:
    return ExportedDetector(**describe(manifest.model, manifest).arguments())


def _inputs(manifest: Manifest, exported: ExportedDetector, image: np.ndarray) -> dict[str, np.ndarray]:
    return {manifest.inputs[0].name: exported.prepare(image)[0]}


def _best(manifest: Manifest, arrays: Arrays) -> Iterator[Candidates]:
    """Of each picture of a batch: the best boxes after suppression, however low their scores are."""
    exported = _exported(manifest)
    for i in range(len(next(iter(arrays.values())))):
        all_ = exported.candidates({name: values[i] for name, values in arrays.items()}, 0.0)
        top = Candidates(*(part[np.argsort(-all_.scores, kind="stable")[:_LOOKED_AT]] for part in all_))
        kept = nms(*top, _NMS_IOU, _MOST)
        yield Candidates(*(part[kept] for part in top))


def _matches(ours: Candidates, theirs: Candidates) -> Iterator[tuple[int, int]]:
    """Of which of ``theirs`` there is one in ``ours``, and which."""
    for k, (box, class_id) in enumerate(zip(theirs.boxes, theirs.class_ids, strict=True)):
        overlaps = iou(box, ours.boxes) * (ours.class_ids == class_id)
        if len(overlaps) and overlaps.max() >= 0.9:
            yield k, int(overlaps.argmax())


def _discs(height: int, width: int) -> np.ndarray:
    """A picture, uint8 [H, W, 3], of discs on a ground of waves.

    A formula, so that every machine makes the same one: layers are compared on it.
    """
    y, x = np.mgrid[:height, :width] / min(height, width)
    picture = np.stack([0.4 + 0.15 * np.sin(9 * x + i) * np.cos(11 * y + 2 * i) for i in range(3)], axis=-1)
    for i, (at_x, at_y, radius) in enumerate(((0.25, 0.3, 0.15), (0.7, 0.6, 0.22), (0.5, 0.85, 0.06))):
        picture[(x - at_x) ** 2 + (y - at_y) ** 2 < radius**2] = 0.9 * np.roll((1.0, 0.4, 0.1), i)
    return (255 * picture).astype(np.uint8)
