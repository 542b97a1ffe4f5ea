"""What is measured: the name, unit and bins of every statistic, and how two values of it are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from simulation.statistics.histograms import jensen_shannon, wasserstein_1

Kind = Literal["number", "histogram", "shares", "profile"]
# A recording's value of one statistic is a sum over its frames divided by another: (dividend, divisor).
Tally = dict[str, tuple[np.ndarray, np.ndarray]]

CLASSES = (
    "unlabelled", "car", "bicycle", "motorcycle", "truck", "other-vehicle", "person", "bicyclist", "motorcyclist",
    "road", "parking", "sidewalk", "other-ground", "building", "fence", "vegetation", "trunk", "terrain", "pole",
    "traffic-sign",
)  # fmt: skip
RINGS = 64
WIDTHS = (2048, 512)  # of the range images whose empty pixels are counted
LABELLED_M = 50.0  # SemanticKITTI has no labels beyond, so no statistic of labels looks there
FOV_UP_DEG, FOV_DOWN_DEG = 3.0, -25.0


@dataclass(frozen=True)
class Quantity:
    """One statistic. ``edges`` [B+1] are the bins of a histogram or of the axis along which a profile runs.

    ``number``: one value. ``histogram``: shares of bins in order, compared by how far mass must be moved (W1).
    ``shares``: shares of things without an order, compared by Jensen-Shannon divergence. ``profile``: a mean in each
    bin, compared by the mean absolute difference where both have one.
    """

    title: str
    kind: Kind
    unit: str
    edges: np.ndarray
    axis: str = ""

    def difference(self, a: np.ndarray, b: np.ndarray) -> float:
        """How far two values [B] ([1] for a number) are apart, never negative, in ``unit`` (bits for shares)."""
        if self.kind == "histogram":
            return wasserstein_1(a, b, self.edges)
        if self.kind == "shares":
            return jensen_shannon(a, b)
        apart = np.abs(a - b)
        return float(np.nanmean(apart)) if np.isfinite(apart).any() else float("nan")


_ONE = np.array([0.0, 1.0])
_REMISSION = np.arange(102) * 0.01 - 0.005  # KITTI's remission comes in steps of 0.01
_RANGE = np.arange(0.0, 81.0, 1.0)
_RING_AXIS = np.arange(RINGS + 1) - 0.5


def _number(title: str, unit: str) -> Quantity:
    return Quantity(title, "number", unit, _ONE)


LIDAR: dict[str, Quantity] = {
    "points": _number("points per scan", "points"),
    "empty_2048": _number("empty pixels, 64×2048", "%"),
    "empty_512": _number("empty pixels, 64×512", "%"),
    "near": _number("points nearer than 3 m", "%"),
    "nearest": _number("nearest point", "m"),
    "stray": _number("points off both neighbours of their ring (mixed pixels, leaves, posts)", "%"),
    "jumps": _number("neighbours in a ring more than 0.5 m apart in range", "%"),
    "holes": _number("pulses lost one by one on a surface, within 30 m", "%"),
    "dark": _number("points with remission 0", "%"),
    "saturated": _number("points with remission 0.99 and more", "%"),
    "ring_points": Quantity("points per ring", "profile", "points", _RING_AXIS, "ring, from the top"),
    "empty_rows_2048": Quantity("empty pixels per row, 64×2048", "profile", "%", _RING_AXIS, "row, from the top"),
    "empty_rows_512": Quantity("empty pixels per row, 64×512", "profile", "%", _RING_AXIS, "row, from the top"),
    "ring_range": Quantity("median range per ring", "profile", "m", _RING_AXIS, "ring, from the top"),
    "ring_remission": Quantity("mean remission per ring", "profile", "", _RING_AXIS, "ring, from the top"),
    "range": Quantity("range", "histogram", "m", _RANGE, "range (m)"),
    "remission": Quantity("remission", "histogram", "", _REMISSION, "remission"),
    "step": Quantity("step in range to the next point of the ring", "histogram", "log10 m",
                     np.arange(-3.0, 2.01, 0.1), "log10 of step in range (m)"),
    "turn": Quantity("azimuth to the next point of the ring", "histogram", "°",
                     np.arange(0.0, 2.001, 0.02), "azimuth step (°)"),
    "incidence": Quantity("angle of incidence", "histogram", "°", np.arange(0.0, 91.0, 3.0), "angle of incidence (°)"),
    "remission_range": Quantity("mean remission by range", "profile", "", np.arange(0.0, 81.0, 4.0), "range (m)"),
    "remission_incidence": Quantity("mean remission by angle of incidence", "profile", "", np.arange(0.0, 91.0, 6.0),
                                    "angle of incidence (°)"),
    "height": Quantity("height above the LiDAR, within 30 m", "histogram", "m", np.arange(-3.0, 7.01, 0.1), "z (m)"),
}  # fmt: skip

LABELLED: dict[str, Quantity] = {
    "classes": Quantity("shares of classes, within 50 m", "shares", "bits", np.arange(len(CLASSES) + 1) - 0.5),
    "class_holes": Quantity("pulses lost one by one on a surface, by class", "profile", "%",
                            np.arange(len(CLASSES) + 1) - 0.5),
    "unlabelled": _number("points without a class of the 19, within 50 m", "%"),
    "outlier": _number("points labelled outlier, within 50 m", "%"),
    "sensor_height": _number("height of the LiDAR above the plane through the road within 15 m", "m"),
    "road_rise": _number("rise of that plane ahead, in the LiDAR's frame", "%"),
    "road_fall": _number("fall of that plane to either side", "%"),
    "road_rough": _number("standard deviation of road points from that plane", "cm"),
    "road_height": Quantity("height of road within 20 m", "histogram", "m", np.arange(-2.5, -0.99, 0.02), "z (m)"),
    "road_remission_range": Quantity("remission of road by range", "profile", "", np.arange(0.0, 61.0, 4.0),
                                     "range (m)"),
    **{f"remission/{name}": Quantity(f"remission of {name}", "histogram", "", _REMISSION, "remission")
       for name in CLASSES},
    **{f"range/{name}": Quantity(f"range of {name}", "histogram", "m", _RANGE, "range (m)") for name in CLASSES},
}  # fmt: skip

_LEVELS = np.arange(0.0, 257.0, 4.0) - 0.5
PICTURE: dict[str, Quantity] = {
    "red": _number("mean red", "levels"),
    "green": _number("mean green", "levels"),
    "blue": _number("mean blue", "levels"),
    "contrast": _number("contrast (standard deviation of brightness)", "levels"),
    "burnt": _number("burnt-out pixels (brightness ≥ 250)", "%"),
    "deep": _number("pixels in deep shadow (brightness ≤ 20)", "%"),
    "sharpness": _number("sharpness (standard deviation of the Laplacian)", "levels"),
    "noise": _number("noise (Immerkær's estimate on flat tiles)", "levels"),
    "brightness": Quantity("brightness", "histogram", "levels", _LEVELS, "brightness (0..255)"),
    "saturation": Quantity("saturation (HSV)", "histogram", "levels", _LEVELS, "saturation (0..255)"),
    "hue": Quantity("hue of coloured pixels", "shares", "bits", np.arange(0.0, 361.0, 15.0), "hue (°)"),
    "gradient": Quantity("brightness gradient", "histogram", "levels/px",
                         np.arange(0.0, 129.0, 2.0),
                         "gradient (levels per pixel)"),
    "brightness_rows": Quantity("mean brightness by row", "profile", "levels", np.arange(0.0, 376.0, 25.0),
                                "row of a picture 375 pixels high"),
    "gradient_rows": Quantity("mean gradient by row", "profile", "levels/px", np.arange(0.0, 376.0, 25.0),
                              "row of a picture 375 pixels high"),
}  # fmt: skip

QUANTITIES = LIDAR | LABELLED | PICTURE
