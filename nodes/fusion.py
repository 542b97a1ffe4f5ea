"""Join what the sensors and models say of one LiDAR scan: labels, image colours, objects in metres, actions."""

from __future__ import annotations

import logging

import msgspec
import numpy as np

from errors import UserError
from pipeline.messages import (
    ActionProposal,
    ActionProposals,
    CameraFrame,
    Detections,
    FusedFrame,
    FusedObject,
    InputStatus,
    LidarScan,
    SemanticScan,
    Tracks,
)

log = logging.getLogger(__name__)


class Fusion:
    """One :class:`FusedFrame` per scan. Whatever input is missing, the rest is joined; ``inputs`` says what and why.

    Args:
        min_depth_m: points nearer to the camera than this, along its optical axis, are not in view.
        occlusion_window_px, occlusion_tolerance: the test that keeps points which the camera cannot see from taking the
            colour of what hides them; see :func:`models.lidar_camera.painting.paint_points`.

    Objects are the tracks where there are any, else the detections. Their distance is the median range of their points
    from the LiDAR, their extent the axis-aligned box around these points in the LiDAR's frame: of the visible side, as
    the LiDAR does not see the back. Both are None where no point falls into the box, or image or calibration is
    missing. :mod:`models.lidar_camera.objects` says which points are an object's.

    Proposals are those of actions that are going on, as far as is known: begun by the scan's stamp, and either ending
    after it or reaching the newest snippets (``open_after_s``), behind which nobody has seen an end yet.
    """

    def __init__(
        self, min_depth_m: float = 0.5, occlusion_window_px: int = 3, occlusion_tolerance: float = 0.1
    ) -> None:
        self.min_depth_m = min_depth_m
        self.occlusion_window_px = occlusion_window_px
        self.occlusion_tolerance = occlusion_tolerance
        self._uncalibrated_told = False

    @classmethod
    def check(cls, min_depth_m: float = 0.5, occlusion_window_px: int = 3, occlusion_tolerance: float = 0.1) -> None:
        """Raise :class:`UserError` where a parameter is out of range."""
        if not min_depth_m > 0:
            raise UserError(f"fusion: min_depth_m is {min_depth_m}; give a depth in metres above 0")
        if occlusion_window_px < 0:
            raise UserError(f"fusion: occlusion_window_px is {occlusion_window_px}; give 0 or more pixels")
        if not 0 <= occlusion_tolerance <= 1:
            raise UserError(
                f"fusion: occlusion_tolerance is {occlusion_tolerance}; give a fraction of 0..1 (1: no test)"
            )

    def open(self) -> None:
        """Compile the painting now, not while the first scan waits."""
        from models.lidar_camera.painting import paint_points

        paint_points(np.zeros((1, 4), np.float32), np.zeros((1, 1, 3), np.uint8), np.eye(3, 4))

    def process(
        self,
        scan: LidarScan,
        semantics: SemanticScan | None,
        image: CameraFrame | None,
        detections: Detections | None,
        tracks: Tracks | None,
        proposals: ActionProposals | None,
        status: tuple[InputStatus, ...],
    ) -> FusedFrame:
        """Join one synchronised set. Raises :class:`ValueError` where the labels are not this scan's."""
        if semantics is not None and len(semantics.labels) != len(scan.points):
            raise ValueError(
                f"scan {_called(scan)} has {len(scan.points)} points but semantics {_called(semantics)} has "
                f"{len(semantics.labels)} labels: they are not of the same scan"
            )
        labels = np.zeros(len(scan.points), np.uint8) if semantics is None else semantics.labels
        names = semantics.class_names if semantics is not None else ()
        pixels, colors = self._paint(scan.points, image)
        return FusedFrame(
            header=scan.header,
            points=scan.points,
            labels=labels,
            class_names=names,
            class_colors=semantics.class_colors if semantics is not None else (),
            colors=colors,
            pixels=pixels,
            objects=_fused_objects(tracks if tracks is not None else detections, scan.points, pixels, labels, names),
            proposals=_active(proposals, scan.header.stamp_ns),
            inputs=status,
        )

    def _paint(self, points: np.ndarray, image: CameraFrame | None) -> tuple[np.ndarray | None, np.ndarray | None]:
        if image is None:
            return None, None
        if image.lidar_to_image is None:
            if not self._uncalibrated_told:
                log.warning("the camera has no calibration to the LiDAR: points get no colours, objects no distances")
                self._uncalibrated_told = True
            return None, None
        from models.lidar_camera.painting import paint_points

        return paint_points(
            points,
            image.image,
            image.lidar_to_image,
            min_depth_m=self.min_depth_m,
            occlusion_window_px=self.occlusion_window_px,
            occlusion_tolerance=self.occlusion_tolerance,
        )


def _fused_objects(
    found: Tracks | Detections | None,
    points: np.ndarray,
    pixels: np.ndarray | None,
    labels: np.ndarray,
    point_class_names: tuple[str, ...],
) -> tuple[FusedObject, ...]:
    if found is None:
        return ()
    from models.lidar_camera.objects import foreign_labels, matching_labels, points_in_box

    track_ids = found.track_ids.tolist() if isinstance(found, Tracks) else [None] * len(found.boxes)
    if pixels is not None:
        in_view = np.isfinite(pixels[:, 0])
        points, pixels, labels = points[in_view], pixels[in_view], labels[in_view]
    objects = []
    for box, score, class_id, track_id in zip(found.boxes, found.scores, found.class_ids, track_ids, strict=True):
        name = found.class_names[class_id]
        xyz = np.empty((0, 3), np.float32)
        if pixels is not None:
            accepted, foreign = (of(name, point_class_names) for of in (matching_labels, foreign_labels))
            xyz = points_in_box(points, pixels, labels, box, accepted, foreign)
        known = len(xyz) > 0
        objects.append(
            FusedObject(
                box=tuple(box.tolist()),
                class_name=name,
                score=float(score),
                track_id=track_id,
                distance_m=float(np.median(np.linalg.norm(xyz, axis=1))) if known else None,
                extent_min=tuple(xyz.min(axis=0).tolist()) if known else None,
                extent_max=tuple(xyz.max(axis=0).tolist()) if known else None,
                point_count=len(xyz),
            )
        )
    return tuple(objects)


def _active(known: ActionProposals | None, stamp_ns: int) -> tuple[ActionProposal, ...]:
    """Those going on, in seconds of sensor time."""
    if known is None:
        return ()
    now_s, begin_s = (stamp_ns - known.begin_ns) / 1e9, known.begin_ns / 1e9
    return tuple(
        msgspec.structs.replace(p, start_s=begin_s + p.start_s, end_s=begin_s + p.end_s)
        for p in known.proposals
        if p.start_s <= now_s and p.end_s > min(now_s, known.open_after_s)
    )


def _called(message: LidarScan | SemanticScan) -> str:
    return f"{message.header.name or message.header.seq}"
