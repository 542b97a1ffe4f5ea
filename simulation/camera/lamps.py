"""Lamps of the night: which surfaces shine, how bright they look, and what they throw on the street."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulation.camera.textures import LAMP
from simulation.scene import Scene

LUMINANCE = np.float32(9000.0)  # cd/m² of a shining lens of full colour, seen squarely
_MOST = 24  # the nearest lamps alone throw light
_LEAST_LUX = 0.1  # a lamp is followed as far as it gives this much
_OVERHEAD_M = 3.0  # a lamp this far above its vehicle's road is a street lamp


class Lamps(NamedTuple):
    """``at`` float32 [L,3] metres from the camera, street axes; ``axis`` [L,3] the way they shine; ``candela`` [L,3] on
    the axis, ``focus`` int64 [L]: intensity falls off as cos^focus; ``reach_m`` [L]."""

    at: np.ndarray
    axis: np.ndarray
    candela: np.ndarray
    focus: np.ndarray
    reach_m: np.ndarray


_Lamp = tuple[np.ndarray, np.ndarray, np.ndarray, int]


def _lamps(found: list[_Lamp]) -> Lamps:
    found = sorted(found, key=lambda lamp: float(lamp[0] @ lamp[0]))[:_MOST]
    at, axis, candela = (np.array([lamp[k] for lamp in found], np.float32).reshape(-1, 3) for k in range(3))
    focus = np.array([lamp[3] for lamp in found], np.int64)
    return Lamps(at, axis, candela, focus, np.sqrt(candela.max(1, initial=0.0) / np.float32(_LEAST_LUX)))


def headlamps(pose: np.ndarray, centre: np.ndarray) -> Lamps:
    """The ego vehicle's head lamps, dipped. ``pose``: LiDAR to street, float64 [4,4]; ``centre``: the camera's, street
    frame."""
    white = np.array([1.0, 0.93, 0.8])
    found = []
    for side in (-0.65, 0.65):
        at = pose[:3, :3] @ (1.9, side, -1.05) + pose[:3, 3] - centre
        for down, aside, candela, focus in ((0.045, 0.0, 26_000.0, 160), (0.07, 0.12 * np.sign(side), 6_000.0, 14)):
            axis = pose[:3, :3] @ (1.0, aside, -down)
            found.append((at, axis / np.linalg.norm(axis), candela * white, focus))
    return _lamps(found)


def scene_lamps(scene: Scene, centre: np.ndarray) -> Lamps:
    """The nearest of the scene's lamps: lit triangles of one colour and body, or standing object, are one."""
    found = []
    nothing = np.eye(4)
    for mesh, pose in ((scene.standing.mesh, nothing), *((p.body.mesh, p.pose) for p in scene.placed)):
        lit = np.flatnonzero(mesh.material == LAMP)
        if not len(lit):
            continue
        corners = mesh.vertices[mesh.triangles[lit]] @ pose[:3, :3].T + pose[:3, 3]
        areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
        groups = np.concatenate([mesh.object_id[lit, None], np.round(mesh.rgb[lit] * 8).astype(np.int64)], 1)
        for group in np.unique(groups, axis=0):
            mine = (groups == group).all(1)
            found.append(_one(corners[mine].mean((0, 1)) - centre, areas[mine], mesh.rgb[lit][mine].mean(0), pose))
    return _lamps(found)


def _one(at: np.ndarray, areas: np.ndarray, rgb: np.ndarray, pose: np.ndarray) -> _Lamp:
    """A lamp of the given triangles: it shines the way its larger part faces; street lamps shine down."""
    size = float(np.linalg.norm(areas, axis=1).sum())
    axis = areas.sum(0)
    overhead = at[2] > _OVERHEAD_M - 1.65 and pose[2, 3] == 0.0 and size > 0.05
    if overhead:
        axis = np.array([0.0, 0.0, -1.0])
    elif np.linalg.norm(axis) < 0.05 * size:  # closed all round: it shines ahead
        axis = pose[:3, 0]
    axis = axis / np.linalg.norm(axis)
    return at, axis, LUMINANCE * size * rgb.astype(float), 2 if overhead else 4
