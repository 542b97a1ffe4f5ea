"""LiDAR: profiles, the pulses of a turn, what comes back, and agreement with real scans."""

from pathlib import Path

import numpy as np
import pytest

from errors import UserError
from simulation import rig, scene
from simulation.actors import Moment
from simulation.lidar.profile import SENSORS, load_profile, profile_names, read_profile
from simulation.lidar.sweep import Scan, scan
from simulation.lidar.turn import turn_of
from simulation.settings import LidarSettings
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box
from simulation.weather import Weather

CLEAR = Weather((0.0, 0.0, 1.0), 0.0, 1.0, visibility_m=1e6, rain_mmph=0.0, wetness=0.0)
ASPHALT = Look(40, Material.ASPHALT, (0.5, 0.5, 0.5))
QUIET = LidarSettings(noise=0.0, dropout=0.0)
GROUND = box((400, 400, 1), (0, 0, -0.5), ASPHALT)


def still(dt_s: np.ndarray) -> np.ndarray:
    return np.tile(np.eye(4), (len(dt_s), 1, 1))


def moment(*meshes: scene.Placed, ground: Mesh = GROUND, ego=still) -> Moment:
    return Moment(0.0, scene.Scene(scene.Solid(ground), meshes), (), ego)


def turn(at: Moment, settings: LidarSettings = QUIET, weather: Weather = CLEAR, sensor: str = "hdl-64e") -> Scan:
    return scan(at, weather, settings, load_profile(sensor), np.random.default_rng(0))


# Profiles


@pytest.mark.parametrize(("sensor", "beams"), [("hdl-64e", 64), ("os-1-128", 128), ("vlp-32c", 32)])
def test_the_pulses_of_a_turn(sensor: str, beams: int) -> None:
    """Ring by ring from the top, counter-clockwise from straight ahead; its middle faces ahead."""
    profile = load_profile(sensor)
    turn = turn_of(profile)
    assert len(turn.beam) == beams * profile.columns
    np.testing.assert_allclose(np.linalg.norm(turn.directions, axis=1), 1.0, rtol=1e-12)
    elevation = np.degrees(np.arcsin(turn.directions[:, 2])).reshape(beams, -1)
    assert (np.diff(elevation.mean(1)) < 0).all()
    azimuth = np.mod(np.arctan2(turn.directions[:, 1], turn.directions[:, 0]), 2 * np.pi).reshape(beams, -1)
    assert (np.diff(azimuth, axis=1) > 0).all()
    dt = turn.column_dt_s[turn.column].reshape(beams, -1)
    assert abs(dt).max() <= 0.05
    sense = 1 if profile.rotation == "counter-clockwise" else -1
    offset = np.radians(profile.beams.azimuth_offset_deg or np.zeros(beams))[:, None]
    np.testing.assert_allclose(np.exp(1j * (azimuth - offset)), np.exp(1j * sense * dt * 20 * np.pi), atol=1e-9)


def test_sensors_are_found_by_name() -> None:
    assert profile_names() == ["hdl-64e", "os-1-128", "vlp-32c"]
    with pytest.raises(UserError, match=r"hdl64.*did you mean hdl-64e\?.*os-1-128, vlp-32c"):
        load_profile("hdl64")
    with pytest.raises(UserError, match=r"known: hdl-64e"):
        load_profile("../labels/semantic-kitti")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("columns: 1024", "colums: 1024", "colums"),
        ("columns: 1024", "columns: 0", "columns"),
        ("min_m: 0.5", "min_m: 500.0", "min_m 500.0 must be below"),
        ("height_m: []", "height_m: [0.1]", "height_m: 1 values for 128 beams"),
        ("rotation: clockwise", "rotation: sideways", "sideways"),
        ("columns: 1024", "columns: [", "not a sensor profile"),
        ("description", "own_vehicle: {outline_deg: [], depth_m: 1, return_share: 0}\ndescription", "outline_deg"),
    ],
)
def test_a_wrong_profile_is_refused_in_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text((SENSORS / "os-1-128.yaml").read_text().replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        read_profile(path)
    assert "mine.yaml" in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


# Geometry and time


def test_a_flat_ground_comes_back_where_geometry_says() -> None:
    """On an endless plane each downward pulse meets z = -1.73 m at its own range; the rest see nothing."""
    got = turn(moment())
    pulses = turn_of(load_profile("hdl-64e"))
    reach = (pulses.origins[:, 2] + rig.LIDAR_HEIGHT_M) / np.maximum(-pulses.directions[:, 2], 1e-9)
    near = (reach < 30.0) & ~pulses.hidden
    expected = (pulses.origins + reach[:, None] * pulses.directions)[near]
    ground = got.points[got.labels == 40][:, :3]
    ground = ground[np.linalg.norm(ground, axis=1) < np.linalg.norm(expected, axis=1).max() + 0.002]
    assert len(ground) == len(expected)
    np.testing.assert_allclose(ground, expected, atol=0.0015)  # half the resolution of range
    assert set(got.labels.tolist()) <= {0, 40}
