"""What a LiDAR is: its beams, its turn, what it can measure. One file of ``configs/sensors`` per sensor."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from errors import UserError, hint

SENSORS = Path(__file__).resolve().parents[2] / "configs" / "sensors"

Positive = Annotated[float, msgspec.Meta(gt=0.0)]
Azimuth = Annotated[float, msgspec.Meta(ge=0.0, le=360.0)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Beams(_Part):
    """Per beam, from the top down; an empty list means that all are alike.

    A beam leaves ``height_m`` above the sensor's origin, ``azimuth_offset_deg`` counter-clockwise from where the head
    faces. Lasers read the same surface differently: one that the average laser reads as 0.36 this one reads
    ``remission_offset`` higher, and what differs from it by x differs here by ``remission_slope`` · x. Readings below
    about ``remission_floor`` come as 0.
    """

    elevation_deg: tuple[Annotated[float, msgspec.Meta(gt=-90.0, lt=90.0)], ...]
    azimuth_offset_deg: tuple[float, ...] = ()
    height_m: tuple[float, ...] = ()
    remission_offset: tuple[float, ...] = ()
    remission_slope: tuple[float, ...] = ()
    remission_floor: tuple[float, ...] = ()


class RangeLimits(_Part):
    """``noise_m`` is one standard deviation; ranges are whole multiples of ``resolution_m``, and coordinates in the
    recording of ``coordinate_m`` (0: written as measured)."""

    min_m: Positive
    max_m: Positive
    resolution_m: Positive
    noise_m: Annotated[float, msgspec.Meta(ge=0.0)]
    coordinate_m: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0


class RemissionScale(_Part):
    """Remissions are whole multiples of ``step`` up to ``max`` and read ``fade_per_m2`` · range² too low.

    ``gain``: times the reading of KITTI's scanner. Sensors whose makers calibrate them to reflectivity give all that is
    not a retroreflector the lower part of the scale; those are read in full.
    """

    step: Positive
    max: Share
    fade_per_m2: Annotated[float, msgspec.Meta(ge=0.0)]
    gain: Positive = 1.0


class FittingProjection(_Part):
    """Parameters of the pipeline's ``projection`` node that suit this sensor."""

    height: Annotated[int, msgspec.Meta(ge=1)]
    fov_up_deg: float
    fov_down_deg: float


class Rim(_Part):
    """A part of the own vehicle that answers: ``beam`` (0 on top) meets it between two azimuths at ``range_m``."""

    beam: Annotated[int, msgspec.Meta(ge=0)]
    azimuth_deg: tuple[Azimuth, Azimuth]
    range_m: Positive


class OwnVehicle(_Part):
    """What hides the ground from the sensor: the vehicle that carries it.

    ``hidden_deg``: per beam, the azimuths (from, to) between which pulses meet it. Nearly all come back too soon to be
    measured; of those that meet a rim, ``rim_share`` give a point.
    """

    hidden_deg: tuple[tuple[tuple[Azimuth, Azimuth], ...], ...]
    rims: tuple[Rim, ...]
    rim_share: Share


class Profile(_Part):
    """A spinning LiDAR. ``weakest_return`` is albedo · cosine of incidence / range² (1/m²) at which 63 % of pulses are
    still noticed; ``divergence_mrad`` is the beam's full angle. The head knows its azimuth in ``encoder_ticks`` a turn
    and fires at one of them (0: whenever it likes): columns then are whole ticks apart, not all alike."""

    description: str
    columns: Annotated[int, msgspec.Meta(ge=8)]
    rate_hz: Annotated[float, msgspec.Meta(ge=5.0)]  # a slower turn would leave the time span of a Moment
    rotation: Literal["clockwise", "counter-clockwise"]
    beams: Beams
    range: RangeLimits
    remission: RemissionScale
    weakest_return: Positive
    divergence_mrad: Annotated[float, msgspec.Meta(ge=0.0)]
    projection: FittingProjection
    encoder_ticks: Annotated[int, msgspec.Meta(ge=0)] = 0
    own_vehicle: OwnVehicle | None = None


def profile_names() -> list[str]:
    """The sensors there are."""
    return sorted(path.stem for path in SENSORS.glob("*.yaml"))


def load_profile(name: str) -> Profile:
    """The profile of one sensor. :class:`UserError` where there is none of that name, or its file is wrong."""
    known = profile_names()
    if name not in known:
        raise UserError(f"sensor {name}: there is no such profile in configs/sensors; {hint(name, known)}")
    return read_profile(SENSORS / f"{name}.yaml")


@lru_cache(maxsize=8)
def read_profile(path: Path) -> Profile:
    """The profile in one file. :class:`UserError` where it cannot be read or is not a profile."""
    try:
        profile = msgspec.yaml.decode(path.read_bytes(), type=Profile)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except msgspec.MsgspecError as error:
        line = " ".join(str(error).split())
        raise UserError(f"{path}: not a sensor profile: {line}; see configs/sensors/hdl-64e.yaml") from error
    _check(profile, path)
    return profile


def _check(profile: Profile, path: Path) -> None:
    elevation = profile.beams.elevation_deg
    if not elevation or any(a <= b for a, b in pairwise(elevation)):
        raise UserError(f"{path}: beams.elevation_deg: give at least one, from the top down, no two alike")
    for key in ("azimuth_offset_deg", "height_m", "remission_offset", "remission_slope", "remission_floor"):
        values = getattr(profile.beams, key)
        if values and len(values) != len(elevation):
            raise UserError(
                f"{path}: beams.{key}: {len(values)} values for {len(elevation)} beams; give as many, or []"
            )
    if profile.range.min_m >= profile.range.max_m:
        raise UserError(f"{path}: range: min_m {profile.range.min_m} must be below max_m {profile.range.max_m}")
    if 0 < profile.encoder_ticks < profile.columns:
        raise UserError(f"{path}: encoder_ticks {profile.encoder_ticks}: at least columns ({profile.columns}), or 0")
    if profile.own_vehicle is not None:
        _check_own_vehicle(profile.own_vehicle, len(elevation), path)


def _check_own_vehicle(vehicle: OwnVehicle, beams: int, path: Path) -> None:
    if len(vehicle.hidden_deg) != beams:
        given = len(vehicle.hidden_deg)
        raise UserError(f"{path}: own_vehicle.hidden_deg: {given} lists for {beams} beams; give one per beam")
    for rim in vehicle.rims:
        if rim.beam >= beams:
            raise UserError(f"{path}: own_vehicle.rims: beam {rim.beam}: there are {beams}, the first is 0")
