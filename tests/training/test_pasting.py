"""Objects pasted into other scans: on free ground only, at their own distance, hiding what is behind them."""

import numpy as np
import pytest

from errors import UserError
from formats.labelled_scans import LabelledScan, Recording, scans_of
from formats.labels import load_label_table, write_labels
from training.pasting import Thing, Things
from training.scans import Augmentation, ClassTraits

TABLE = load_label_table()
ROAD, BUILDING, PERSON = (TABLE.names.index(name) for name in ("road", "building", "person"))
IS_GROUND = np.isin(np.arange(len(TABLE.names)), [ROAD])
GROUND_M = -1.7


def plain(building_at=None) -> LabelledScan:
    """Road all around, a house 30 m away; in the directions where ``building_at`` is true it stands 8 m away."""
    azimuth = np.repeat(np.linspace(-np.pi, np.pi, 720, endpoint=False), 60)
    distance = np.tile(np.linspace(3, 29, 60), 720)
    road = np.column_stack([distance * np.cos(azimuth), distance * np.sin(azimuth), np.full(len(azimuth), GROUND_M)])
    height = np.tile(np.linspace(-1.6, 3, 60), 720)
    wall_m = np.full(len(azimuth), 30.0) if building_at is None else np.where(building_at(azimuth), 8.0, 30.0)
    wall = np.column_stack([wall_m * np.cos(azimuth), wall_m * np.sin(azimuth), height])
    seen = distance < wall_m
    points = np.vstack([road[seen], wall])
    labels = np.r_[np.full(seen.sum(), ROAD), np.full(len(wall), BUILDING)]
    return LabelledScan(
        np.column_stack([points, np.full(len(points), 0.3)]).astype(np.float32), labels.astype(np.uint8)
    )


def person(distance_m=12.0, ground_m=GROUND_M) -> Thing:
    """A post of 0.5 × 1.7 m, straight ahead."""
    y, z = np.meshgrid(np.linspace(-0.25, 0.25, 12), np.linspace(0.05, 1.7, 20))
    points = np.column_stack([np.full(y.size, distance_m), y.ravel(), z.ravel() + ground_m, np.full(y.size, 0.9)])
    return Thing(points.astype(np.float32), PERSON, ground_m)


def pasted(
    scan: LabelledScan, thing: Thing, seed: int = 0, half_rad: float = np.pi, count: float = 3.0
) -> LabelledScan:
    counts = np.zeros(len(TABLE.names))
    counts[PERSON] = count
    return Things({PERSON: [thing]}, IS_GROUND).paste_into(scan, np.random.default_rng(seed), counts, 1.0, half_rad)


@pytest.mark.parametrize("seed", range(5))
def test_it_keeps_its_distance_and_stands_on_the_ground_there(seed):
    thing = person(ground_m=-1.2)  # where it comes from, the road is half a metre higher
    found = pasted(plain(), thing, seed)
    new = found.points[found.labels == PERSON]

    assert len(new) % len(thing.points) == 0
    for one in new.reshape(-1, *thing.points.shape):
        flat_m = np.linalg.norm(one[:, :2], axis=1)
        np.testing.assert_allclose(flat_m, np.linalg.norm(thing.points[:, :2], axis=1), rtol=1e-5)
        np.testing.assert_allclose(one[:, 2] - thing.points[:, 2], GROUND_M + 1.2, atol=1e-5)
        np.testing.assert_array_equal(one[:, 3], thing.points[:, 3])


def test_it_is_put_between_the_azimuths_asked_for():
    found = pasted(plain(), person(), half_rad=0.2, count=20)
    new = found.points[found.labels == PERSON]
    azimuth = np.arctan2(new[:, 1], new[:, 0])

    assert len(new)
    assert np.abs(azimuth - 1.0).max() < 0.2 + 0.25 / 11


def test_what_is_behind_it_is_not_seen_and_all_else_stays():
    scan, thing = plain(), person()
    found = pasted(scan, thing, half_rad=0.0, count=5)  # all at one place: the later ones find it taken
    assert (found.labels == PERSON).sum() == len(thing.points)

    def direction(points):
        return np.arctan2(points[:, 1], points[:, 0]), points[:, 2] / np.linalg.norm(points[:, :2], axis=1)

    def inside(points):
        azimuth, slope = direction(points)
        return (np.abs(azimuth - 1.0) < 0.015) & (slope > -1.5 / 12) & (slope < -0.1 / 12)

    distance_m = np.linalg.norm(found.points[:, :2], axis=1)
    assert not (inside(found.points) & (distance_m > 12.5)).any()
    assert (inside(scan.points) & (np.linalg.norm(scan.points[:, :2], axis=1) > 12.5)).any()
    far = np.abs(direction(scan.points)[0] - 1.0) > 0.1
    kept = np.abs(direction(found.points)[0] - 1.0) > 0.1
    np.testing.assert_array_equal(found.points[kept], scan.points[far])


def test_where_a_house_stands_nothing_is_put():
    behind_a_house = plain(building_at=lambda azimuth: np.abs(azimuth) < np.inf)
    assert pasted(behind_a_house, person()) is behind_a_house

    half = pasted(plain(building_at=lambda azimuth: azimuth > 0), person(), count=50)
    new = half.points[half.labels == PERSON]
    assert len(new)
    assert (new[:, 1] < 0.3).all()


def test_things_are_taken_out_of_labelled_scans(tmp_path):
    scan, thing = plain(), person()
    points = np.vstack([scan.points, thing.points, thing.points[:9] + np.float32([0, 9, 0, 0])])
    instances = np.zeros(len(points), np.uint16)
    instances[len(scan.points) :] = np.r_[np.full(len(thing.points), 7), np.full(9, 8)]  # the second: too few points
    labels = np.r_[scan.labels, np.full(len(points) - len(scan.points), PERSON)]
    for folder in ("velodyne", "labels"):
        (tmp_path / folder).mkdir()
    points.astype("<f4").tofile(tmp_path / "velodyne" / "000000.bin")
    write_labels(tmp_path / "labels" / "000000.label", TABLE.to_raw(labels), instances)

    things = Things.collect(scans_of(Recording("drive", tmp_path)), TABLE, [PERSON, BUILDING])
    counts = np.zeros(len(TABLE.names))
    counts[[PERSON, BUILDING]] = 3.0
    found = things.paste_into(plain(), np.random.default_rng(0), counts, 0.0, np.pi)

    pasted_points = found.points[found.labels == PERSON]
    assert len(pasted_points)
    assert len(pasted_points) % len(thing.points) == 0
    assert (found.labels == BUILDING).sum() <= (plain().labels == BUILDING).sum()  # a house is no object


def test_a_class_that_is_none_is_named():
    with pytest.raises(UserError, match=r"augmentation.paste: class 'lorry' is not known"):
        ClassTraits.of(Augmentation(paste={"lorry": 1.0}), TABLE.names, np.full(len(TABLE.names), 0.05))
