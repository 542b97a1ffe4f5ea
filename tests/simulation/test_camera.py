"""The camera against geometry and physics that are known by hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from simulation import rig
from simulation.actors import Moment
from simulation.camera import blur, film, lamps, light, sky, textures
from simulation.camera.render import Picture, image_rays, render
from simulation.camera.trace import Tracer
from simulation.scene import Body, Placed, Scene, Solid
from simulation.settings import CameraSettings, Settings
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, join, plates
from simulation.street import Street
from simulation.weather import Weather, draw_weather
from simulation.world.centreline import turn
from tests.support.small_street import LEVEL_HEIGHT_M, LEVEL_LIDAR

GREY = Look(40, Material.METAL, (0.4, 0.4, 0.4))
BLACK = GREY._replace(rgb=(0.0, 0.0, 0.0))
GROUND = box((400, 400, 1), (0, 0, -0.5), GREY)
WIDTH, HEIGHT, FOCAL_PX, _, _ = rig.KITTI_OPTICS
SHARP = CameraSettings(noise=0.0, blur=False, exposure_s=0.0005)


def still(scene: Scene) -> Moment:
    """A moment at which the ego vehicle stands at the street's origin."""
    return Moment(0.0, scene, (), lambda dt_s: np.tile(LEVEL_LIDAR, (len(dt_s), 1, 1)))


def weather(elevation_deg: float = 45.0, azimuth_deg: float = 180.0, **changed: float) -> Weather:
    e, a = np.radians([elevation_deg, azimuth_deg])
    values = {"overcast": 0.0, "daylight": 1.0, "visibility_m": 3e4, "rain_mmph": 0.0, "wetness": 0.0, **changed}
    return Weather(sun=(np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)), **values)


def taken(mesh: Mesh, sky_now: Weather, settings: CameraSettings = SHARP, *, placed: tuple = (), camera: int = 2):
    return render(still(Scene(Solid(mesh), placed)), sky_now, settings, np.random.default_rng(0), camera)


def pixel_of(x: float, y: float, z: float) -> tuple[int, int]:
    """Row and column at which camera 2 sees a point of the street, from the origin."""
    (u, v), _ = (a[0] for a in rig.project(np.array([[x, y, z - LEVEL_HEIGHT_M]])))
    return round(v), round(u)


def linear(picture: Picture) -> np.ndarray:
    """Light by pixel [375,1242], up to a factor: the tone curve undone."""
    return (picture.image[..., 1] / 255.0) ** 1.4


@pytest.fixture(scope="module")
def moment() -> Moment:
    return Street(3).moment(2.0)


@pytest.mark.parametrize("camera", [2, 3])
def test_hits_are_those_of_the_pixel_centres(moment: Moment, camera: int) -> None:
    """Blur, edges and noise never touch what ground truth is taken from."""
    picture = render(moment, weather(), CameraSettings(), np.random.default_rng(0), camera)
    mounted, ahead = image_rays(camera)
    pose = moment.lidar_pose()
    directions = np.einsum("ij,nj->ni", pose[:3, :3].astype(np.float32), ahead)
    again = moment.scene.cast(pose[:3, :3] @ mounted + pose[:3, 3], directions)
    np.testing.assert_array_equal(picture.hits.triangle, again.triangle)
    np.testing.assert_array_equal(picture.hits.range_m, again.range_m)
    points = mounted + ahead[::997].astype(float) * 10.0
    pixels, _ = rig.project(points, camera)
    index = np.arange(0, len(ahead), 997)
    np.testing.assert_allclose(pixels, np.stack([index % WIDTH, index // WIDTH], 1), atol=1e-2)


def test_the_same_seed_takes_the_same_picture_and_noise_is_the_seed_s_own(moment: Moment) -> None:
    first, again, other = (
        render(moment, weather(), CameraSettings(), np.random.default_rng(seed)).image for seed in (1, 1, 2)
    )
    assert first.tobytes() == again.tobytes()
    assert (first != other).mean() > 0.05
    silent = [render(moment, weather(), CameraSettings(noise=0.0), np.random.default_rng(s)).image for s in (1, 2)]
    assert silent[0].tobytes() == silent[1].tobytes()


def test_what_stands_before_the_sun_is_in_shadow() -> None:
    """A post 2 m tall at 45° throws a shadow 2 m long; it is darker than the ground, and not black."""
    post = box((0.4, 0.4, 2.0), (12.0, 0.0, 1.0), GREY)
    lit = linear(taken(join([GROUND, post]), weather(45.0, azimuth_deg=0.0)))
    shaded, beyond = lit[pixel_of(10.9, 0.0, 0.0)], lit[pixel_of(9.4, 0.0, 0.0)]
    assert 0.05 * beyond < shaded < 0.5 * beyond
    assert lit[pixel_of(10.9, 1.0, 0.0)] == pytest.approx(beyond, rel=0.1)


def test_under_a_slab_less_of_the_sky_is_seen() -> None:
    """Without sun: ground under a car-sized slab, half a metre up, is far darker than ground in the open."""
    slab = box((4.0, 1.8, 0.2), (12.0, 0.0, 0.6), GREY)
    lit = linear(taken(join([GROUND, slab]), weather(45.0, overcast=1.0)))
    assert lit[pixel_of(10.6, 0.0, 0.0)] < 0.4 * lit[pixel_of(10.6, 5.0, 0.0)]


def test_openness_before_a_wall_is_what_it_leaves_of_the_hemisphere() -> None:
    """Cosine-weighted directions are even over the unit disc; the wall hides its segment beyond distance / reach."""
    scene = Scene(Solid(join([GROUND, box((0.2, 60.0, 30.0), (15.1, 0.0, 15.0), GREY)])))
    mounted, ahead = image_rays(2)
    eye = np.add(mounted, (0.0, 0.0, LEVEL_HEIGHT_M))
    hits = scene.cast(eye, ahead)
    points = eye + hits.range_m[:, None] * ahead
    grid = light.openness(scene, points, hits.normal, hits.triangle >= 0, WIDTH)
    ground = (np.abs(points[:, 2]) < 0.01).reshape(HEIGHT, WIDTH)[:: light.STEP, :: light.STEP]
    x = points[:, 0].reshape(HEIGHT, WIDTH)[:: light.STEP, :: light.STEP]
    near = ground & (x > 12.0) & (x < 15.0)
    k = (15.0 - x[near]) / light.REACH_M
    expected = 1.0 - (np.arccos(k) - k * np.sqrt(1.0 - k * k)) / np.pi
    assert near.sum() > 200
    assert grid[near].mean() == pytest.approx(expected.mean(), abs=0.03)
    assert grid[ground & (x < 10.9)].min() == 1.0


@pytest.mark.parametrize("visibility_m", [80.0, 150.0])
def test_a_black_wall_at_the_visibility_distance_has_five_percent_contrast(visibility_m: float) -> None:
    """Koschmieder: against the haze of the horizon."""
    scene, foggy = Scene(Solid(box((1, 40, 40), (visibility_m + 0.5, 0, 0), BLACK))), weather(visibility_m=visibility_m)
    eye, pose = np.zeros(3), np.eye(4)
    day = sky.daylight(foggy)
    tracer = Tracer(scene, day, 0.0, eye, rig.KITTI_OPTICS, lamps.headlamps(pose, eye), lamps.scene_lamps(scene, eye))
    direction = np.array([[1.0, 0.0, 0.0]], np.float32)
    hits = scene.cast(eye, direction)
    seen = tracer.radiance(hits, direction, hits.range_m[:, None] * direction.astype(float))
    contrast = 1.0 - seen[0] / day.air
    np.testing.assert_allclose(contrast, 0.05, atol=0.006)  # METAL mirrors a little haze


def test_dusk_is_darker_than_day_and_night_darker_still(moment: Moment) -> None:
    """At one exposure; left to itself the camera makes up for some of it."""
    fixed = CameraSettings(exposure_s=0.0003)
    means = []
    for hour in ("day", "dusk", "night"):
        luminance = sky.daylight(draw_weather(1, "clear", hour))
        means.append(float((luminance.sky_lux + luminance.sun_lux)[1]))
    assert means[0] > 2 * means[1] > 200 * means[2] > 0.0
    day, night = (
        render(moment, draw_weather(1, "clear", hour), fixed, np.random.default_rng(0)).image.mean()
        for hour in ("day", "night")
    )
    assert night < 0.5 * day


def test_head_lamps_light_the_road_ahead() -> None:
    night = linear(taken(GROUND, draw_weather(0, "clear", "night"), CameraSettings(noise=0.0)))
    assert night[pixel_of(12.0, 0.0, 0.0)] > 3 * night[pixel_of(60.0, 0.0, 0.0)]


def test_a_lamp_throws_its_candela_over_the_square_of_the_distance() -> None:
    down = np.array([[0.0, 0.0, -1.0]], np.float32)
    one = lamps.Lamps(
        np.array([[0, 0, 5.0]], np.float32), down, np.full((1, 3), 900.0, np.float32), np.ones(1, np.int64),
        np.full(1, 99.0, np.float32),
    )  # fmt: skip
    below = light.lamplight(np.array([[0, 0, 2.0], [0, 0, 6.0]], np.float32), -np.repeat(down, 2, 0), one)
    assert below[0, 0] == pytest.approx(900.0 / 9.05, rel=0.02)
    assert (below[1] == 0).all()  # behind it


@pytest.mark.parametrize("overcast", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("elevation_deg", [10.0, 50.0])
def test_the_dome_gives_about_the_light_that_the_sky_is_said_to_give(overcast: float, elevation_deg: float) -> None:
    """The radiance without the sun, summed over the upper half with the cosine, against ``sky_lux``."""
    day = sky.daylight(weather(elevation_deg, overcast=overcast))._replace(sun_lux=np.zeros(3, np.float32))
    z = (np.arange(40) + 0.5) / 40
    angle = np.arange(120) * (2 * np.pi / 120)
    z, angle = (a.ravel() for a in np.meshgrid(z, angle))
    out = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], 1).astype(np.float32)
    lux = 2 * np.pi * (sky.radiance(out, *day)[:, 1] * z).mean()
    assert lux == pytest.approx(day.sky_lux[1], rel=0.3)


@pytest.mark.parametrize("speed_mps", [20.0, -30.0])
def test_a_body_that_crosses_the_view_smears_by_its_way(speed_mps: float) -> None:
    """f·v·T/z pixels at both its ends, and not at all with blur off or no time."""
    away_m, time_s = 15.27, 0.02  # a depth of 15 m from the camera
    dull = Look(81, Material.RETRO, (0.25, 0.25, 0.25))
    plate = Body(box((0.02, 3.0, 1.5), (0.0, 0.0, 0.75), dull))
    pose = np.eye(4)
    pose[:3, 3] = away_m, 0.0, 0.6
    crossing = (Placed(plate, pose, np.array([0.0, speed_mps, 0.0])),)
    wall = join([GROUND, box((0.1, 90, 40), (40.0, 0, 0), dull._replace(rgb=(0.0, 0.0, 0.0)))])
    row, _ = pixel_of(away_m, 0.0, 1.3)
    ramps = {}
    for name, blurred, open_s in (("blurred", True, time_s), ("frozen", False, time_s), ("no time", True, 0.0)):
        settings = CameraSettings(noise=0.0, blur=blurred, exposure_s=open_s)
        dim = weather(
            10.0, overcast=1.0, daylight=0.75, visibility_m=1e6
        )  # so that a long exposure stays below full scale
        across = linear(taken(wall, dim, settings, placed=crossing))[row - 3 : row + 4].mean(0)
        level = across / np.percentile(across, 97)
        ramps[name] = ((level > 0.1) & (level < 0.9)).sum() / 2
    expected = FOCAL_PX * abs(speed_mps) * time_s / 15.0
    assert ramps["blurred"] == pytest.approx(0.8 * expected, rel=0.2)
    assert ramps["frozen"] <= 2
    assert ramps["no time"] <= 2


def test_motion_is_that_of_projected_points(moment: Moment) -> None:
    """Against projecting each point where it is, from where the camera is, before and after."""
    rng, time_s = np.random.default_rng(4), 0.01
    body = Placed(Body(box((2, 2, 2), (0, 0, 1), GREY)), np.eye(4), np.array([3.0, -6.0, 0.0]), 0.7)
    scene = Scene(Solid(GROUND), [body])
    points = rng.uniform((5, -4, 0), (30, 4, 2), (50, 3))
    triangle = np.where(np.arange(50) % 2, len(GROUND.triangles) + 3, 0)

    def ego(dt_s: float) -> np.ndarray:
        pose = np.eye(4)
        pose[:3, :3] = turn(2, 0.3 * dt_s) @ np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0]])
        pose[:3, 3] = 12.0 * dt_s, 0.0, 1.6
        return pose

    hits = scene.cast(np.array([0, 0, 1.6]), np.array([[1.0, 0, 0]]))
    hits = type(hits)(np.ones(50, np.float32), triangle, np.zeros((50, 3), np.float32))
    found = blur.motion_px(scene, hits, points, ego, time_s, FOCAL_PX)
    for n in range(50):
        ends = []
        for dt in (-time_s / 2, time_s / 2):
            at = np.append(points[n], 1.0)
            if n % 2:
                at = body.pose_at(dt) @ np.linalg.inv(body.pose_at(0.0)) @ at
            x, y, z = (np.linalg.inv(ego(dt)) @ at)[:3]
            ends.append(FOCAL_PX * np.array([x, y]) / z)
        np.testing.assert_allclose(found[n], ends[1] - ends[0], atol=0.03)


def test_the_right_picture_is_the_left_one_shifted_by_the_disparity() -> None:
    """A textured wall square to the view, so far that the disparity is 20 px."""
    depth = FOCAL_PX * 0.54 / 20.0
    front = depth + 0.27
    corners = np.array([[[front, 30, -20], [front, -30, -20], [front, -30, 20], [front, 30, 20]]], float)
    wall = plates(corners, Look(50, Material.BRICK, (0.6, 0.3, 0.2)))
    left, right = (taken(wall, weather(overcast=1.0), camera=c).image[..., 1].astype(float) for c in (2, 3))
    middle = left[40:330, 200:1000]
    assert middle.std() > 4  # there is a texture
    errors = [np.abs(middle - right[40:330, 200 - d : 1000 - d]).mean() for d in range(16, 25)]
    assert np.argmin(errors) == 4
    assert errors[4] < 0.5
    assert min(errors[:4] + errors[5:]) > 1.0


@pytest.mark.parametrize("material", sorted(set(Material) - {Material.LAMP}))
def test_a_texture_fades_into_its_mean(material: Material) -> None:
    """Seen from near and averaged, a surface is as bright as from afar: nothing brightens as one drives up to it."""
    n = 60_000
    rng = np.random.default_rng(int(material))
    at = rng.uniform(0, 60, (n, 3))
    upright = material in (Material.PLASTER, Material.BRICK, Material.WOOD, Material.BARK)
    across, up = (1.0, 0.0) if upright else (0.6, 0.8) if material == Material.ROOF else (0.0, 1.0)
    normal = np.tile(np.array([0.0, across, up], np.float32), (n, 1))
    rgb, what, one = np.full((1, 3), 0.55, np.float32), np.full(n, material, np.uint8), np.zeros(n, np.int64)
    near, far = (
        textures.paint(what, rgb, one, at, normal, -normal, np.full(n, f, np.float32), np.float32(0.0), 1.0)[0]
        for f in (0.001, 3.0)
    )
    np.testing.assert_allclose(near.mean(0), far.mean(0), rtol=0.12)
    assert np.isfinite(near).all()
    assert (near >= 0).all()


def test_textures_of_moving_bodies_move_with_them() -> None:
    rng = np.random.default_rng(2)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn(2, 0.8) @ turn(1, 0.1), (50.0, -3.0, 0.4)
    body = Placed(Body(box((2, 2, 2), (0, 0, 1), GREY)), pose, np.array([9.0, 1.0, 0.2]), 0.9)
    scene = Scene(Solid(GROUND), [body])
    own, dt = rng.uniform(-1, 1, (30, 3)), rng.uniform(-0.01, 0.01, 30)
    at = np.array([(body.pose_at(t) @ np.append(p, 1.0))[:3] for p, t in zip(own, dt, strict=True)])
    triangle = np.where(np.arange(30) % 3, len(GROUND.triangles), 1)
    found = scene.in_own_frame(at, triangle, dt)
    np.testing.assert_allclose(found, np.where((np.arange(30) % 3 > 0)[:, None], own, at), atol=1e-9)


def test_a_car_mirrors_the_sky() -> None:
    """A dark glossy roof, seen flatly, is brighter than a dark dull one."""
    roofs = [box((4, 8, 0.1), (9.0, 0, 1.2), BLACK._replace(material=m)) for m in (Material.CAR_PAINT, Material.CLOTH)]
    at = pixel_of(10.0, 0.0, 1.25)
    glossy, dull = (linear(taken(join([GROUND, roof]), weather()))[at] for roof in roofs)
    assert glossy > dull + 0.05


def test_a_wet_road_is_darker_and_mirrors() -> None:
    road = box((400, 400, 1), (0, 0, -0.5), Look(40, Material.ASPHALT, (0.4, 0.4, 0.4)))
    lit = box((1.0, 2.0, 3.0), (22.0, 0.0, 1.5), Look(80, Material.LAMP, (1.0, 0.1, 0.1)))
    dry, wet = (
        taken(join([road, lit]), weather(60.0, azimuth_deg=0.0, overcast=1.0, wetness=w)).image.astype(float)
        for w in (0.0, 1.0)
    )
    near = (slice(320, 370), slice(500, 700))
    assert wet[near].mean() < dry[near].mean()
    v, u = pixel_of(17.0, 0.0, 0.0)
    below = (slice(v - 4, v + 5), slice(u - 20, u + 21))
    redness = [(p[below][..., 2] - p[below][..., 0]).mean() for p in (dry, wet)]
    assert redness[1] > redness[0] + 3


def test_sensor_noise_has_shot_and_read_noise_s_size() -> None:
    """A uniform grey, with gain: electrons' square root and the read noise, softened as the picture is."""
    day = sky.daylight(weather(overcast=1.0))
    grey = np.full((375, 1242, 3), 100.0, np.float32)
    image = film.develop(grey, 0.001, 1.0, day, 1.0, np.random.default_rng(0))[..., 1].astype(float)
    signal = 0.6 * 100.0 * 0.001
    sigma = np.sqrt(signal / 13_000 + (9 / 13_000) ** 2)
    a = 0.13
    softened = sigma * (2 * a * a + (1 - 2 * a) ** 2)
    slope = 255 / 1.4 * (signal * film.white_balance(day)[1]) ** (1 / 1.4 - 1) * film.white_balance(day)[1]
    assert image.std() == pytest.approx(np.hypot(softened * slope, 0.29), rel=0.25)
    silent = film.develop(grey, 0.001, 1.0, day, 0.0, np.random.default_rng(0))
    assert silent[..., 1].std() == 0.0


def test_pictures_resemble_real_ones(shared_data: Path) -> None:
    """Brightness, contrast, sharpness and noise of clear days lie about where those of real pictures lie."""
    real = sorted((shared_data / "kitti_raw/2011_09_26").glob("*/image_02/data/*.png"))
    pictures = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(float) for path in (real[0], real[-1])]
    pictures.append(cv2.imread(str(shared_data / "kitti_object/mmdet3d_demo/000008.png"), 0).astype(float))
    made = []
    for seed in (0, 2, 5):
        street = Street(seed, Settings(weather="clear"))
        taken_at = render(street.moment(4.0), street.weather, CameraSettings(), np.random.default_rng(0))
        made.append(cv2.cvtColor(taken_at.image, cv2.COLOR_BGR2GRAY).astype(float))

    def figures(images: list[np.ndarray]) -> list[float]:
        fine = np.mean([(i - cv2.GaussianBlur(i, (0, 0), 1)).std() for i in images])
        return [np.mean(images), np.std(images), float(fine)]

    for ours, theirs in zip(figures(made), figures(pictures), strict=True):
        assert 0.55 * theirs < ours < 1.6 * theirs
