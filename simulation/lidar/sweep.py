"""One turn of a LiDAR on a moving vehicle: each pulse leaves from where the vehicle is at its time.

Turn k is centred on the frame's stamp: the head then faces straight ahead, as KITTI's does when its cameras expose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from simulation.actors import Moment
from simulation.lidar import edges
from simulation.lidar.optics import AIR, CLEAR, GLOSS, MIRROR, NOTHING, PATCHES, SURFACE, Conditions, Targets, echoes
from simulation.lidar.profile import Profile
from simulation.lidar.texture import PANE_M, SKIN_M, parts, unevenness
from simulation.lidar.turn import Turn, turn_of
from simulation.scene import Scene
from simulation.settings import LidarSettings
from simulation.shapes.materials import hash_unit
from simulation.weather import Weather

_BLOCK = 16384  # pulses cast at a time, in whole rings: their arrays stay in the processor's cache
_PANES = 2  # so many a pulse may pass: into a car and out of it
_RIM = 0.03  # deviation of the ranges of a rim, of its mean
_BEHIND_M = 0.01  # a pulse that passed a pane goes on from here
UNLABELLED, OUTLIER = 0, 1


@dataclass(frozen=True)
class Scan:
    """What one turn measured, ring by ring from the top, each ring counter-clockwise from straight ahead.

    ``points`` float32 [N,4]: x y z (metres, LiDAR frame) and remission 0..1; ``labels`` uint32 [N]: SemanticKITTI,
    instance in the upper 16 bits, true at any range (its annotators stopped at 50 m); ``object_ids`` int64 [N]: which
    object of the street each point lies on; ``triangle`` int64 [N]: an index into ``Scene.attribute``; ``dt_s`` float32
    [N]: when its pulse was sent, in seconds after the moment.

    Echoes of air have label 1 (outlier); points between two surfaces and those of the own vehicle have 0 (unlabelled),
    as in SemanticKITTI; object and triangle are -1 for all of them.
    """

    points: np.ndarray
    labels: np.ndarray
    object_ids: np.ndarray
    triangle: np.ndarray
    dt_s: np.ndarray


def scan(moment: Moment, weather: Weather, settings: LidarSettings, profile: Profile, rng: np.random.Generator) -> Scan:
    """One turn. With ``settings.compensate`` points are where they would be had all been measured at the moment's time
    (the vehicle's motion is taken out, not that of others); without it each is in the LiDAR's frame of its own time."""
    turn = turn_of(profile)
    poses = moment.lidar_poses(turn.column_dt_s)
    there = np.linalg.inv(moment.lidar_pose())
    placing = there @ poses if settings.compensate else np.broadcast_to(np.eye(4), poses.shape)
    conditions = _conditions(weather, settings, profile)
    rings = max(1, _BLOCK // profile.columns) * profile.columns
    blocks = [slice(first, first + rings) for first in range(0, len(turn.beam), rings)]
    parts = [_fire(moment.scene, profile, conditions, turn, b, poses, placing, rng) for b in blocks]
    return Scan(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _conditions(weather: Weather, settings: LidarSettings, profile: Profile) -> Conditions:
    return Conditions(
        min_m=profile.range.min_m,
        max_m=profile.range.max_m,
        resolution_m=profile.range.resolution_m,
        noise_m=settings.noise * profile.range.noise_m,
        fade_per_m2=profile.remission.fade_per_m2,
        gain=profile.remission.gain,
        weakest=profile.weakest_return,
        remission_step=profile.remission.step,
        remission_max=profile.remission.max,
        grain=settings.noise,
        dropout=settings.dropout,
        extinction_per_m=weather.extinction_per_m,
        rain_mmph=weather.rain_mmph,
        wetness=weather.wetness,
    )


def _fire(
    scene: Scene,
    profile: Profile,
    conditions: Conditions,
    turn: Turn,
    block: slice,
    poses: np.ndarray,
    placing: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    """The columns of a :class:`Scan` that some whole rings give."""
    origins, directions, column, beam = (a[block] for a in (turn.origins, turn.directions, turn.column, turn.beam))
    hidden, dt = turn.hidden[block], turn.column_dt_s[column]
    starts, rays = _carry(origins, directions, column, poses)
    curve = (turn.offset[block], turn.slope[block], turn.floor[block])
    targets, triangle = _meet(scene, starts, rays, dt, hidden, curve, conditions.wetness)

    step = 2 * np.pi / profile.columns
    luck = rng.random((len(beam), 3), np.float32)
    label = scene.attribute("label")[triangle]
    merged, owner = edges.merge(targets.range_m, beam, label, profile.divergence_mrad * 1e-3 / step, luck)
    targets.range_m[:] = merged
    source, range_m, remission = echoes(targets, conditions, rng)
    if profile.own_vehicle is not None:
        _own_vehicle(profile.own_vehicle.rim_share, hidden, turn.rim_m[block], source, range_m, remission, rng)

    kept = np.flatnonzero(source != NOTHING)
    surface = (source[kept] == SURFACE) & (owner[kept] >= 0) & ~hidden[kept]
    triangle = np.where(surface, triangle[owner[kept]], -1)
    points = _points(origins[kept], directions[kept], range_m[kept], column[kept], placing, profile.range.coordinate_m)
    points = np.column_stack([points, remission[kept]]).astype(np.float32)
    label, instance = (scene.attribute(name)[triangle].astype(np.uint32) for name in ("label", "instance"))
    labels = np.where(surface, label | (instance << 16), np.uint32(UNLABELLED))
    labels[source[kept] == AIR] = OUTLIER
    object_ids = np.where(surface, scene.attribute("object_id")[triangle], -1)
    return points, labels, object_ids, triangle, dt[kept].astype(np.float32)


def _meet(
    scene: Scene,
    starts: np.ndarray,
    rays: np.ndarray,
    dt_s: np.ndarray,
    hidden: np.ndarray,
    curve: tuple[np.ndarray, np.ndarray, np.ndarray],
    wetness: float,
) -> tuple[Targets, np.ndarray]:
    """What the pulses meet, glass or what is behind it, and on which triangle int64 [N], -1 for none."""
    n = len(rays)
    range_m, triangle, normal = np.full(n, np.inf), np.full(n, -1), np.zeros((n, 3), np.float32)
    material, panes = np.zeros(n, np.int64), np.zeros(n, np.int64)
    way, gone = np.flatnonzero(~hidden), np.zeros(n)
    for pane in range(_PANES + 1):
        hits = scene.cast(*_ahead(starts, rays, way, gone), dt_s[way])
        range_m[way] = gone[way] + hits.range_m
        triangle[way], normal[way], panes[way] = hits.triangle, hits.normal, pane
        way = way[hits.triangle >= 0]
        material[way] = scene.attribute("material")[triangle[way]]
        way = way[CLEAR[material[way]] > 0.0]
        where = scene.in_own_frame(_ahead(starts, rays, way, range_m)[0], triangle[way], dt_s[way])
        way = way[parts(where, PANE_M) < CLEAR[material[way]]]
        gone[way] = range_m[way] + _BEHIND_M
        if not len(way):
            break
    cosine = _cosines(normal, rays)
    key = scene.attribute("object_id")[triangle] * 31 + material
    tone = 12**0.5 * (hash_unit(key) - 0.5)
    up, met = normal[:, 2].astype(float), triangle >= 0
    uneven, part = np.zeros(n), np.ones(n)
    rough = np.flatnonzero(met & (PATCHES[material] > 0.0))
    uneven[rough] = unevenness(_ahead(starts, rays, rough, range_m)[0])
    smooth = np.flatnonzero(met & ((MIRROR[material] > 0.0) | ((GLOSS[material] > 0.0) & (wetness > 0.0))))
    where = scene.in_own_frame(_ahead(starts, rays, smooth, range_m)[0], triangle[smooth], dt_s[smooth])
    part[smooth] = parts(where, SKIN_M)
    return Targets(range_m, material, cosine, up, tone.astype(float), uneven, part, panes, *curve), triangle


def _own_vehicle(
    share: float,
    hidden: np.ndarray,
    rim_m: np.ndarray,
    source: np.ndarray,
    range_m: np.ndarray,
    remission: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Take away the pulses that the own vehicle hides and put a few echoes of its rims there, in place."""
    source[hidden] = NOTHING
    rims = np.flatnonzero(np.isfinite(rim_m))
    luck, noise = rng.random(len(rims)), rng.standard_normal(len(rims))
    back = luck < share
    source[rims[back]], remission[rims[back]] = SURFACE, 0.0
    range_m[rims[back]] = rim_m[rims[back]] * (1.0 + _RIM * noise[back])


@numba.njit(cache=True)
def _carry(origins, directions, column, poses):  # pragma: no cover - compiled
    """Origins and directions float64 [N,3] of pulses in the frame that ``poses`` [C,4,4] lead to."""
    starts, rays = np.empty_like(origins), np.empty_like(directions)
    for n in range(len(column)):
        pose = poses[column[n]]
        for k in range(3):
            rays[n, k] = pose[k, 0] * directions[n, 0] + pose[k, 1] * directions[n, 1] + pose[k, 2] * directions[n, 2]
            starts[n, k] = pose[k, 0] * origins[n, 0] + pose[k, 1] * origins[n, 1] + pose[k, 2] * origins[n, 2]
            starts[n, k] += pose[k, 3]
    return starts, rays


@numba.njit(cache=True)
def _cosines(normal, rays):  # pragma: no cover - compiled
    """Cosines of incidence float64 [N] of unit vectors [N,3]."""
    cosine = np.empty(len(rays))
    for n in range(len(rays)):
        cosine[n] = abs(normal[n, 0] * rays[n, 0] + normal[n, 1] * rays[n, 1] + normal[n, 2] * rays[n, 2])
    return cosine


@numba.njit(cache=True)
def _ahead(starts, rays, which, gone):  # pragma: no cover - compiled
    """Where the pulses ``which`` int64 [K] of N are after ``gone`` [N] metres, and their directions: float64 [K,3]."""
    places, directions = np.empty((len(which), 3)), np.empty((len(which), 3))
    for k, n in enumerate(which):
        for axis in range(3):
            directions[k, axis] = rays[n, axis]
            places[k, axis] = starts[n, axis] + gone[n] * rays[n, axis]
    return places, directions


def _points(
    origins: np.ndarray,
    directions: np.ndarray,
    range_m: np.ndarray,
    column: np.ndarray,
    placing: np.ndarray,
    coordinate_m: float,
) -> np.ndarray:
    """Places float64 [N,3] of what was measured, as a recording has them."""
    starts, rays = _carry(origins, directions, column, np.ascontiguousarray(placing))
    places = starts + range_m[:, None] * rays
    return coordinate_m * np.round(places / coordinate_m) if coordinate_m else places
