"""Statistics of one HDL-64E scan, with or without labels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from errors import UserError
from formats.labels import LabelTable
from models.range_view.projection import project
from simulation.statistics.histograms import counted
from simulation.statistics.quantities import (
    CLASSES,
    FOV_DOWN_DEG,
    FOV_UP_DEG,
    LABELLED,
    LABELLED_M,
    LIDAR,
    RINGS,
    WIDTHS,
    Tally,
)

_ENOUGH_ROAD = 1000  # points for a plane
_OUTLIER = 1  # SemanticKITTI's raw label


def split_rings(points: np.ndarray) -> np.ndarray:
    """The ring of each point int64 [N], 0 at the top, from the order in the file: ring by ring, each from straight
    ahead counter-clockwise.

    A step over the seam ahead begins a ring; one back over it (jitter at the seam) takes that back. Rings that are
    not there at all are taken to be the uppermost, which look into the sky.

    Raises:
        UserError: no points, more than 64 rings, or points in another order.
    """
    if not len(points):
        raise UserError("no points in this scan")
    azimuth = np.degrees(np.arctan2(points[:, 1], points[:, 0])) % 360.0
    step = np.diff(azimuth)
    ring = np.concatenate([[0], np.cumsum((step < -180.0).astype(np.int64) - (step > 180.0))])
    ring -= ring.min()
    if ring.max() >= RINGS or (np.abs(step) > 180.0).sum() > 0.1 * len(points):
        raise UserError(f"{ring.max() + 1} rings found; the statistics are those of an HDL-64E, in KITTI's order")
    return ring + (RINGS - 1 - ring.max())


def measure_scan(points: np.ndarray, raw_labels: np.ndarray | None, table: LabelTable) -> Tally:
    """The statistics of ``points`` float32 [N,4] (x, y, z in metres, remission) and their raw labels [N], if any.

    Raises:
        UserError: not a scan of an HDL-64E, or labels that are not in ``table``.
    """
    ring = split_rings(points)
    range_m = np.linalg.norm(points[:, :3], axis=1)
    incidence = incidence_deg(points, ring)
    tally = _of_points(points, ring, range_m, incidence)
    tally |= _of_neighbours(points, ring, range_m)
    tally |= _of_range_images(points)
    pairs, lost = surface_pairs(points, ring, range_m)
    tally["holes"] = _ratio(100 * lost.sum(), pairs.sum())
    if raw_labels is not None:
        classes = table.to_train(raw_labels)
        near = range_m < LABELLED_M
        tally |= _of_labels(points[near], range_m[near], raw_labels[near], classes[near])
        pairs &= np.diff(classes.astype(int)) == 0
        tally["class_holes"] = (
            100.0 * np.bincount(classes[1:][pairs & lost], minlength=len(CLASSES)),
            np.bincount(classes[1:][pairs], minlength=len(CLASSES)).astype(float),
        )
    return tally


def incidence_deg(points: np.ndarray, ring: np.ndarray, columns: int = 1024) -> np.ndarray:
    """The angle [N] between each beam and the surface's normal (degrees, 0 head-on), NaN where no surface is seen.

    Normals are cross products of the ways to the next point of the ring and of the ring below, on a grid of rings by
    azimuth, where both are nearer than a fifth of the range.
    """
    column = np.floor((np.arctan2(points[:, 1], points[:, 0]) % (2 * np.pi)) * (columns / (2 * np.pi))).astype(int)
    column = np.minimum(column, columns - 1)
    grid = np.full((RINGS, columns, 3), np.nan)
    grid[ring, column] = points[:, :3]
    across, down = np.roll(grid, -2, 1) - np.roll(grid, 2, 1), np.full_like(grid, np.nan)
    down[:-1] = grid[1:] - grid[:-1]
    down[-1] = down[-2]
    normal = np.cross(across, down)
    reach = 0.2 * np.linalg.norm(grid, axis=2)
    with np.errstate(invalid="ignore"):
        smooth = (np.linalg.norm(across, axis=2) < reach) & (np.linalg.norm(down, axis=2) < reach)
        cosine = np.abs((normal * grid).sum(2)) / (np.linalg.norm(normal, axis=2) * np.linalg.norm(grid, axis=2))
        angle = np.where(smooth, np.degrees(np.arccos(np.clip(cosine, 0.0, 1.0))), np.nan)
    return angle[ring, column]


def surface_pairs(points: np.ndarray, ring: np.ndarray, range_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which neighbours in the file are neighbours on one surface, and between which of them one pulse is missing.

    Two bool [N-1]: within 30 m, in one ring, less than 0.3 m apart in range; and, of those, with the azimuth between
    them of two steps of the laser (0.18° each) instead of one.
    """
    turn = np.abs(np.diff(np.degrees(np.unwrap(np.arctan2(points[:, 1], points[:, 0])))))
    pairs = (np.diff(ring) == 0) & (np.abs(np.diff(range_m)) < 0.3) & (range_m[1:] < 30.0)
    return pairs, pairs & (turn > 0.27) & (turn < 0.45)


def _of_points(points: np.ndarray, ring: np.ndarray, range_m: np.ndarray, incidence: np.ndarray) -> Tally:
    remission, n = points[:, 3], len(points)
    per_ring = np.bincount(ring, minlength=RINGS).astype(float)
    bounds = np.concatenate([[0], np.cumsum(per_ring)]).astype(int)
    medians = np.array([np.median(range_m[a:b]) if b > a else 0.0 for a, b in pairwise(bounds)])
    seen = ~np.isnan(incidence)
    return {
        "points": _ratio(n, 1),
        "near": _ratio(100 * (range_m < 3.0).sum(), n),
        "nearest": _ratio(range_m.min(), 1),
        "dark": _ratio(100 * (remission < 0.005).sum(), n),
        "saturated": _ratio(100 * (remission > 0.985).sum(), n),
        "ring_points": (per_ring, np.ones(RINGS)),
        "ring_range": (medians, (per_ring > 0).astype(float)),
        "ring_remission": (np.bincount(ring, remission, RINGS), per_ring),
        "range": _histogram("range", range_m),
        "remission": _histogram("remission", remission),
        "height": _histogram("height", points[range_m < 30.0, 2]),
        "incidence": _histogram("incidence", incidence),
        "remission_range": _profile("remission_range", range_m, remission),
        "remission_incidence": _profile("remission_incidence", incidence[seen], remission[seen]),
    }


def _of_neighbours(points: np.ndarray, ring: np.ndarray, range_m: np.ndarray) -> Tally:
    """Statistics of steps from each point to the next of its ring, where nothing is missing between the two."""
    azimuth = np.degrees(np.unwrap(np.arctan2(points[:, 1], points[:, 0])))
    turn = np.abs(np.diff(azimuth))
    same = np.diff(ring) == 0
    beside = same & (turn < 0.3)
    step = np.abs(np.diff(range_m))
    pair = beside[:-1] & beside[1:]
    ahead, behind = np.diff(range_m)[1:], np.diff(range_m)[:-1]
    # Off both neighbours by 0.3 m, whether between two surfaces (the signs agree) or alone (they do not).
    stray = pair & (np.abs(ahead) > 0.3) & (np.abs(behind) > 0.3)
    return {
        "step": _histogram("step", np.log10(np.maximum(step[beside], 1e-9))),
        "turn": _histogram("turn", turn[same]),
        "jumps": _ratio(100 * (step[beside] > 0.5).sum(), beside.sum()),
        "stray": _ratio(100 * stray.sum(), pair.sum()),
    }


def _of_range_images(points: np.ndarray) -> Tally:
    tally: Tally = {}
    for width in WIDTHS:
        image = project(points, height=RINGS, width=width, fov_up_deg=FOV_UP_DEG, fov_down_deg=FOV_DOWN_DEG).image
        empty = 100.0 * (image[0] < 0)
        tally[f"empty_{width}"] = _ratio(empty.mean(), 1)
        tally[f"empty_rows_{width}"] = (empty.mean(1), np.ones(RINGS))
    return tally


def _of_labels(points: np.ndarray, range_m: np.ndarray, raw: np.ndarray, classes: np.ndarray) -> Tally:
    remission, n = points[:, 3], len(classes)
    road = classes == CLASSES.index("road")
    tally: Tally = {
        "classes": (np.bincount(classes, minlength=len(CLASSES)).astype(float), np.array([float(n)])),
        "unlabelled": _ratio(100 * (classes == 0).sum(), n),
        "outlier": _ratio(100 * (raw == _OUTLIER).sum(), n),
        "road_height": _histogram("road_height", points[road & (range_m < 20.0), 2]),
        "road_remission_range": _profile("road_remission_range", range_m[road], remission[road]),
    }
    tally |= _of_road(points[road & (range_m < 15.0), :3].astype(float))
    for number, name in enumerate(CLASSES):
        of_class = classes == number
        tally[f"remission/{name}"] = _histogram(f"remission/{name}", remission[of_class])
        tally[f"range/{name}"] = _histogram(f"range/{name}", range_m[of_class])
    return tally


def _of_road(points: np.ndarray) -> Tally:
    """The plane through road points [N,3], by least squares; nothing where there are too few to tell."""
    if len(points) < _ENOUGH_ROAD:
        return {}
    sloped = np.column_stack([points[:, :2], np.ones(len(points))])
    (ahead, left, height), *_ = np.linalg.lstsq(sloped, points[:, 2])
    return {
        "sensor_height": _ratio(-height, 1),
        "road_rise": _ratio(100 * ahead, 1),
        "road_fall": _ratio(100 * abs(left), 1),
        "road_rough": _ratio(100 * (points[:, 2] - sloped @ (ahead, left, height)).std(), 1),
    }


def _ratio(dividend: float, divisor: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(dividend)]), np.array([float(divisor)])


def _histogram(name: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts = counted(values, (LIDAR | LABELLED)[name].edges)
    return counts, counts.sum(keepdims=True)


def _profile(name: str, along: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums and counts of ``values`` in the bins of ``along``; what lies beyond them is left out."""
    edges = (LIDAR | LABELLED)[name].edges
    return np.histogram(along, edges, weights=values)[0].astype(float), np.histogram(along, edges)[0].astype(float)
