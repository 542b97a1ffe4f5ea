"""KITTI's left colour camera (image_2) on the same scene that the LiDAR sees."""

from __future__ import annotations

import numpy as np

from simulation.materials import Material, cell_noise, is_mortar, is_window
from simulation.scene import Scene
from simulation.street import Plan

WIDTH, HEIGHT = 1242, 375
FOCAL_PX, CENTRE_U, CENTRE_V = 721.5377, 609.5593, 172.854
LEFT_COLOUR_X_M = -0.06  # camera 2's place on camera 0's x axis
# LiDAR to camera 0: x right, y down, z forward; the camera is 0.27 m ahead of and 0.08 m below the LiDAR.
LIDAR_TO_CAMERA = np.array(
    [[0.0, -1.0, 0.0, 0.0], [0.0, 0.0, -1.0, -0.08], [1.0, 0.0, 0.0, -0.27], [0.0, 0.0, 0.0, 1.0]]
)
_OFFSETS_X_M = (0.0, 0.54, LEFT_COLOUR_X_M, 0.48)  # cameras 0..3 on camera 0's x axis
_HAZE_M = 320.0


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
    """The image: uint8 [375,1242,3], BGR. ``pose`` [4,4] is LiDAR to street."""
    v, u = (grid.ravel().astype(np.float64) for grid in np.mgrid[:HEIGHT, :WIDTH])
    centre, directions = pixel_rays(u, v)
    hits = scene.cast(centre, directions)
    turn = pose[:3, :3]
    looking = directions @ turn.T
    colour = _sky(looking, plan)
    seen = np.flatnonzero(hits.triangle >= 0)
    range_m = hits.range_m[seen, None].astype(np.float64)
    local = centre + range_m * directions[seen]
    surface = _albedo(scene, hits.triangle[seen], local @ turn.T + pose[:3, 3], hits.normal[seen] @ turn.T)
    lit = _light(scene, local, hits.normal[seen], np.asarray(plan.sun) @ turn, plan)
    haze = 1.0 - np.exp(-range_m / _HAZE_M)
    horizon = np.float64((0.78, 0.82, 0.88))
    colour[seen] = (1.0 - haze) * surface * lit + haze * horizon
    encoded = np.clip(colour, 0.0, 1.0) ** (1 / 1.6)
    return np.ascontiguousarray((255 * encoded + 0.5).astype(np.uint8).reshape(HEIGHT, WIDTH, 3)[..., ::-1])


def _sky(looking: np.ndarray, plan: Plan) -> np.ndarray:
    up = np.clip(looking[:, 2:], 0.0, 1.0) ** 0.6
    zenith = (1 - plan.sky) * np.float64((0.2, 0.42, 0.78)) + plan.sky * np.float64((0.62, 0.66, 0.7))
    glow = np.clip(looking @ np.asarray(plan.sun), 0.0, 1.0)[:, None] ** 40 * (1 - plan.sky)
    return (1 - up) * np.float64((0.8, 0.85, 0.9)) + up * zenith + 0.5 * glow


def _light(scene: Scene, points: np.ndarray, normals: np.ndarray, sun: np.ndarray, plan: Plan) -> np.ndarray:
    """Sunlight where nothing is in its way, and skylight everywhere: [N,3]."""
    facing = np.clip(normals @ sun, 0.0, 1.0)
    lit = np.flatnonzero(facing > 0)
    shadow = scene.blocked(points[lit] + 0.02 * normals[lit], np.broadcast_to(sun, (len(lit), 3)))
    facing[lit[shadow]] = 0.0
    strength = 0.95 * (1.0 - 0.8 * plan.sky)
    skylight = (0.5 + 0.25 * plan.sky) * (0.75 + 0.25 * normals[:, 2:])
    return facing[:, None] * strength * np.float64((1.0, 0.95, 0.86)) + skylight * np.float64((0.9, 0.96, 1.06))


def _albedo(scene: Scene, triangle: np.ndarray, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Colour of each hit before light, RGB [N,3]: the surface's own, with its texture."""
    mesh = scene.mesh
    material, label = mesh.material[triangle], mesh.label[triangle]
    colour = mesh.rgb[triangle].astype(np.float64) ** 1.6  # to linear light
    ground = np.flatnonzero(np.isin(material, (Material.ASPHALT, Material.PAVING, Material.GRASS, Material.GRAVEL)))
    grain = np.where(material[ground] == Material.GRASS, 0.5, 0.16)
    speck = cell_noise(points[ground], 0.06) * 0.6 + cell_noise(points[ground], 0.7) * 0.4 - 0.5
    colour[ground] *= (1.0 + grain * speck)[:, None]
    paving = np.flatnonzero(material == Material.PAVING)
    joints = (np.mod(points[paving, :2], 0.5) < 0.03).any(1) & (normals[paving, 2] > 0.5)
    colour[paving[joints]] *= 0.72
    brick = np.flatnonzero(material == Material.BRICK)
    colour[brick[is_mortar(points[brick], normals[brick])]] *= 1.35
    facade = np.flatnonzero((label == 50) & ((material == Material.PLASTER) | (material == Material.BRICK)))
    panes = facade[is_window(points[facade], normals[facade])]
    colour[panes] = np.float64((0.06, 0.08, 0.1)) + 0.12 * cell_noise(points[panes], 1.3)[:, None]
    return colour
