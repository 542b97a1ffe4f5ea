"""Everything that can be chosen about a drive. What is left None follows from the seed.

``run.py simulate --set group.key=value`` reaches every key of the groups below.
"""

from __future__ import annotations

from typing import Annotated, Any, get_type_hints

import msgspec

from errors import UserError, hint
from simulation.rig import Optics, scaled_optics
from simulation.weather import LightName, WeatherName

Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Factor = Annotated[float, msgspec.Meta(ge=0.0, le=5.0)]
RoadFactor = Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]  # beyond that roads are not built, nor houses beside them


class StreetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The street itself."""

    district: str | None = None  # one of world.plan.DISTRICTS
    slopes: RoadFactor = 1.0  # how hilly, times what the seed says
    bends: RoadFactor = 1.0
    parked: Factor = 1.0  # how many parking places are taken, times what the district says


class TrafficSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Road users, each times what the seed says."""

    vehicles: Factor = 1.0
    pedestrians: Factor = 1.0
    cyclists: Factor = 1.0


class LidarSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The LiDAR, beyond its profile."""

    noise: Factor = 1.0  # on range and remission, times the profile's
    dropout: Factor = 1.0  # chance of a lost pulse, times the model's
    compensate: bool = True  # points as if the whole turn had been taken at the frame's stamp, as KITTI has them


class CameraSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cameras."""

    scale: Annotated[float, msgspec.Meta(ge=0.1, le=1.0)] = 1.0  # of the pictures' width and height, times KITTI's
    exposure_s: Annotated[float, msgspec.Meta(ge=0.0, le=0.05)] | None = None  # None: as the light demands
    noise: Factor = 1.0
    blur: bool = True  # whether what moves during the exposure smears

    @property
    def optics(self) -> Optics:
        """What the cameras' lenses and pixels are."""
        return scaled_optics(self.scale)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one drive is made from, beside its seed and length."""

    sensor: str = "hdl-64e"  # a profile in configs/sensors
    weather: WeatherName = "any"
    light: LightName = "any"
    street: StreetSettings = StreetSettings()
    traffic: TrafficSettings = TrafficSettings()
    lidar: LidarSettings = LidarSettings()
    camera: CameraSettings = CameraSettings()


def changed(settings: Settings, assignments: list[str]) -> Settings:
    """``settings`` with ``group.key=value`` assignments made, in their order.

    Raises :class:`UserError` for an unknown key (with the nearest one) and a value that does not fit.
    """
    values, kinds = msgspec.to_builtins(settings), _kinds()
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise UserError(f"--set {assignment}: give group.key=value, such as traffic.vehicles=0.5")
        if key in ("sensor", "weather", "light"):
            raise UserError(f"--set {assignment}: use --{key} {text}")
        if key not in kinds:
            raise UserError(f"--set {assignment}: no such key; {hint(key, kinds)}")
        group, name = key.split(".")
        try:
            values[group][name] = msgspec.convert(text, kinds[key], strict=False)
        except msgspec.ValidationError as error:
            problem = str(error).replace("`float`, got `str`", "a number").replace("`bool`, got `str`", "true or false")
            raise UserError(f"--set {assignment}: {problem[0].lower()}{problem[1:]}") from error
    return msgspec.convert(values, Settings)


def _kinds() -> dict[str, Any]:
    """The type of every ``group.key``."""
    groups = {
        name: kind for name, kind in get_type_hints(Settings).items() if name not in ("sensor", "weather", "light")
    }
    return {
        f"{group}.{name}": kind
        for group, struct in groups.items()
        for name, kind in get_type_hints(struct, include_extras=True).items()
    }
