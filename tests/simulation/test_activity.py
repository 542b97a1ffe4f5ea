"""Actions as an ActivityNet database."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.actors import Action
from simulation.rig import scaled_optics
from simulation.truth.activity import LEAST_PIXELS, SHORTEST_S, database
from simulation.truth.objects import Sighting

LABELS = {"pedestrian crosses": "over the road", "vehicle stops": "comes to a halt"}


def sightings(track_id: int, frames: range, pixels: int = LEAST_PIXELS) -> list[Sighting]:
    return [Sighting(frame, track_id, pixels) for frame in frames]


def annotations(actions: list[Action], seen: list[Sighting], frames: int = 100) -> list[dict]:
    return database(actions, seen, LABELS, name="drive", frames=frames)["database"]["drive"]["annotations"]


def test_segments_are_what_can_be_seen_of_an_action() -> None:
    """Seen from frame 30 to 55, an action from 2.0 s to 5.0 s is annotated from 3.0 s to its end."""
    crossing = Action("pedestrian crosses", 5, 2.0, 5.0)
    (found,) = annotations([crossing], sightings(5, range(30, 56)))
    assert found == {"label": "pedestrian crosses", "track_id": 5, "segment": [3.0, 5.0], "whole": [2.0, 5.0]}
    (found,) = annotations([crossing], sightings(5, range(10, 41)))
    assert found["segment"] == [2.0, 4.1]  # frame 40 stands for 4.0 s to 4.1 s


def test_too_small_is_not_seen_and_another_actor_does_not_count() -> None:
    crossing = Action("pedestrian crosses", 5, 2.0, 5.0)
    assert annotations([crossing], sightings(5, range(100), LEAST_PIXELS - 1) + sightings(6, range(100))) == []


def test_in_smaller_pictures_fewer_pixels_are_enough() -> None:
    """A quarter of them at half the width and height."""
    crossing, half = [Action("pedestrian crosses", 5, 2.0, 5.0)], scaled_optics(0.5)
    for pixels, count in ((math.ceil(LEAST_PIXELS / 4), 1), (math.ceil(LEAST_PIXELS / 4) - 1, 0)):
        seen = sightings(5, range(100), pixels)
        whole = database(crossing, seen, LABELS, name="d", frames=100, optics=half)["database"]["d"]
        assert len(whole["annotations"]) == count
    assert whole["resolution"] == "621x188"


def test_a_long_gap_parts_an_annotation_and_a_short_one_does_not() -> None:
    crossing = Action("pedestrian crosses", 5, 1.0, 9.0)
    seen = [*range(10, 30), *range(40, 50), *range(61, 80)]  # 10 frames are missing, then 11
    found = annotations([crossing], [Sighting(k, 5, 999) for k in seen])
    assert [a["segment"] for a in found] == [[1.0, 5.0], [6.1, 8.0]]
    assert {tuple(a["whole"]) for a in found} == {(1.0, 9.0)}


def test_what_lasts_ends_with_the_drive_and_what_is_outside_is_left_out() -> None:
    actions = [
        Action("vehicle stops", 7, 8.0, None),
        Action("vehicle stops", 8, 9.0, 14.0),
        Action("vehicle stops", 9, 11.0, 12.0),
        Action("vehicle stops", 10, -4.0, -1.0),
        Action("vehicle stops", 11, -4.0, 2.0),
    ]
    seen = [s for i in range(7, 12) for s in sightings(i, range(100))]
    whole = database(actions, seen, LABELS, name="d", frames=100)["database"]["d"]
    assert whole["duration"] == 10.0
    assert [(a["track_id"], a["segment"]) for a in whole["annotations"]] == [
        (11, [0.0, 2.0]), (7, [8.0, 10.0]), (8, [9.0, 10.0]),
    ]  # fmt: skip
    assert [(a["track_id"], a["ended"]) for a in whole["all_actions"]] == [(11, True), (7, False), (8, False)]


def test_the_frame_of_the_file_is_activitynets() -> None:
    """What ActivityNet's evaluation code reads: version, taxonomy, and per video its subset, duration and segments."""
    whole = database([Action("vehicle stops", 7, 1.0, 3.0)], sightings(7, range(50)), LABELS, name="d", frames=50)
    assert set(whole) == {"version", "taxonomy", "database"}
    assert [node["nodeName"] for node in whole["taxonomy"]] == ["Root", *LABELS]
    assert all(node["parentId"] == 0 for node in whole["taxonomy"][1:])
    video = whole["database"]["d"]
    assert (video["subset"], video["resolution"], video["fps"]) == ("simulation", "1242x375", 10.0)
    assert {a["label"] for a in video["annotations"]} <= {node["nodeName"] for node in whole["taxonomy"]}


def test_no_actions_are_an_empty_list() -> None:
    assert annotations([], sightings(1, range(5))) == []


times = st.floats(-5.0, 20.0)


@given(
    actions=st.lists(st.tuples(st.integers(1, 3), times, st.none() | st.floats(0.0, 10.0)), max_size=8),
    seen=st.lists(st.tuples(st.integers(0, 99), st.integers(1, 3)), max_size=60, unique=True),
)
def test_every_segment_is_within_the_video_its_action_and_its_sightings(actions: list, seen: list) -> None:
    made = [Action("vehicle stops", i, a, None if length is None else a + length) for i, a, length in actions]
    for found in annotations(made, [Sighting(frame, i, 999) for frame, i in seen]):
        (a, b), (first, last) = found["segment"], found["whole"]
        assert 0.0 <= first <= a < b <= last <= 10.0
        assert b - a >= SHORTEST_S - 0.002  # rounded to milliseconds
        frames = {frame for frame, i in seen if i == found["track_id"]}
        assert a == pytest.approx(first) or any(a == pytest.approx(frame * 0.1) for frame in frames)
        assert b == pytest.approx(last) or any(b == pytest.approx((frame + 1) * 0.1) for frame in frames)
