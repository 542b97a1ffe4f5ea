"""Packets of KITTI's inertial and satellite unit (OXTS RT 3003), made from the true motion."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from simulation import rig

LATITUDE_DEG, LONGITUDE_DEG, ALTITUDE_M = 49.0, 8.4, 112.0  # of the street's origin: Karlsruhe
_EARTH_RADIUS_M = 6378137.0  # KITTI's development kit takes the earth as a sphere of this radius
_GRAVITY_MPS2 = 9.81
_STEP_S = 0.05
_FIELDS = (
    "lat:   latitude of the oxts-unit (deg)", "lon:   longitude of the oxts-unit (deg)",
    "alt:   altitude of the oxts-unit (m)", "roll:  roll angle (rad), 0 = level, positive = left side up",
    "pitch: pitch angle (rad), 0 = level, positive = front down", "yaw:   heading (rad), 0 = east, counter-clockwise",
    "vn:    velocity towards north (m/s)", "ve:    velocity towards east (m/s)",
    "vf:    forward velocity, parallel to the ground (m/s)", "vl:    leftward velocity, parallel to the ground (m/s)",
    "vu:    upward velocity (m/s)", "ax:    acceleration in x, the unit's own axes, gravity included (m/s^2)",
    "ay:    acceleration in y (m/s^2)", "az:    acceleration in z (m/s^2)", "af:    forward acceleration (m/s^2)",
    "al:    leftward acceleration (m/s^2)", "au:    upward acceleration (m/s^2)",
    "wx:    angular rate around x, the unit's own axes (rad/s)", "wy:    angular rate around y (rad/s)",
    "wz:    angular rate around z (rad/s)", "wf:    angular rate around the forward axis (rad/s)",
    "wl:    angular rate around the leftward axis (rad/s)", "wu:    angular rate around the upward axis (rad/s)",
    "pos_accuracy:  position accuracy, here exact (m)", "vel_accuracy:  velocity accuracy, here exact (m/s)",
    "navstat: navigation status", "numsats: number of satellites tracked", "posmode: position mode",
    "velmode: velocity mode", "orimode: orientation mode",
)  # fmt: skip
DATA_FORMAT = "".join(f"{field}\n" for field in _FIELDS)


def packet_text(ego: Callable[[np.ndarray], np.ndarray]) -> str:
    """The 30 values of one packet. ``ego``: see :class:`simulation.actors.Moment`; the street's x is east, y north."""
    before, now, after = ego(np.array([-_STEP_S, 0.0, _STEP_S])) @ rig.LIDAR_TO_VEHICLE @ rig.IMU_TO_LIDAR
    turn = now[:3, :3]
    yaw = math.atan2(turn[1, 0], turn[0, 0])
    pitch, roll = math.asin(-turn[2, 0]), math.atan2(turn[2, 1], turn[2, 2])
    velocity = (after[:3, 3] - before[:3, 3]) / (2 * _STEP_S)
    acceleration = (after[:3, 3] - 2 * now[:3, 3] + before[:3, 3]) / _STEP_S**2
    spin = _rotation_vector(after[:3, :3] @ before[:3, :3].T) / (2 * _STEP_S)
    level = np.array([[math.cos(yaw), math.sin(yaw), 0], [-math.sin(yaw), math.cos(yaw), 0], [0, 0, 1.0]])
    felt = turn.T @ (acceleration + np.array([0.0, 0.0, _GRAVITY_MPS2]))
    values = (
        *geodetic(now[:3, 3]), roll, pitch, yaw, velocity[1], velocity[0], *(level @ velocity), *felt,
        *(level @ acceleration), *(turn.T @ spin), *(level @ spin), 0.0, 0.0,
    )  # fmt: skip
    return " ".join(f"{x:.14g}" for x in values) + " 4 10 4 4 4\n"


def geodetic(place: np.ndarray) -> tuple[float, float, float]:
    """Latitude, longitude (degrees) and altitude (m) of a place [3] of the street.

    The inverse of the Mercator projection of KITTI's development kit (``latlonToMercator.m``), with the scale of the
    street's origin. Readers take the scale of the first packet, metres away: some 2e-6 of each distance.
    """
    scale = math.cos(math.radians(LATITUDE_DEG)) * _EARTH_RADIUS_M
    north = math.log(math.tan(math.radians(90.0 + LATITUDE_DEG) / 2)) + place[1] / scale
    latitude = 2.0 * math.degrees(math.atan(math.exp(north))) - 90.0
    return latitude, LONGITUDE_DEG + math.degrees(place[0] / scale), ALTITUDE_M + place[2]


def _rotation_vector(turn: np.ndarray) -> np.ndarray:
    """Axis times angle (rad) of a rotation [3,3] by less than half a turn."""
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    sine = np.linalg.norm(axis) / 2
    return axis / 2 * (math.asin(min(sine, 1.0)) / sine if sine > 1e-12 else 1.0)
