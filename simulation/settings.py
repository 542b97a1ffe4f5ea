"""Everything that can be chosen about a drive. What is left None follows from the seed.

``run.py simulate --set group.key=value`` reaches every key of the groups below.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from simulation.weather import LightName, WeatherName

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Factor = Annotated[float, msgspec.Meta(ge=0.0, le=5.0)]
Relief = Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]  # beyond that no road is built, nor can houses stand beside it


class StreetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The street itself."""

    district: str | None = None  # one of world.plan.DISTRICTS
    slopes: Relief = 1.0  # how hilly, times what the seed says
    bends: Relief = 1.0


class TrafficSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Road users, each times what the seed says."""

    vehicles: Factor = 1.0
    pedestrians: Factor = 1.0
    cyclists: Factor = 1.0
    parked: Factor = 1.0


class LidarSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The LiDAR, beyond its profile."""

    noise: Factor = 1.0  # on range and remission, times the profile's
    dropout: Factor = 1.0  # chance of a lost pulse, times the model's
    compensate: bool = True  # points as if the whole turn had been taken at the frame's stamp, as KITTI has them


class CameraSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cameras."""

    exposure_s: Annotated[float, msgspec.Meta(ge=0.0, le=0.05)] | None = None  # None: as the light demands
    noise: Factor = 1.0
    blur: bool = True  # whether what moves during the exposure smears


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one drive is made from, beside its seed and length."""

    sensor: str = "hdl-64e"  # a profile in configs/sensors
    weather: WeatherName = "any"
    light: LightName = "any"
    street: StreetSettings = StreetSettings()
    traffic: TrafficSettings = TrafficSettings()
    lidar: LidarSettings = LidarSettings()
    camera: CameraSettings = CameraSettings()
