"""AR@AN and AUC against their published definition in Python loops, on made-up and on real annotations."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import UserError
from evaluation.proposals.protocol import PROTOCOLS, Protocol, RecallCurve, recall_curve
from formats.temporal.annotations import of_subset, read_annotations
from tests.support.slow_temporal_scores import average_recall

# On a coarse grid: equal segments, segments without length and tIoU exactly at a threshold come up.
TIMES = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda ends: sorted(map(float, ends)))
VIDEOS = st.sampled_from(["a", "b", "c", "d"])
BY_VIDEO = st.dictionaries(VIDEOS, st.lists(TIMES, max_size=9), min_size=1)


def arrays(segments: dict[str, list[list[float]]]) -> dict[str, np.ndarray]:
    return {name: np.array(times, np.float64).reshape(-1, 2) for name, times in segments.items()}


def check(truths: dict[str, np.ndarray], proposals: dict[str, np.ndarray], protocol: Protocol) -> RecallCurve:
    curve = recall_curve(truths, proposals, protocol)
    actions = [(name, times) for name, segments in truths.items() for times in segments.tolist()]
    scored = [(name, t, -float(k)) for name, segments in proposals.items() for k, t in enumerate(segments.tolist())]
    expected, auc = average_recall(actions, scored, protocol.tiou.tolist(), protocol.most)
    np.testing.assert_allclose(curve.recall, expected, rtol=0, atol=1e-12)
    assert curve.auc == pytest.approx(auc, abs=1e-12)
    return curve


@given(BY_VIDEO, BY_VIDEO, st.sampled_from([2, 5, 100]))
@settings(max_examples=60)
def test_any_videos(truths: dict[str, list[list[float]]], proposals: dict[str, list[list[float]]], most: int) -> None:
    if not any(truths.values()) or not any(proposals.values()):
        with pytest.raises(UserError, match=r"there (is|are) no"):
            recall_curve(arrays(truths), arrays(proposals), PROTOCOLS["activitynet"])
        return
    check(arrays(truths), arrays(proposals), Protocol(np.array([0.5, 0.75, 1.0]), most, ()))


@pytest.mark.parametrize(
    ("file", "subset", "protocol", "every", "most"),
    [
        ("activitynet/anet_anno_action.json", "validation", "activitynet", 20, 130),
        ("thumos14/thumos_gt.json", "test", "thumos", 14, 700),
    ],
)
def test_real_annotations(shared_data: Path, file: str, subset: str, protocol: str, every: int, most: int) -> None:
    path = shared_data / "temporal" / file
    videos = list(of_subset(read_annotations(path), subset, path).items())[::every]
    truths = {name: video.segments_s for name, video in videos}
    rng = np.random.default_rng(7)
    proposals = {}
    for name, segments_s in list(truths.items())[3:]:  # three videos without any
        near = segments_s[rng.integers(0, len(segments_s), rng.integers(1, most))]
        proposals[name] = np.sort(near + rng.normal(0, 0.2, near.shape) * np.diff(near), axis=1)
    proposals["not annotated"] = np.array([[0.0, 5.0]] * 40)
    curve = check(truths, proposals, PROTOCOLS[protocol])
    assert (curve.videos, curve.actions) == (len(truths), sum(map(len, truths.values())))
    assert curve.proposals == sum(map(len, proposals.values()))
    assert 0.1 < curve.auc < 0.9


def test_each_video_gives_the_same_share_of_its_proposals() -> None:
    truth = np.array([[0.0, 1.0]])
    wrong, right = [[5.0, 6.0]], [[0.0, 1.0]]
    proposals = {"few": np.array(wrong + right), "many": np.array(wrong * 5 + right)}  # 4 on average
    curve = recall_curve({"few": truth, "many": truth}, proposals, PROTOCOLS["activitynet"])
    assert curve.at(3).mean() == 0.0  # 3/4: one of two, four of six
    assert curve.at(4).mean() == 1.0
    assert curve.at(100).mean() == 1.0  # fewer proposals than that: the curve stays where it is
    assert curve.auc == pytest.approx((96 + 0.5) / 100)


def test_proposals_for_other_videos_count_in_the_average() -> None:
    truth = {"a": np.array([[0.0, 1.0]])}
    own = np.array([[0.0, 1.0]] * 2)
    two = Protocol(np.array([0.5]), 2, ())
    assert recall_curve(truth, {"a": own}, two).used == 2
    assert recall_curve(truth, {"a": own, "other": own}, two).used == 1
    nothing = recall_curve(truth, {"a": own[:1], "other": np.repeat(own, 9, axis=0)}, two)
    assert (nothing.used, nothing.auc) == (0, 0.0)
