"""What a drive is made from: its length, seed and settings, and which files it consists of."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from errors import UserError
from simulation.lidar.profile import load_profile
from simulation.settings import Settings
from simulation.world.plan import draw_plan

PERIOD_S = 0.1  # of a LiDAR's turn, and between a drive's frames where none is left out
LayoutName = Literal["odometry", "raw"]
TruthName = Literal["depth", "flow", "scene-flow", "instances", "point-times"]
OF_POINTS: tuple[TruthName, ...] = ("scene-flow", "point-times")  # truth that needs no camera
LEFT, RIGHT = 2, 3  # KITTI's numbers of the colour cameras
_ONLY_LOOK = ("preview", "statistics")  # rooms whose code looks at drives and changes none

# Upper ends of what a frame's file takes, bytes: a scan of an HDL-64E or OS-1-128, a noisy picture, its dense truth.
_BYTES = {
    "velodyne": 2_200_000, "labels": 550_000, "image_2": 1_200_000, "image_3": 1_200_000, "depth_2": 1_900_000,
    "flow_2": 4_000_000, "scene_flow": 3_300_000, "scene_flow_2": 8_000_000, "instances_2": 60_000,
    "point_times": 550_000, "oxts": 1_000,
}  # fmt: skip
_PICTURES = ("image_2", "image_3", "depth_2", "flow_2", "scene_flow_2", "instances_2")


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``cameras`` is any of :data:`LEFT` and :data:`RIGHT`; ``truth`` is what there shall be beyond labels and boxes.

    Of the moments 0.1 s apart every ``every``-th is a frame, ``frames`` of them. The same recipe gives the same bytes,
    and what sensors measure at a moment is the same whichever moments are frames.
    """

    frames: int
    seed: int
    every: int = 1
    settings: Settings = Settings()
    layout: LayoutName = "odometry"
    cameras: tuple[int, ...] = (LEFT,)
    truth: tuple[TruthName, ...] = ()

    def check(self) -> None:
        """Raise :class:`UserError` where a value is out of range or two do not go together."""
        if not 1 <= self.frames <= 1_000_000:
            raise UserError(f"--frames {self.frames}: must be from 1 to 1000000")
        if not 1 <= self.every <= 10_000:
            raise UserError(f"--every {self.every}: must be from 1 to 10000")
        if not 0 <= self.seed < 2**63:
            raise UserError(f"--seed {self.seed}: must be from 0 to 2^63 - 1")
        for name in self.truth:
            if name not in OF_POINTS and LEFT not in self.cameras:
                raise UserError(f"--truth {name}: is the left camera's; add --camera left or both")
        load_profile(self.settings.sensor)
        draw_plan(self.seed, self.settings.street)

    @property
    def period_s(self) -> float:
        """Between two frames."""
        return round(self.every * PERIOD_S, 6)

    def time_s(self, frame: int) -> float:
        """When a frame is taken, after the start of the drive. Equal, bit by bit, for all ``every`` that have it."""
        return frame * self.every * PERIOD_S

    def products(self) -> tuple[str, ...]:
        """What each frame consists of, named as the folders of the odometry layout."""
        products = ["velodyne", "labels", *(f"image_{camera}" for camera in self.cameras)]
        products += [p for name, p in (("depth", "depth_2"), ("flow", "flow_2")) if name in self.truth]
        if "scene-flow" in self.truth:
            products += ["scene_flow", "scene_flow_2"] if LEFT in self.cameras else ["scene_flow"]
        products += ["instances_2"] if "instances" in self.truth else []
        products += ["point_times"] if "point-times" in self.truth else []
        return (*products, "oxts") if self.layout == "raw" else tuple(products)

    def bytes_per_frame(self) -> int:
        """How much disk a frame may take: an upper estimate."""
        area = self.settings.camera.scale**2
        return sum(round(_BYTES[product] * (area if product in _PICTURES else 1.0)) for product in self.products())

    def parameters(self) -> dict[str, Any]:
        """All of it as plain data, with a digest of the simulator's code: other code, other bytes."""
        return {**msgspec.to_builtins(self), "code": code_digest()}


@cache
def code_digest() -> str:
    """First 12 hexadecimal digits of SHA-256 over the sources that make drives, and the sensor profiles."""
    root = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    sources = [p for p in sorted(root.rglob("*.py")) if p.relative_to(root).parts[0] not in _ONLY_LOOK]
    for path in [*sources, *sorted((root.parent / "configs" / "sensors").glob("*.yaml"))]:
        digest.update(path.relative_to(root.parent).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
