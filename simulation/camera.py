"""KITTI's left colour camera (image_2) on the same scene that the LiDAR sees."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from simulation.materials import BUILDING, Material, cell_noise, is_mortar, is_window
from simulation.plan import Plan
from simulation.scene import Scene

WIDTH, HEIGHT = 1242, 375
FOCAL_PX, CENTRE_U, CENTRE_V = 721.5377, 609.5593, 172.854
LEFT_COLOUR_X_M = -0.06  # camera 2's place on camera 0's x axis
# LiDAR to camera 0: x right, y down, z forward; the camera is 0.27 m ahead of and 0.08 m below the LiDAR.
LIDAR_TO_CAMERA = np.array([[0, -1, 0, 0], [0, 0, -1, -0.08], [1, 0, 0, -0.27], [0, 0, 0, 1]], float)
_OFFSETS_X_M = (0.0, 0.54, LEFT_COLOUR_X_M, 0.48)  # cameras 0..3 on camera 0's x axis
_HAZE_M = 320.0  # distance at which haze has swallowed 63 % of the light
_GAMMA = 1.6
_BAND = 25 * WIDTH  # pixels rendered at a time
_SHADOW_M = np.float32(150.0)  # nothing farther away casts a shadow here
_GROUND = (Material.ASPHALT, Material.PARKING, Material.PAVING, Material.GRASS, Material.GRAVEL)


def projection(camera: int) -> np.ndarray:
    """KITTI's P of one camera, [3,4]: camera-0 coordinates to pixels (times depth)."""
    shift = -FOCAL_PX * _OFFSETS_X_M[camera]
    return np.array([[FOCAL_PX, 0, CENTRE_U, shift], [0, FOCAL_PX, CENTRE_V, 0], [0, 0, 1, 0]], float)


def calib_text() -> str:
    """``calib.txt`` of a KITTI odometry sequence: P0..P3 and Tr."""
    rows = {**{f"P{i}": projection(i) for i in range(4)}, "Tr": LIDAR_TO_CAMERA[:3]}
    return "".join(f"{name}: {' '.join(f'{x:.12e}' for x in m.ravel())}\n" for name, m in rows.items())


def pixel_rays(u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Camera 2's centre [3] and the unit directions [N,3] of its pixels (u, v), both in the LiDAR frame."""
    turn = LIDAR_TO_CAMERA[:3, :3]
    forward = np.stack([(u - CENTRE_U) / FOCAL_PX, (v - CENTRE_V) / FOCAL_PX, np.ones_like(u, float)], 1)
    directions = forward @ turn
    centre = ((LEFT_COLOUR_X_M, 0.0, 0.0) - LIDAR_TO_CAMERA[:3, 3]) @ turn
    return centre, directions / np.linalg.norm(directions, axis=1, keepdims=True)


def project(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (u, v) float64 [N,2] in image_2, and depths [N] (m), of ``points`` [N,3] in the LiDAR frame."""
    camera = points @ LIDAR_TO_CAMERA[:3, :3].T + LIDAR_TO_CAMERA[:3, 3]
    image = camera @ projection(2)[:, :3].T + projection(2)[:, 3]
    return image[:, :2] / image[:, 2:], image[:, 2]


def render(scene: Scene, pose: np.ndarray, plan: Plan) -> np.ndarray:
    """The image: uint8 [375,1242,3], BGR. ``scene`` is in the LiDAR frame; ``pose`` [4,4] is LiDAR to street."""
    centre, directions = _image_rays()
    image = np.empty((HEIGHT * WIDTH, 3), np.uint8)
    for first in range(0, len(image), _BAND):  # a band's arrays stay in the processor's cache
        image[first : first + _BAND] = _render_rays(scene, pose, plan, centre, directions[first : first + _BAND])
    return image.reshape(HEIGHT, WIDTH, 3)


def _render_rays(scene: Scene, pose: np.ndarray, plan: Plan, centre: np.ndarray, directions: np.ndarray) -> np.ndarray:
    hits = scene.cast(centre, directions)
    turn = pose[:3, :3].astype(np.float32)
    colour = _sky(directions @ turn.T, plan)
    seen = np.flatnonzero(hits.triangle >= 0)
    range_m, normals = hits.range_m[seen, None], hits.normal[seen]
    local = centre.astype(np.float32) + range_m * directions[seen]
    on_street = local @ turn.T + pose[:3, 3]  # float64: a long drive's coordinates are large
    surface = _albedo(scene, hits.triangle[seen], on_street, normals @ turn.T)
    lit = _light(scene, local, normals, _floats(*plan.sun) @ turn, plan)
    haze = 1.0 - np.exp(-range_m / _HAZE_M)
    colour[seen] = (1.0 - haze) * surface * lit + haze * _floats(0.78, 0.82, 0.88)
    encoded = 255 * np.clip(colour, 0.0, 1.0) ** np.float32(1 / _GAMMA) + 0.5
    return encoded.astype(np.uint8)[:, ::-1]


@lru_cache(maxsize=1)
def _image_rays() -> tuple[np.ndarray, np.ndarray]:
    v, u = (grid.ravel().astype(np.float64) for grid in np.mgrid[:HEIGHT, :WIDTH])
    centre, directions = pixel_rays(u, v)
    return centre, directions.astype(np.float32)


def _floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def _sky(looking: np.ndarray, plan: Plan) -> np.ndarray:
    """Colour of the sky in each direction [N,3] (street frame): float32 RGB [N,3]."""
    up = np.clip(looking[:, 2:], 0.0, 1.0) ** np.float32(0.6)
    zenith = (1 - plan.overcast) * _floats(0.2, 0.42, 0.78) + plan.overcast * _floats(0.62, 0.66, 0.7)
    glow = np.clip(looking @ _floats(*plan.sun), 0.0, 1.0)[:, None] ** 40 * np.float32(0.5 * (1 - plan.overcast))
    return (1 - up) * _floats(0.8, 0.85, 0.9) + up * zenith.astype(np.float32) + glow


def _light(scene: Scene, points: np.ndarray, normals: np.ndarray, sun: np.ndarray, plan: Plan) -> np.ndarray:
    """Sunlight where nothing is in its way, and skylight everywhere: float32 [N,3]."""
    facing = np.clip(normals @ sun, 0.0, 1.0)
    lit = np.flatnonzero(facing > 0)
    shadow = scene.blocked(
        points[lit] + np.float32(0.02) * normals[lit], np.broadcast_to(_SHADOW_M * sun, (len(lit), 3))
    )
    facing[lit[shadow]] = 0.0
    sunlight = np.float32(0.95 * (1.0 - 0.8 * plan.overcast)) * _floats(1.0, 0.95, 0.86)
    skylight = np.float32(0.5 + 0.25 * plan.overcast) * _floats(0.9, 0.96, 1.06)
    return facing[:, None] * sunlight + (np.float32(0.75) + np.float32(0.25) * normals[:, 2:]) * skylight


def _albedo(scene: Scene, triangle: np.ndarray, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Colour of each hit before light, with its texture: float32 RGB [N,3]. ``points``, ``normals``: street frame."""
    material, label = scene.attribute("material")[triangle], scene.attribute("label")[triangle]
    colour = scene.attribute("rgb")[triangle] ** np.float32(_GAMMA)  # to linear light
    ground = np.flatnonzero(np.isin(material, _GROUND))
    grain = np.where(material[ground] == Material.GRASS, np.float32(0.5), np.float32(0.16))
    speck = cell_noise(points[ground], 0.06) * np.float32(0.6) + cell_noise(points[ground], 0.7) * np.float32(0.4)
    colour[ground] *= (1 + grain * (speck - np.float32(0.5)))[:, None]
    paving = np.flatnonzero(material == Material.PAVING)
    joints = (np.mod(points[paving, :2], 0.5) < 0.03).any(1) & (normals[paving, 2] > 0.5)
    colour[paving[joints]] *= np.float32(0.72)
    brick = np.flatnonzero(material == Material.BRICK)
    colour[brick[is_mortar(points[brick], normals[brick])]] *= np.float32(1.35)
    facade = np.flatnonzero((label == BUILDING) & ((material == Material.PLASTER) | (material == Material.BRICK)))
    panes = facade[is_window(points[facade], normals[facade])]
    colour[panes] = _floats(0.06, 0.08, 0.1) + np.float32(0.12) * cell_noise(points[panes], 1.3)[:, None]
    return colour
