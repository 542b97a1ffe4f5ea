"""One turn of a LiDAR on a moving vehicle: each pulse leaves from where the vehicle is at its time.

Turn k is centred on the frame's stamp: the head then faces straight ahead, as KITTI's does when its cameras expose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from simulation.actors import Moment
from simulation.lidar import edges
from simulation.lidar.optics import CLEAR, NOTHING, SURFACE, Conditions, Targets, echoes
from simulation.lidar.profile import Profile
from simulation.lidar.texture import unevenness
from simulation.lidar.turn import Turn, turn_of
from simulation.rig import LIDAR_TO_VEHICLE
from simulation.scene import Scene
from simulation.settings import LidarSettings
from simulation.shapes.materials import BUILDING, Material, hash_unit, is_window
from simulation.weather import Weather

_BLOCK = 16384  # pulses cast at a time, in whole rings: their arrays stay in the processor's cache
_FACADES = (Material.PLASTER, Material.BRICK)
_PANES = 2  # so many a pulse may pass: into a car and out of it
_BEHIND_M = 0.01  # a pulse that passed a pane goes on from here
UNLABELLED, OUTLIER = 0, 1


@dataclass(frozen=True)
class Scan:
    """What one turn measured, ring by ring from the top, each ring counter-clockwise from straight ahead.

    ``points`` float32 [N,4]: x y z (metres, LiDAR frame) and remission 0..1; ``labels`` uint32 [N]: SemanticKITTI,
    instance in the upper 16 bits; ``object_ids`` int64 [N]: which object of the street each point lies on;
    ``triangle`` int64 [N]: an index into ``Scene.attribute``; ``dt_s`` float32 [N]: when its pulse was sent, in
    seconds after the moment.

    Echoes of air and points between two surfaces have label 1 (outlier), those of the own vehicle 0 (unlabelled), as in
    SemanticKITTI; object and triangle are -1 for both.
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
    poses = moment.ego(turn.column_dt_s) @ LIDAR_TO_VEHICLE
    there = np.linalg.inv(moment.ego(np.zeros(1))[0] @ LIDAR_TO_VEHICLE)
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
    targets, triangle = _meet(scene, starts, rays, dt, hidden, (turn.offset[block], turn.slope[block]), rng)

    step = 2 * np.pi / profile.columns
    luck = rng.random((len(beam), 3), np.float32)
    label = scene.attribute("label")[triangle]
    merged, owner = edges.merge(targets.range_m, beam, label, profile.divergence_mrad * 1e-3 / step, luck)
    targets.range_m[:] = merged
    source, range_m, remission = echoes(targets, conditions, rng)
    _own_vehicle(profile, directions, hidden, source, range_m, remission, rng)

    kept = np.flatnonzero(source != NOTHING)
    surface = (source[kept] == SURFACE) & (owner[kept] >= 0) & ~hidden[kept]
    triangle = np.where(surface, triangle[owner[kept]], -1)
    points = _points(origins[kept], directions[kept], range_m[kept], column[kept], placing, remission[kept])
    label, instance = (scene.attribute(name)[triangle].astype(np.uint32) for name in ("label", "instance"))
    labels = np.where(surface, label | (instance << 16), np.uint32(OUTLIER))
    labels[hidden[kept]] = UNLABELLED
    object_ids = np.where(surface, scene.attribute("object_id")[triangle], -1)
    return points, labels, object_ids, triangle, dt[kept].astype(np.float32)


def _meet(
    scene: Scene,
    starts: np.ndarray,
    rays: np.ndarray,
    dt_s: np.ndarray,
    hidden: np.ndarray,
    curve: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
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
        material[way] = _materials(scene, triangle[way], _ahead(starts, rays, way, range_m)[0], normal[way])
        clear = CLEAR[material[way]]
        passable = np.flatnonzero(clear > 0.0)
        way = way[passable[rng.random(len(passable)) < clear[passable]]]
        gone[way] = range_m[way] + _BEHIND_M
        if not len(way):
            break
    cosine = np.abs(np.einsum("ij,ij->i", normal, rays))
    surfaces = _ahead(starts, rays, np.arange(n), np.where(triangle >= 0, range_m, 0.0))[0]
    key = scene.attribute("object_id")[triangle] * 31 + material
    tone = 12**0.5 * (hash_unit(key) - 0.5)
    uneven, up = unevenness(surfaces), normal[:, 2].astype(float)
    return Targets(range_m, material, cosine, up, tone.astype(float), uneven, *curve, panes), triangle


def _materials(scene: Scene, triangle: np.ndarray, points: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """What is met at ``points`` [K,3] (street frame): int64 [K]."""
    material = scene.attribute("material")[triangle].astype(np.int64)
    facade = np.flatnonzero(
        ((material == _FACADES[0]) | (material == _FACADES[1])) & (scene.attribute("label")[triangle] == BUILDING)
    )
    material[facade[is_window(points[facade], normal[facade])]] = Material.GLASS
    return material


def _own_vehicle(
    profile: Profile,
    directions: np.ndarray,
    hidden: np.ndarray,
    source: np.ndarray,
    range_m: np.ndarray,
    remission: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Put the few echoes of the own roof among the others, in place."""
    if profile.own_vehicle is None or not hidden.any():
        return
    pulses = np.flatnonzero(hidden)
    source[pulses] = NOTHING
    back = pulses[rng.random(len(pulses)) < profile.own_vehicle.return_share]
    depth = profile.own_vehicle.depth_m * rng.uniform(0.85, 1.15, len(back))
    source[back], remission[back] = SURFACE, 0.0
    range_m[back] = depth / np.maximum(-directions[back, 2], 0.1)


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
    remission: np.ndarray,
) -> np.ndarray:
    """Points float32 [N,4] of a scan."""
    starts, rays = _carry(origins, directions, column, np.ascontiguousarray(placing))
    return np.column_stack([starts + range_m[:, None] * rays, remission]).astype(np.float32)
