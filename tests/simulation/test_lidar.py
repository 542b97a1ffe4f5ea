"""LiDAR: profiles, the pulses of a turn, what comes back, and agreement with real scans."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import UserError
from simulation import rig, scene
from simulation.actors import Moment
from simulation.lidar import edges, optics
from simulation.lidar.profile import SENSORS, load_profile, profile_names, read_profile
from simulation.lidar.sweep import Scan, scan
from simulation.lidar.texture import unevenness
from simulation.lidar.turn import turn_of
from simulation.settings import LidarSettings, Settings
from simulation.shapes.materials import Material, hash_unit
from simulation.shapes.mesh import Look, Mesh, box, join
from simulation.street import Street
from simulation.weather import Weather
from tests.support.small_street import LEVEL_HEIGHT_M, LEVEL_LIDAR

CLEAR = Weather((0.0, 0.0, 1.0), 0.0, 1.0, visibility_m=1e6, rain_mmph=0.0, wetness=0.0)
ASPHALT = Look(40, Material.ASPHALT, (0.5, 0.5, 0.5))
WALL = Look(51, Material.BRICK, (0.5, 0.5, 0.5))
QUIET = LidarSettings(noise=0.0, dropout=0.0)
GROUND = box((400, 400, 1), (0, 0, -0.5), ASPHALT)


def still(dt_s: np.ndarray) -> np.ndarray:
    """A vehicle that stands so that its LiDAR is level."""
    return np.tile(LEVEL_LIDAR, (len(dt_s), 1, 1))


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
    with pytest.raises(UserError, match=r"hdl64.*did you mean 'hdl-64e'\?"):
        load_profile("hdl64")
    with pytest.raises(UserError, match=r"choose one of hdl-64e, os-1-128, vlp-32c"):
        load_profile("../labels/semantic-kitti")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("columns: 1024", "colums: 1024", "colums"),
        ("columns: 1024", "columns: 0", "columns"),
        ("columns: 1024", "columns: 1024\nencoder_ticks: 1000", "encoder_ticks 1000: at least columns"),
        ("min_m: 0.5", "min_m: 500.0", "min_m 500.0 must be below"),
        ("height_m: []", "height_m: [0.1]", "height_m: 1 values for 128 beams"),
        ("rotation: clockwise", "rotation: sideways", "sideways"),
        ("columns: 1024", "columns: [", "not a sensor profile"),
        (
            "description",
            "own_vehicle: {hidden_deg: [], rims: [], rim_share: 0}\ndescription",
            "0 lists for 128",
        ),
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
    reach = (pulses.origins[:, 2] + LEVEL_HEIGHT_M) / np.maximum(-pulses.directions[:, 2], 1e-9)
    near = (reach < 30.0) & ~pulses.hidden
    expected = (pulses.origins + reach[:, None] * pulses.directions)[near]
    ground = got.points[got.labels == 40][:, :3]
    ground = ground[np.linalg.norm(ground, axis=1) < np.linalg.norm(expected, axis=1).max() + 0.002]
    assert len(ground) == len(expected)
    np.testing.assert_allclose(ground, expected, atol=0.0015)  # half the resolution of range
    assert set(got.labels.tolist()) <= {0, 40}


def driving(dt_s: np.ndarray) -> np.ndarray:
    """15 m/s ahead while turning left at 0.4 rad/s."""
    poses = np.tile(np.eye(4), (len(dt_s), 1, 1))
    c, s = np.cos(0.4 * dt_s), np.sin(0.4 * dt_s)
    poses[:, 0, 0], poses[:, 0, 1], poses[:, 1, 0], poses[:, 1, 1] = c, -s, s, c
    poses[:, 0, 3] = 15.0 * dt_s
    return poses @ LEVEL_LIDAR


WALLS = join([GROUND, *(box((0.2, 30, 4), (x, 0, 2), WALL) for x in (-12.1, 12.1))])


def test_a_turn_from_a_moving_vehicle_is_straightened_or_left_as_it_was_measured() -> None:
    got = turn(moment(ground=WALLS, ego=driving))
    wall = got.points[got.labels == 51].astype(float)
    assert len(wall) > 8000
    assert (abs(abs(wall[:, 0]) - 12.0) < 0.003).mean() > 0.98  # the others are at its ends and on its top
    raw = turn(moment(ground=WALLS, ego=driving), LidarSettings(noise=0.0, dropout=0.0, compensate=False))
    np.testing.assert_array_equal(raw.triangle, got.triangle)
    np.testing.assert_array_equal(raw.dt_s, got.dt_s)
    poses = driving(raw.dt_s.astype(float)) @ rig.LIDAR_TO_VEHICLE
    on_street = np.einsum("nij,nj->ni", poses[:, :3, :3], raw.points[:, :3].astype(float)) + poses[:, :3, 3]
    np.testing.assert_allclose(
        on_street - (0, 0, LEVEL_HEIGHT_M), got.points[:, :3], atol=1.1e-3
    )  # written in millimetres
    assert abs(raw.points[:, :3] - got.points[:, :3]).max() > 0.7


def test_a_moving_body_is_hit_where_it_is_when_the_pulse_is_sent() -> None:
    pose = np.eye(4)
    pose[:3, 3] = (-9.0, 3.0, 0.0)
    body = scene.Placed(scene.Body(box((4, 2, 1.5), (0, 0, 0.75), WALL)), pose, np.array([20.0, -8.0, 0.0]), 1.5)
    got = turn(moment(body))
    hit = got.labels == 51
    assert hit.sum() > 500
    assert (got.triangle[hit] >= 12).all()
    assert np.ptp(got.dt_s[hit]) > 0.005
    faces, up = [], np.array([0.0, 0.0, LEVEL_HEIGHT_M])
    for point, dt in zip(got.points[hit][:, :3], got.dt_s[hit], strict=True):
        now = body.pose_at(float(dt))
        x, y, z = (point + up - now[:3, 3]) @ now[:3, :3]
        faces.append(min(abs(abs(x) - 2), abs(abs(y) - 1), abs(z - 1.5)))
        assert abs(x) < 2.01
        assert abs(y) < 1.01
    assert np.mean(np.array(faces) < 0.003) > 0.95  # the others lie between the body and what is behind it


# What comes back


def test_every_material_has_its_optics() -> None:
    assert set(optics.SURFACES) == set(Material)


def test_unevenness_is_smooth_and_of_deviation_one() -> None:
    points = np.random.default_rng(2).uniform(-500, 500, (20_000, 3))
    value = unevenness(points)
    assert abs(value.mean()) < 0.03
    assert value.std() == pytest.approx(1.0, abs=0.05)
    assert abs(unevenness(points + 1e-4) - value).max() < 2e-3
    np.testing.assert_array_equal(unevenness(points[::7]), value[::7])


def facing(look: Look, x: float = 20.0) -> Mesh:
    return box((1.0, 60, 60), (x + 0.5, 0, 0), look)


def test_remission_follows_the_stated_formula() -> None:
    """Without noise, on a wall of one material, read by every laser its own way."""
    look = Look(51, Material.BRICK, (0.5, 0.5, 0.5))
    got = turn(moment(ground=facing(look).owned(5)))
    wall = got.labels == 51
    points = got.points[wall].astype(float)
    profile, pulses = load_profile("hdl-64e"), turn_of(load_profile("hdl-64e"))
    surface = optics.SURFACES[Material.BRICK]
    tone = 12**0.5 * (float(hash_unit(np.array([5 * 31 + Material.BRICK]))[0]) - 0.5)
    elevation = np.arcsin(pulses.directions[:: profile.columns, 2])
    height = pulses.origins[:: profile.columns, 2]
    beam = abs(np.arctan2(points[:, 2:3] - height, np.hypot(points[:, :1], points[:, 1:2])) - elevation).argmin(1)
    distance = np.linalg.norm(points[:, :3] - height[beam, None] * (0, 0, 1), axis=1)
    cosine = points[:, 0] / distance
    fade = profile.remission.fade_per_m2 * distance**2 * np.exp(6e-6 * distance) * (1 + surface.gloss / cosine)
    uneven = unevenness(points[:, :3] + (0, 0, LEVEL_HEIGHT_M))
    read = surface.albedo + surface.spread * tone + surface.patches * uneven
    curve = np.array([profile.beams.remission_offset, profile.beams.remission_slope])[:, beam]
    expected = np.clip(0.36 + curve[0] + curve[1] * (read - 0.36) - fade, 0.0, 0.99)
    assert np.ptp(points[:, 3]) > 0.2
    np.testing.assert_allclose(points[:, 3], expected, atol=0.0055)
    np.testing.assert_allclose(points[:, 3], np.round(points[:, 3], 2), atol=1e-6)


def test_some_pulses_pass_a_pane_and_meet_what_is_behind() -> None:
    pane = box((0.01, 60, 60), (9.0, 0, 0), Look(10, Material.GLASS, (0.5, 0.5, 0.5)))
    got = turn(moment(ground=join([pane, facing(Look(51, Material.BRICK, (0.5, 0.5, 0.5)))])), LidarSettings())
    clear = optics.SURFACES[Material.GLASS].clear
    total = len(turn(moment(ground=facing(WALL, 9.0))).points)
    # It has two sides, side by side: where one lets pulses through, so does the other, in patches.
    assert (got.labels == 51).sum() / total == pytest.approx(clear, rel=0.25)
    assert got.points[got.labels == 51][:, 0].min() > 19.8
    assert 0 < (got.labels == 10).sum() < 0.8 * (1 - clear) * total  # the rest is mirrored away


def test_dark_paint_and_panes_lose_pulses_and_the_setting_says_how_many() -> None:
    car = facing(Look(10, Material.CAR_PAINT, (0.1, 0.1, 0.1)))
    counts = [(turn(moment(ground=car), LidarSettings(dropout=d)).labels == 10).sum() for d in (0.0, 1.0, 3.0)]
    assert counts[0] > counts[1] > counts[2] > 0


def test_a_skin_mirrors_pulses_away_in_patches() -> None:
    """Of the pulses on a wall of car paint, lost ones lie side by side far more often than by chance."""
    paint = facing(Look(10, Material.CAR_PAINT, (0.1, 0.1, 0.1)))
    azimuth = np.arctan2(*turn(moment(ground=paint.owned(4)), LidarSettings(noise=0.0)).points[:, [1, 0]].T)
    steps = np.round(np.degrees(abs(np.diff(azimuth))) * 2170 / 360)
    gaps = steps[(steps > 1) & (steps < 100)] - 1
    chance = gaps.sum() / (gaps.sum() + len(azimuth))
    assert chance > 0.02
    assert gaps.mean() > 1.6 / (1.0 - chance)  # by chance their mean is 1 / (1 - chance)


def test_neighbouring_columns_are_whole_ticks_apart() -> None:
    profile = load_profile("hdl-64e")
    azimuth = turn_of(profile).column_dt_s * 360.0 * profile.rate_hz
    ticks = np.diff(azimuth) * profile.encoder_ticks / 360.0
    np.testing.assert_allclose(ticks, np.round(ticks), atol=1e-6)
    assert set(np.round(ticks)) == {1.0, 2.0}


def test_of_the_own_vehicle_a_few_rims_answer_and_are_not_labelled() -> None:
    profile, counts = load_profile("hdl-64e"), []
    for seed in range(4):
        got = scan(moment(), CLEAR, LidarSettings(), profile, np.random.default_rng(seed))
        own = np.linalg.norm(got.points[:, :3], axis=1) < 3.0
        assert (got.labels[own] == 0).all()
        assert (got.points[own, 3] == 0.0).all()
        counts.append(own.sum())
    assert 25 < np.mean(counts) < 50  # SemanticKITTI's scans have 41


def test_fog_hides_what_is_far_and_sends_echoes_of_its_own() -> None:
    fog = replace(CLEAR, visibility_m=80.0)
    clear, thick = (turn(moment(ground=WALLS), LidarSettings(), weather) for weather in (CLEAR, fog))
    distance = {id(s): np.linalg.norm(s.points[:, :3], axis=1) for s in (clear, thick)}
    assert (distance[id(thick)] > 40).sum() < 0.2 * (distance[id(clear)] > 40).sum()
    air = (thick.labels == 1) & (thick.triangle < 0)
    assert air.sum() > 1000
    assert np.median(distance[id(thick)][air]) < 12.0
    assert (thick.object_ids[air] == -1).all()
    assert (clear.labels == 1).mean() < 0.002


def test_a_wet_road_mirrors_and_rain_drops_answer() -> None:
    rain = replace(CLEAR, visibility_m=3000.0, rain_mmph=10.0, wetness=1.0)
    dry, wet = (turn(moment(), LidarSettings(), weather) for weather in (CLEAR, rain))
    for low, high, least, most in ((4.0, 6.0, 0.85, 1.0), (25.0, 50.0, 0.1, 0.7)):
        inside = [
            ((d := np.linalg.norm(s.points[:, :3], axis=1)) > low) & (d < high) & (s.labels == 40) for s in (dry, wet)
        ]
        assert least < inside[1].sum() / inside[0].sum() < most
    assert wet.points[wet.labels == 40, 3].mean() < 0.8 * dry.points[dry.labels == 40, 3].mean()
    assert 300 < (wet.labels == 1).sum() < 3000


@settings(deadline=None)
@given(ranges=st.lists(st.one_of(st.floats(1.0, 60.0), st.just(np.inf)), min_size=2, max_size=40), seed=st.integers(0))
def test_merged_echoes_lie_between_neighbours_of_one_ring(ranges: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = len(ranges)
    beam, label = np.sort(rng.integers(0, 3, n)), rng.integers(0, 3, n)
    merged, owner = edges.merge(np.array(ranges), beam, label, 0.8, rng.random((n, 3), np.float32))
    for i in range(n):
        near = [ranges[k] for k in (i - 1, i, i + 1) if 0 <= k < n and beam[k] == beam[i] and np.isfinite(ranges[k])]
        if merged[i] == ranges[i]:
            assert owner[i] == i
            continue
        assert min(near) <= merged[i] <= max(near)
        if owner[i] < 0:
            assert all(abs(merged[i] - r) > 0.14 for r in near if r == ranges[i])
        else:
            assert beam[owner[i]] == beam[i]
            assert label[owner[i]] == label[i] or abs(merged[i] - ranges[owner[i]]) < 0.15


# A whole street


@pytest.mark.parametrize("sensor", profile_names())
def test_a_scan_of_a_street(sensor: str) -> None:
    street = Street(3)
    at, profile = street.moment(0.5), load_profile(sensor)
    got, again = (scan(at, street.weather, LidarSettings(), profile, np.random.default_rng(9)) for _ in range(2))
    for key, dtype in (("labels", "u4"), ("object_ids", "i8"), ("triangle", "i8"), ("dt_s", "f4"), ("points", "f4")):
        values = getattr(got, key)
        assert values.dtype == dtype
        assert len(values) == len(got.points)
        assert values.tobytes() == getattr(again, key).tobytes()
    real = got.triangle >= 0
    assert real.mean() > 0.9
    assert (got.labels[real] & 0xFFFF == at.scene.attribute("label")[got.triangle[real]]).all()
    assert (got.labels[real] >> 16 == at.scene.attribute("instance")[got.triangle[real]]).all()
    assert (got.object_ids[real] == at.scene.attribute("object_id")[got.triangle[real]]).all()
    assert set(np.unique(got.labels[~real])) <= {0, 1}
    distance = np.linalg.norm(got.points[:, :3], axis=1)
    assert profile.range.min_m - 1 < distance.min()
    assert distance.max() < profile.range.max_m + 1
    if sensor == "hdl-64e":
        assert len(rings(got.points)) == 64


def rings(points: np.ndarray) -> list[np.ndarray]:
    """Points [N,4] of a KITTI scan, split where the azimuth starts again from straight ahead."""
    azimuth = np.mod(np.arctan2(points[:, 1], points[:, 0]), 2 * np.pi)
    return np.split(points, 1 + np.flatnonzero((azimuth[1:] < 1.0) & (azimuth[:-1] > 5.0)))


def test_the_beams_are_those_of_kittis_scanner(shared_data: Path) -> None:
    """Uncorrected scans lie on the cones of the profile: ring by ring, to millimetres."""
    drive = shared_data / "kitti_raw/2011_09_26/2011_09_26_drive_unknown_sync/velodyne_points/data"
    beams = load_profile("hdl-64e").beams
    for path in sorted(drive.glob("*.bin"))[:3]:
        for ring, elevation, height in zip(
            rings(np.fromfile(path, np.float32).reshape(-1, 4)), beams.elevation_deg, beams.height_m, strict=True
        ):
            across = np.hypot(ring[:, 0], ring[:, 1])
            error = ring[:, 2] - height - across * np.tan(np.radians(elevation))
            assert np.median(abs(error) / np.maximum(across, 5.0)) < 1.5e-4


def test_remission_of_simulated_streets_is_that_of_real_ones(shared_data: Path) -> None:
    """Mean and spread per class, near by: what a network sees first."""
    real, simulated = [], []
    for path in sorted((shared_data / "semantickitti/sequences").glob("*/velodyne/*.bin"))[::2]:
        points = np.fromfile(path, np.float32).reshape(-1, 4)
        real.append((points, np.fromfile(path.parents[1] / "labels" / f"{path.stem}.label", np.uint32)))
    for seed in range(3):
        street = Street(seed, Settings(weather="clear"))
        got = scan(
            street.moment(0.0), street.weather, LidarSettings(), load_profile("hdl-64e"), np.random.default_rng(seed)
        )
        simulated.append((got.points, got.labels))
    for name, ids in {"road": [40], "sidewalk": [48], "vegetation": [70], "terrain": [72]}.items():
        mean, spread = np.array([_near(real, ids), _near(simulated, ids)]).T
        assert abs(mean[0] - mean[1]) < 0.04, name
        assert abs(spread[0] - spread[1]) < 0.05, name
    counts = [np.mean([len(points) for points, _ in scans]) for scans in (real, simulated)]
    assert counts[1] == pytest.approx(counts[0], rel=0.06)


def _near(scans: list[tuple[np.ndarray, np.ndarray]], ids: list[int]) -> tuple[float, float]:
    remission = np.concatenate(
        [
            points[np.isin(labels & 0xFFFF, ids) & (np.linalg.norm(points[:, :3], axis=1) < 20.0), 3]
            for points, labels in scans
        ]
    )
    return float(remission.mean()), float(remission.std())
