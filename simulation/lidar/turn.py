"""The pulses of one turn of the head: where each starts, where it goes, when it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from simulation.lidar.profile import Beams, OwnVehicle, Profile


@dataclass(frozen=True)
class Turn:
    """R pulses, ring by ring from the top, each ring counter-clockwise from straight ahead, in the LiDAR's frame.

    ``origins``, unit ``directions`` float64 [R,3]; ``beam`` int64 [R]; ``column`` int64 [R], an index into
    ``column_dt_s`` float64 [C]: when the head fires that column, in seconds after it faces straight ahead;
    ``hidden`` bool [R]: the vehicle itself is in the way; ``rim_m`` float64 [R]: the range at which a part of it
    answers, inf where none does; ``offset``, ``slope``, ``floor`` float64 [R]: the curve of the pulse's laser, as
    :class:`Beams` has it.
    """

    origins: np.ndarray
    directions: np.ndarray
    beam: np.ndarray
    column: np.ndarray
    column_dt_s: np.ndarray
    hidden: np.ndarray
    rim_m: np.ndarray
    offset: np.ndarray
    slope: np.ndarray
    floor: np.ndarray


@lru_cache(maxsize=4)
def turn_of(profile: Profile) -> Turn:
    """The pulses of this sensor: the same in every turn, and made once."""
    beams, columns = len(profile.beams.elevation_deg), profile.columns
    ticks = profile.encoder_ticks or columns
    head = (np.arange(columns) * ticks // columns + 0.5) * (2 * np.pi / ticks) - np.pi
    sense = 1.0 if profile.rotation == "counter-clockwise" else -1.0
    offset = np.radians(_values(profile.beams, "azimuth_offset_deg"))
    azimuth = np.mod(head + offset[:, None], 2 * np.pi)
    column = np.argsort(azimuth, axis=1, kind="stable")
    azimuth = np.take_along_axis(azimuth, column, 1)
    rim_m = np.full(azimuth.shape, np.inf)
    hidden = np.zeros(azimuth.shape, bool)
    if profile.own_vehicle is not None:
        rim_m = _rims(profile.own_vehicle, azimuth)
        hidden = _hidden(profile.own_vehicle, azimuth) | np.isfinite(rim_m)
    azimuth = azimuth.ravel()
    beam = np.repeat(np.arange(beams), columns)
    elevation, height = np.radians(profile.beams.elevation_deg)[beam], _values(profile.beams, "height_m")[beam]
    level = np.cos(elevation)
    directions = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)], 1)
    origins = np.zeros_like(directions)
    origins[:, 2] = height
    column_dt = sense * head / (2 * np.pi * profile.rate_hz)
    curve = [("remission_offset", 0.0), ("remission_slope", 1.0), ("remission_floor", 0.0)]
    curves = [_values(profile.beams, key, default)[beam] for key, default in curve]
    return Turn(origins, directions, beam, column.ravel(), column_dt, hidden.ravel(), rim_m.ravel(), *curves)


def _values(beams: Beams, key: str, default: float = 0.0) -> np.ndarray:
    return np.array(getattr(beams, key) or np.full(len(beams.elevation_deg), default))


def _hidden(vehicle: OwnVehicle, azimuth: np.ndarray) -> np.ndarray:
    """Which pulses, azimuth [B,C] (radians), meet the vehicle: bool [B,C]."""
    hidden = np.zeros(azimuth.shape, bool)
    for beam, spans in enumerate(np.radians(s).reshape(-1, 2) for s in vehicle.hidden_deg):
        for first, last in spans:
            hidden[beam] |= (azimuth[beam] >= first) & (azimuth[beam] < last)
    return hidden


def _rims(vehicle: OwnVehicle, azimuth: np.ndarray) -> np.ndarray:
    """Range (m) at which parts of the vehicle answer pulses, azimuth [B,C] (radians): float64 [B,C], inf for none."""
    range_m = np.full(azimuth.shape, np.inf)
    for rim in vehicle.rims:
        first, last = np.radians(rim.azimuth_deg)
        range_m[rim.beam, (azimuth[rim.beam] >= first) & (azimuth[rim.beam] < last)] = rim.range_m
    return range_m
