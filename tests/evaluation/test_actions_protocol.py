"""mAP against its published definition in Python loops, on made-up and on real annotations."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import UserError
from evaluation.actions.protocol import THRESHOLDS, ActionScores, score_actions
from formats.temporal.annotations import AnnotatedVideo, of_subset, read_annotations
from formats.temporal.results import Proposals
from tests.support.slow_temporal_scores import average_precision

# On a coarse grid: equal segments, segments without length and tIoU exactly at a threshold come up.
TIMES = st.tuples(st.integers(0, 4), st.integers(0, 4)).map(lambda ends: sorted(map(float, ends)))
LABELS = st.sampled_from(["jump", "run", "swim"])
ACTIONS = st.lists(st.tuples(TIMES, LABELS), max_size=6)
DETECTIONS = st.lists(st.tuples(TIMES, LABELS, st.integers(0, 4)), max_size=12)


def annotated(actions: list[tuple[list[float], str]]) -> AnnotatedVideo:
    return AnnotatedVideo(
        duration_s=None,
        subset=None,
        segments_s=np.array([times for times, _ in actions], np.float64).reshape(-1, 2),
        labels=tuple(label for _, label in actions),
    )


def detected(found: list[tuple[list[float], str, int]]) -> Proposals:
    ranked = sorted(found, key=lambda d: -d[2])
    return Proposals(
        segments_s=np.array([times for times, _, _ in ranked], np.float64).reshape(-1, 2),
        scores=np.array([score for _, _, score in ranked], np.float64),
        labels=tuple(label for _, label, _ in ranked),
    )


def check(truths: dict[str, AnnotatedVideo], found: dict[str, Proposals], thresholds: np.ndarray) -> ActionScores:
    scores = score_actions(truths, found, thresholds)
    actions = [
        (name, times, label)
        for name, video in truths.items()
        for times, label in zip(video.segments_s.tolist(), video.labels, strict=True)
    ]
    detections = [
        (name, times, label, score)
        for name, video in found.items()
        for times, label, score in zip(video.segments_s.tolist(), video.labels or (), video.scores, strict=True)
    ]
    expected = [
        [average_precision(actions, detections, label, threshold) for label in scores.classes]
        for threshold in thresholds.tolist()
    ]
    assert set(scores.classes) == {label for _, _, label in actions}
    np.testing.assert_allclose(scores.average_precision, expected, rtol=0, atol=1e-12)
    return scores


@given(
    st.dictionaries(st.sampled_from("abc"), ACTIONS.map(annotated)),
    st.dictionaries(st.sampled_from("abcd"), DETECTIONS.map(detected)),
)
@settings(max_examples=60)
def test_any_videos(truths: dict[str, AnnotatedVideo], found: dict[str, Proposals]) -> None:
    classes = {label for video in truths.values() for label in video.labels}
    if not classes & {label for video in found.values() for label in video.labels or ()}:
        with pytest.raises(UserError, match="annotated"):
            score_actions(truths, found, np.array([0.5]))
        return
    check(truths, found, np.array([0.3, 0.5, 1.0]))


@pytest.mark.parametrize(
    ("file", "subset", "protocol", "every"),
    [
        ("activitynet/anet_anno_action.json", "validation", "activitynet", 40),
        ("thumos14/thumos_gt.json", "test", "thumos", 20),
    ],
)
def test_real_annotations(shared_data: Path, file: str, subset: str, protocol: str, every: int) -> None:
    path = shared_data / "temporal" / file
    truths = dict(list(of_subset(read_annotations(path), subset, path).items())[::every])
    rng = np.random.default_rng(7)
    found = {}
    for name, video in truths.items():
        chosen = rng.integers(0, len(video.labels), 25)
        near = video.segments_s[chosen]
        labels = [video.labels[i] if rng.random() < 0.8 else "something else" for i in chosen]
        found[name] = Proposals(
            segments_s=np.sort(near + rng.normal(0, 0.15, near.shape) * np.diff(near), axis=1),
            scores=-np.sort(-rng.random(25)),
            labels=tuple(labels),
        )
    found["not annotated"] = found[next(iter(truths))]
    scores = check(truths, found, THRESHOLDS[protocol])
    assert 0.05 < scores.mean_average_precision.mean() < 0.95
    assert scores.other_labels.keys() == {"something else"}
    assert scores.annotated.sum() == sum(len(video.labels) for video in truths.values())


def test_a_second_prediction_of_the_same_action_is_wrong() -> None:
    truth = {"a": annotated([([0, 10], "jump")])}
    found = {"a": detected([([0, 10], "jump", 3), ([0, 10], "jump", 2)])}
    scores = score_actions(truth, found, np.array([0.5]))
    assert scores.mean_average_precision.tolist() == [1.0]  # what is wrong after the last right one costs nothing
    first_wrong = {"a": detected([([20, 30], "jump", 3), ([0, 10], "jump", 2)])}
    assert score_actions(truth, first_wrong, np.array([0.5])).mean_average_precision.tolist() == [0.5]


def test_a_class_that_is_never_predicted_counts_as_0() -> None:
    truth = {"a": annotated([([0, 10], "jump"), ([0, 10], "run")])}
    scores = score_actions(truth, {"a": detected([([0, 10], "jump", 1)])}, np.array([0.5]))
    assert scores.mean_average_precision.tolist() == [0.5]
    assert scores.predicted.tolist() == [1, 0]


def test_proposals_without_labels_are_named() -> None:
    truth = {"a": annotated([([0, 10], "jump")])}
    found = {"a": Proposals(segments_s=np.array([[0.0, 1.0]]), scores=np.array([1.0]))}
    with pytest.raises(UserError, match="'a': predictions without labels; score them with evaluate proposals"):
        score_actions(truth, found, np.array([0.5]))
