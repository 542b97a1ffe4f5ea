"""One frame of a drive: what the sensors measure and what is true, as the bytes of its files."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulation.actors import Moment
from simulation.camera.render import Picture, render
from simulation.layouts import oxts
from simulation.lidar.profile import load_profile
from simulation.lidar.sweep import Scan, scan
from simulation.recipe import LEFT, Recipe
from simulation.street import Street
from simulation.truth import boxes, motion, objects, tracking, visibility

STAGES = ("traffic", "world", "lidar", "camera", "truth", "writing")
_LIDAR = 1  # seeds the scans' noise; a camera's number that of its pictures


@dataclass(frozen=True, eq=False)
class Frame:
    """``files``: bytes by product (:meth:`Recipe.products`). ``record``: what the files about all frames need of it."""

    files: dict[str, bytes]
    record: dict[str, Any]


class Clock:
    """How long each stage has taken, in seconds of wall time."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started


class FrameMaker:
    """Makes the frames of one drive, best in the order of time: traffic is stepped on from one to the next."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.clock = recipe, Clock()
        self._street = Street(recipe.seed, recipe.settings)
        self._profile = load_profile(recipe.settings.sensor)
        self._kept: dict[int, Moment] = {}  # motion needs a frame's moment and the next

    def make(self, frame: int) -> Frame:
        """Frame ``frame``; it depends on the recipe and its number alone."""
        recipe, settings, clock = self.recipe, self.recipe.settings, self.clock
        optics = settings.camera.optics
        moment = self._moment(frame)
        with clock("lidar"):
            turn = scan(moment, self._street.weather, settings.lidar, self._profile, self._generator(frame, _LIDAR))
        pictures = {}
        with clock("camera"):
            for camera in recipe.cameras:
                rng = self._generator(frame, camera)
                pictures[camera] = render(moment, self._street.weather, settings.camera, rng, camera)
        left = pictures.get(LEFT)
        with clock("truth"):
            seen = {camera: visibility.measure(moment, p.hits, camera, optics) for camera, p in pictures.items()}
            anybody = set().union(*seen.values())
            solid = boxes.measure(moment, turn.labels, turn.dt_s, compensated=settings.lidar.compensate, seen=anybody)
            record = {
                "lidar_pose": moment.lidar_pose().tolist(),
                "tracking": {n: tracking.lines(frame, moment, by, solid) for n, by in seen.items()},
                "objects": objects.line(frame, moment, seen, solid),
                "points_per_label": _counts(turn.labels & 0xFFFF),
            }
        arrays = self._dense_truth(frame, moment, turn, left)
        with clock("writing"):
            files = {"velodyne": turn.points.tobytes(), "labels": turn.labels.tobytes()}
            files |= {f"image_{camera}": _png(picture.image) for camera, picture in pictures.items()}
            files |= {p: _png(a) if isinstance(a, np.ndarray) else _npz(a) for p, a in arrays.items()}
            if "point-times" in recipe.truth:
                files["point_times"] = _npy(turn.dt_s)
            if recipe.layout == "raw":
                files["oxts"] = oxts.packet_text(moment.ego).encode()
        return Frame(files, record)

    def _moment(self, frame: int) -> Moment:
        if frame not in self._kept:
            t_s = self.recipe.time_s(frame)
            with self.clock("traffic"):
                crowd = self._street.traffic.at(t_s)
            with self.clock("world"):
                self._kept[frame] = self._street.around(crowd, t_s)
        self._kept = {k: m for k, m in self._kept.items() if k >= frame - 1}
        return self._kept[frame]

    def _dense_truth(
        self, frame: int, moment: Moment, turn: Scan, left: Picture | None
    ) -> dict[str, np.ndarray | dict[str, np.ndarray]]:
        """What the recipe asks for, by product: a picture, or named arrays."""
        asked, truth, optics = self.recipe.truth, {}, self.recipe.settings.camera.optics
        following = self._moment(frame + 1) if {"flow", "scene-flow"} & set(asked) else None
        with self.clock("truth"):
            if "depth" in asked:
                truth["depth_2"] = {"depth_m": visibility.depth_image(left.hits, optics)}
            if "instances" in asked:
                truth["instances_2"] = visibility.instance_image(moment, left.hits, optics)
            seen = None
            if following is not None and left is not None:
                seen = motion.follow(moment, left.hits, following, LEFT, optics)
            if "flow" in asked:
                truth["flow_2"] = vars(motion.optical_flow(seen))
            if "scene-flow" in asked:
                compensated = self.recipe.settings.lidar.compensate
                flow = motion.point_scene_flow(
                    moment, turn.points, turn.triangle, turn.dt_s, following, compensated=compensated
                )
                truth["scene_flow"] = vars(flow)
                if seen is not None:
                    truth["scene_flow_2"] = vars(motion.pixel_scene_flow(seen))
        return truth

    def _generator(self, frame: int, sensor: int) -> np.random.Generator:
        return np.random.default_rng([self.recipe.seed, frame * self.recipe.every, sensor])


def _counts(labels: np.ndarray) -> dict[str, int]:
    """How often each raw label occurs."""
    found, counts = np.unique(labels, return_counts=True)
    return {str(label): int(n) for label, n in zip(found, counts, strict=True)}


def _png(image: np.ndarray) -> bytes:
    import cv2

    return cv2.imencode(".png", image)[1].tobytes()


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
