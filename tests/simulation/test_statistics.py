"""Simulated against real: rings, histograms, distances and shares with known answers; the report; real recordings."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors import UserError
from formats.labels import load_label_table, write_labels
from simulation.statistics import histograms
from simulation.statistics.__main__ import main
from simulation.statistics.compare import compare
from simulation.statistics.pictures import measure_picture, noise_levels
from simulation.statistics.quantities import CLASSES, QUANTITIES
from simulation.statistics.recordings import measure, open_recording, pool, values
from simulation.statistics.report import as_markdown, write_report
from simulation.statistics.scans import incidence_deg, measure_scan, split_rings

TABLE = load_label_table()
ROAD, CAR, BUILDING = 40, 10, 50
LIDAR_HEIGHT_M, WALL_M = 1.73, 20.0


def scan(columns: int = 512, rings: int = 64) -> np.ndarray:
    """Flat ground inside a round wall: rings from the top, each counter-clockwise from straight ahead."""
    elevation = np.radians(np.linspace(2.0, -24.8, 64))[64 - rings :, None]
    azimuth = (np.arange(columns) + 0.5)[None] * (2 * np.pi / columns)
    reach = np.full((rings, 1), WALL_M)
    down = elevation[:, 0] < 0
    reach[down, 0] = np.minimum(WALL_M, LIDAR_HEIGHT_M / np.tan(-elevation[down, 0]))
    points = np.empty((rings, columns, 4), np.float32)
    points[..., 0], points[..., 1] = reach * np.cos(azimuth), reach * np.sin(azimuth)
    points[..., 2] = reach * np.tan(elevation)
    points[..., 3] = 0.25
    return points.reshape(-1, 4)


def labels_of(points: np.ndarray) -> np.ndarray:
    return np.where(np.hypot(points[:, 0], points[:, 1]) > WALL_M - 0.01, BUILDING, ROAD).astype(np.uint16)


def write_drive(path: Path, frames: int = 2, *, labelled: bool = True, pictures: bool = True, level: int = 90) -> Path:
    (path / "velodyne").mkdir(parents=True)
    points = scan()
    for k in range(frames):
        (path / "velodyne" / f"{k:06d}.bin").write_bytes(points.tobytes())
        if labelled:
            (path / "labels").mkdir(exist_ok=True)
            write_labels(path / "labels" / f"{k:06d}.label", labels_of(points))
        if pictures:
            (path / "image_2").mkdir(exist_ok=True)
            cv2.imwrite(str(path / "image_2" / f"{k:06d}.png"), np.full((375, 1242, 3), level, np.uint8))
    return path


def number(tally: dict, name: str) -> float:
    value = values(tally, name)
    assert value is not None
    return float(value[0])


def mean(tally: dict, name: str) -> float:
    value = values(tally, name)
    assert value is not None
    return histograms.mean(value, QUANTITIES[name].edges)


# Distances


@given(st.lists(st.integers(0, 30), min_size=2, max_size=12).filter(any), st.integers(0, 2**32 - 1))
def test_wasserstein_is_the_mean_distance_of_sorted_samples(a: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = np.cumsum(rng.uniform(0.1, 3.0, len(a) + 1))
    b = rng.multinomial(sum(a), np.full(len(a), 1 / len(a)))
    middles = (edges[:-1] + edges[1:]) / 2
    by_hand = np.abs(np.repeat(middles, a) - np.repeat(middles, b)).mean()
    assert histograms.wasserstein_1(np.array(a, float), b.astype(float), edges) == pytest.approx(by_hand, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8))
def test_jensen_shannon_is_the_mean_divergence_from_the_middle(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, float).T
    found = histograms.jensen_shannon(a, b)
    if not (a.any() and b.any()):
        assert np.isnan(found)
        return
    p, q = a / a.sum(), b / b.sum()
    by_hand = 0.0
    for x, y in zip(p, q, strict=True):
        for one in (x, y):
            by_hand += 0.5 * one * np.log2(one / ((x + y) / 2)) if one else 0.0
    assert found == pytest.approx(by_hand, abs=1e-9)
    assert histograms.jensen_shannon(b, a) == pytest.approx(found, abs=1e-12)


def test_nothing_in_common_is_one_bit() -> None:
    assert histograms.jensen_shannon(np.array([3.0, 0.0]), np.array([0.0, 5.0])) == pytest.approx(1.0)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60), st.sampled_from([0.05, 0.1, 0.5, 0.9, 1.0]))
def test_mean_and_quantile_are_those_of_the_values(drawn: list[int], q: float) -> None:
    edges = np.arange(22) - 0.5
    shares = histograms.counted(np.array(drawn, float), edges)
    assert histograms.mean(shares, edges) == pytest.approx(np.mean(drawn))
    assert histograms.quantile(shares, edges, q) == np.quantile(drawn, q, method="inverted_cdf")


def test_what_lies_beyond_the_edges_counts_in_the_end_bins_and_nan_does_not() -> None:
    found = histograms.counted(np.array([-5.0, 0.5, 1.5, 99.0, np.nan]), np.array([0.0, 1.0, 2.0, 3.0]))
    assert found.tolist() == [2.0, 1.0, 1.0]


def test_profiles_are_compared_where_both_have_data() -> None:
    profile = QUANTITIES["ring_points"]
    assert profile.difference(np.array([1.0, 2.0, np.nan]), np.array([2.0, 5.0, 9.0])) == 2.0
    assert np.isnan(profile.difference(np.array([np.nan]), np.array([1.0])))


# Rings


def test_rings_are_told_from_the_order_of_points() -> None:
    assert np.array_equal(split_rings(scan(100)), np.repeat(np.arange(64), 100))


def test_rings_with_gaps_and_jitter_at_the_seam() -> None:
    points, ring = scan(400), np.repeat(np.arange(64), 400)
    kept = np.random.default_rng(1).random(len(points)) > 0.3
    early = np.arange(400, len(points), 4000) - 2  # the last but one of a ring, a hair over the seam too early
    points[early, 0], points[early, 1] = np.hypot(points[early, 0], points[early, 1]), 0.01
    for near in (-1, 0, 1, 2):
        kept[early + near] = True
    wrong = split_rings(points[kept]) != ring[kept]
    assert set(np.flatnonzero(kept)[wrong]) <= set(early)  # the next ring begins where it does


def test_rings_that_see_nothing_are_the_uppermost() -> None:
    assert set(split_rings(scan(50, rings=60))) == set(range(4, 64))


def test_another_sensor_or_order_is_refused() -> None:
    shuffled = np.random.default_rng(0).permutation(scan(50))
    with pytest.raises(UserError, match="HDL-64E"):
        split_rings(shuffled)
    with pytest.raises(UserError, match="65 rings"):
        split_rings(np.concatenate([scan(50), scan(50, rings=1)]))
    with pytest.raises(UserError, match="no points"):
        split_rings(np.empty((0, 4), np.float32))


# Scans and pictures with known answers


def test_incidence_on_flat_ground_is_a_right_angle_less_the_depression() -> None:
    points = scan(2048)
    angle = incidence_deg(points, split_rings(points))
    ground = labels_of(points) == ROAD
    depression = np.degrees(np.arctan2(-points[:, 2], np.hypot(points[:, 0], points[:, 1])))
    seen = ground & np.isfinite(angle)
    assert seen.sum() > 0.8 * ground.sum()
    assert np.median(np.abs(angle - (90.0 - depression))[seen]) < 0.1


def test_statistics_of_a_scan_made_by_hand() -> None:
    points, raw = scan(1500), labels_of(scan(1500))
    raw[:1000] = CAR
    points[:1000, 3] = 0.0
    raw[1000:1100] = 1
    tally = measure_scan(points, raw, TABLE)
    n = len(points)
    assert number(tally, "points") == n == 64 * 1500
    assert number(tally, "dark") == pytest.approx(100 * 1000 / n)
    assert number(tally, "outlier") == pytest.approx(100 * 100 / n) == number(tally, "unlabelled")
    assert number(tally, "near") == 0.0
    assert number(tally, "nearest") == pytest.approx(LIDAR_HEIGHT_M / np.sin(np.radians(24.8)), rel=1e-5)
    assert number(tally, "jumps") == 0.0
    shares = dict(zip(CLASSES, values(tally, "classes"), strict=True))
    assert shares["car"] == pytest.approx(1000 / n)
    assert shares["road"] == pytest.approx((raw == ROAD).sum() / n)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert values(tally, "remission/car")[0] == 1.0
    assert values(tally, "remission/building")[25] == 1.0
    assert values(tally, "range/bicycle") is None
    assert np.array_equal(values(tally, "ring_points"), np.full(64, 1500.0))
    assert histograms.mean(values(tally, "road_height"), QUANTITIES["road_height"].edges) == pytest.approx(
        -1.73, abs=0.02
    )
    assert histograms.mean(values(tally, "turn"), QUANTITIES["turn"].edges) == pytest.approx(360 / 1500, abs=0.02)


def test_empty_pixels_are_those_no_point_falls_on() -> None:
    points = scan(512)
    tally = measure_scan(points, None, TABLE)
    x, y, z = points[:, :3].astype(float).T
    row = np.floor((1 - (np.degrees(np.arcsin(z / np.sqrt(x * x + y * y + z * z))) + 25) / 28) * 64).clip(0, 63)
    for width in (512, 2048):
        column = np.floor((1 - np.arctan2(y, x) / np.pi) / 2 * width).clip(0, width - 1)
        filled = len(set(zip(row, column, strict=True)))
        assert number(tally, f"empty_{width}") == pytest.approx(100 * (1 - filled / (64 * width)), abs=0.01)
    assert "classes" not in tally


def test_a_single_point_between_two_surfaces_is_a_stray() -> None:
    points = scan(2000)
    points[10_500, :3] *= 0.9
    tally = measure_scan(points, None, TABLE)
    assert tally["stray"][0][0] == 100.0
    assert tally["jumps"][0][0] == 200.0


def test_labels_beyond_the_annotators_reach_do_not_count() -> None:
    points, raw = scan(1500), labels_of(scan(1500))
    far = raw == BUILDING
    points[far, :3] *= 3.0
    tally = measure_scan(points, raw, TABLE)
    assert values(tally, "classes")[CLASSES.index("road")] == 1.0
    assert values(tally, "remission/building") is None
    assert number(tally, "points") == 64 * 1500


def test_the_road_is_measured_as_a_plane() -> None:
    points = scan(1500)
    raw = labels_of(points)
    bumps = np.random.default_rng(2).normal(0.0, 0.03, len(points))
    points[:, 2] += 0.01 * points[:, 0] - 0.02 * points[:, 1] + bumps
    tally = measure_scan(points, raw, TABLE)
    assert number(tally, "sensor_height") == pytest.approx(LIDAR_HEIGHT_M, abs=0.002)
    assert number(tally, "road_rise") == pytest.approx(1.0, abs=0.02)
    assert number(tally, "road_fall") == pytest.approx(2.0, abs=0.02)
    assert number(tally, "road_rough") == pytest.approx(3.0, rel=0.02)
    assert "road_rise" not in measure_scan(points, np.full(len(raw), BUILDING, np.uint16), TABLE)


def test_single_lost_pulses_are_counted_per_class() -> None:
    points = scan(2000)
    raw = labels_of(points)
    walls, roads = np.flatnonzero(raw == BUILDING), np.flatnonzero(raw == ROAD)
    lost = np.concatenate([walls[505:3005:10], roads[[777, 888]], roads[5000:5030]])  # 30 in a row are no single pulse
    kept = np.setdiff1d(np.arange(len(points)), lost)
    tally = measure_scan(points[kept], raw[kept], TABLE)
    holes = tally["class_holes"][0] / 100
    assert holes[CLASSES.index("building")] == 250
    assert holes[CLASSES.index("road")] == 2
    assert tally["holes"][0][0] == 25_200


def test_class_names_are_those_of_the_label_table() -> None:
    assert CLASSES[1:] == TABLE.names[1:]


def test_statistics_of_a_grey_picture_and_of_a_ramp() -> None:
    grey = measure_picture(np.full((375, 1242, 3), 90, np.uint8))
    assert values(grey, "brightness")[int(90.5 // 4)] == 1.0
    assert [number(grey, name) for name in ("red", "contrast", "burnt", "noise")] == pytest.approx(
        [90, 0, 0, 0], abs=1e-4
    )
    assert values(grey, "hue") is None
    ramp = np.tile((np.arange(80) * 3).astype(np.uint8)[None, :, None], (60, 1, 3))
    assert values(measure_picture(ramp), "gradient")[1] == pytest.approx(78 / 80)  # 3 levels per pixel, but at the ends


def test_noise_is_estimated_on_the_flat_tiles() -> None:
    rng = np.random.default_rng(5)
    grey = np.full((256, 256), 120.0) + rng.normal(0, 3.0, (256, 256))
    grey[:, 160:] += 60 * (rng.random((256, 96)) > 0.5)  # texture on a third of the picture
    assert noise_levels(grey.astype(np.float32)) == pytest.approx(3.0, rel=0.1)
    assert np.isnan(noise_levels(np.full((64, 64), 255, np.float32)))


# Comparison and report


def test_a_recording_weighs_the_same_however_long_it_is(tmp_path: Path) -> None:
    short = measure(open_recording(write_drive(tmp_path / "a", 1, level=50), 20))
    long = measure(open_recording(write_drive(tmp_path / "b", 4, level=150), 20))
    assert number(pool([short, long]), "green") == pytest.approx(100.0)


def test_frames_are_spread_evenly(tmp_path: Path) -> None:
    found = open_recording(write_drive(tmp_path / "a", 9), 3)
    assert [file.name for file in found.scans] == ["000000.bin", "000004.bin", "000008.bin"]
    assert [file.stem for file in found.labels] == [file.stem for file in found.scans]


def test_equal_drives_do_not_differ_and_the_report_says_so(tmp_path: Path) -> None:
    simulated, real = write_drive(tmp_path / "simulated"), write_drive(tmp_path / "real")
    other = write_drive(tmp_path / "other", labelled=False, pictures=False)
    report = compare([simulated], [real, other])
    differences = {name: row.difference for name, row in report.rows.items()}
    assert max(d for d in differences.values() if np.isfinite(d)) == pytest.approx(0.0, abs=1e-9)
    assert np.isnan(report.rows["classes"].spread)  # one labelled recording alone
    assert report.rows["points"].spread == 0.0

    write_report(report, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written["statistics"]["points"]["real"] == [64 * 512]
    assert written["recordings"]["real"][1] == {"path": str(other), "scans": 2, "labelled": False, "pictures": 0}
    text = (tmp_path / "out" / "report.md").read_text()
    for name in ("scans", "rings", "remission", "ranges", "pictures", "classes", "side-by-side-range-images"):
        assert f"({name}.png)" in text
        assert cv2.imread(str(tmp_path / "out" / f"{name}.png")).std() > 1
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert tables
    assert all(line.endswith("|") for line in tables)
    assert {line.count("|") for line in tables if "points per scan" in line} == {9}


def test_a_statistic_of_one_side_alone_is_shown_without_a_difference(tmp_path: Path) -> None:
    bare = write_drive(tmp_path / "bare", labelled=False, pictures=False)
    report = compare([bare], [write_drive(tmp_path / "real")])
    row = report.rows["brightness"]
    assert row.simulated is None
    assert row.real is not None
    assert np.isnan(row.difference)
    assert "| brightness, levels | 89.5 | – | – | – | – | – | W1 |" in as_markdown(report, [], [])


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write_drive(tmp_path / "good", 1)
    damaged = write_drive(tmp_path / "damaged", 1)
    (damaged / "velodyne" / "000000.bin").write_bytes(b"x" * 1003)
    other = write_drive(tmp_path / "vlp", 1, labelled=False)
    (other / "velodyne" / "000000.bin").write_bytes(np.concatenate([scan(), scan()]).tobytes())
    unlabelled = write_drive(tmp_path / "holes", 1)
    (unlabelled / "labels" / "000000.label").unlink()
    a_file = tmp_path / "file"
    a_file.write_text("")
    cases = [
        ([tmp_path / "none"], tmp_path / "out", "20", "none"),
        ([good], tmp_path / "out", "20", "given twice"),
        ([tmp_path / "file2"], tmp_path / "out", "0", "--frames 0"),
        ([damaged], tmp_path / "out", "20", "damaged"),
        ([other], tmp_path / "out", "20", "128 rings"),
        ([unlabelled], tmp_path / "out", "20", "000000.label"),
        ([write_drive(tmp_path / "good2", 1)], a_file, "20", "--out"),
    ]
    for simulated, out, frames, expected in cases:
        arguments = ["--simulated", *map(str, simulated), "--real", str(good), "--out", str(out), "--frames", frames]
        assert main(arguments) == 2, expected
        error = capsys.readouterr().err
        assert expected in error
        assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


# Real recordings


def test_real_scans_have_64_rings_from_the_top_down(shared_data: Path) -> None:
    for path in ("semantickitti/sequences/00", "semantickitti/sequences/04"):
        file = shared_data / path / "velodyne" / "000000.bin"
        points = np.fromfile(file, np.float32).reshape(-1, 4)
        ring = split_rings(points)
        elevation = np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1]))
        medians = [np.median(elevation[ring == k]) for k in range(64)]
        assert np.all(np.diff(medians) < 0)
        assert np.bincount(ring, minlength=64).min() > 1000


def test_real_recordings_are_measured_with_and_without_labels(shared_data: Path) -> None:
    sequences = shared_data / "semantickitti" / "sequences"
    raw = shared_data / "kitti_raw" / "2011_09_26" / "2011_09_26_drive_unknown_sync"
    report = compare([sequences / "04"], [sequences / "00", raw], at_most=2)
    points = report.rows["points"]
    assert 100_000 < points.real[0] < points.simulated[0] < 130_000
    assert report.rows["classes"].simulated[CLASSES.index("road")] == pytest.approx(0.51, abs=0.01)
    assert report.rows["burnt"].simulated is None
    assert report.rows["burnt"].real[0] > 5
    assert 0 < report.rows["range"].difference < 10
