"""Proposals while the video runs: all that becomes final is what offline gives; each mistake is one line."""

import numpy as np
import pytest

from errors import DataAbsentError, UserError
from inference.manifest import WindowProfile
from models.bcgnn.offline import video_proposals
from nodes.proposals import ActionProposer
from pipeline.messages import Header, SnippetFeatures
from tests.support.tiny_bcgnn import DIMENSION, LENGTH, RESCALED, make_tiny_bcgnn, tiny_score
from tests.support.tiny_models import make_tiny_segmenter

STEP_S, BEGIN_NS = 0.6, 1_317_013_342_000_000_000
EVERY_STEP = WindowProfile(style="sliding", step_s=STEP_S)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(make_tiny_bcgnn(tmp_path_factory.mktemp("bcgnn")))


@pytest.fixture
def proposer(model):
    node = ActionProposer(model, stride=2, backend="onnxruntime")
    node.open()
    yield node
    node.close()


def snippet(number, features, **changes):
    end_s = number * STEP_S + STEP_S
    values = {
        "header": Header(stamp_ns=BEGIN_NS + round(end_s * 1e9)),
        "features": np.float32(features),
        "start_s": number * STEP_S,
        "end_s": end_s,
        "begin_ns": BEGIN_NS,
    }
    return SnippetFeatures(**(values | changes))


def features(snippets):
    return np.random.default_rng(0).normal(size=(snippets, DIMENSION)).astype(np.float32) * 4


def final(messages):
    return {(p.start_s, p.end_s): p.score for m in messages for p in m.proposals if p.final}


def offline(given, numbers):
    found = video_proposals(
        given.T,
        (np.array(numbers) + 0.5) * STEP_S,
        tiny_score,
        length=LENGTH,
        stride=2,
        sigma=0.4,
        least_score=0.05,
    )
    return {(round(a, 6), round(b, 6)): s for (a, b), s in zip(found.segments_s.tolist(), found.scores, strict=True)}


def rounded(found):
    return {(round(a, 6), round(b, 6)): pytest.approx(s, rel=1e-4) for (a, b), s in found.items()}


def test_all_that_becomes_final_in_ten_minutes_is_what_offline_gives(proposer):
    given = features(1000)
    messages = [proposer.process(snippet(i, row)) for i, row in enumerate(given)]
    messages += proposer.finish()
    assert len(messages) == 1001
    expected = offline(given, range(1000))
    assert len(expected) > 500
    assert rounded(final(messages)) == expected
    stamps = [m.header.stamp_ns for m in messages]
    assert stamps == sorted(set(stamps))
    assert all(p.final for p in messages[-1].proposals)
    assert [m.complete for m in messages] == [False] * 1000 + [True]


def test_what_is_final_never_changes_and_is_told_for_two_windows(proposer):
    said = {}
    for i, row in enumerate(features(60)):
        now = proposer.process(snippet(i, row))
        told = {(p.start_s, p.end_s) for p in now.proposals if p.final}
        for p in now.proposals:
            key = p.start_s, p.end_s
            assert key not in said or said[key] == p  # neither its score nor that it is final
            if p.final:
                said[key] = p
        horizon_s = (i + 1) * STEP_S - 2 * LENGTH * STEP_S
        assert {key for key in said if key[1] > horizon_s + STEP_S} <= told
        assert len(now.proposals) < 3 * LENGTH * LENGTH


def test_a_gap_ends_what_is_before_it(proposer, caplog):
    given = features(24)
    numbers = [*range(12), *range(40, 52)]
    messages = [proposer.process(snippet(n, row)) for n, row in zip(numbers, given, strict=True)]
    messages += proposer.finish()
    expected = offline(given[:12], numbers[:12]) | offline(given[12:], numbers[12:])
    assert rounded(final(messages)) == expected
    assert proposer.counters["gaps"] == 1
    assert "snippets are missing between 7.2 and 24.0 s" in caplog.text


def test_two_snippets_with_one_stamp_are_told_in_one_message(proposer):
    first, second = (snippet(i, row) for i, row in enumerate(features(2)))
    assert proposer.process(first) is not None
    assert proposer.process(snippet(1, second.features, header=first.header)) is None


def test_an_empty_stream_is_complete_without_proposals(proposer):
    (message,) = proposer.finish()
    assert message.complete
    assert message.proposals == ()


def test_features_of_another_dimension_or_not_finite(proposer, model):
    with pytest.raises(UserError, match=rf"the snippets have 3 features, but {model} takes 7: use the features"):
        proposer.process(snippet(0, np.zeros(3)))
    with pytest.raises(ValueError, match=r"the snippet at 0\.00 s are not finite"):
        proposer.process(snippet(0, np.full(DIMENSION, np.nan)))


@pytest.mark.parametrize(
    ("params", "what"),
    [
        ({"stride": 0}, "stride is 0; give 1 to 8 snippets"),
        ({"stride": 9}, "stride is 9"),
        ({"sigma": 0.0}, "sigma is 0.0"),
        ({"least_score": 0.0}, "least_score is 0.0"),
        ({"threads": -1}, "threads is -1"),
        ({"backend": "openvin"}, "did you mean 'openvino'"),
    ],
)
def test_check_refuses(model, params, what):
    ActionProposer.check(model)
    with pytest.raises(UserError, match=what):
        ActionProposer.check(model, **params)


def test_check_refuses_a_model_of_rescaled_videos_and_one_that_does_not_say(tmp_path):
    for windows, what in (
        (RESCALED, "trained on whole videos rescaled to one window"),
        (None, "does not say on which"),
    ):
        folder = make_tiny_bcgnn(tmp_path / str(windows is None), windows=windows)
        with pytest.raises(UserError, match=what):
            ActionProposer.check(str(folder))


@pytest.fixture
def knowing(tmp_path):
    """Of a model that says how far apart its snippets are."""
    node = ActionProposer(str(make_tiny_bcgnn(tmp_path, windows=EVERY_STEP)), backend="onnxruntime")
    node.open()
    yield node
    node.close()


def test_a_gap_between_the_first_two_snippets_is_one(knowing):
    for number in (0, 3):
        knowing.process(snippet(number, np.zeros(DIMENSION)))
    assert knowing.counters["gaps"] == 1


@pytest.mark.parametrize("step_s", [0.2, 0.9])
def test_snippets_nearer_or_farther_apart_than_the_model_knows(knowing, step_s):
    row = np.zeros(DIMENSION)
    knowing.process(snippet(0, row, end_s=1.0))
    with pytest.raises(UserError, match=rf"trained on a snippet every 0\.6 s, these are {step_s} s apart"):
        knowing.process(snippet(1, row, start_s=step_s, end_s=step_s + 1.0))


def test_check_refuses_another_model(tmp_path):
    folder = make_tiny_segmenter(tmp_path, 8, 32)
    with pytest.raises(UserError, match="family 'tiny_segmenter', not 'bcgnn'; give the folder of an exported bcgnn"):
        ActionProposer.check(str(folder))


def test_a_model_that_is_not_there_can_be_left_out_of_a_graph(tmp_path):
    with pytest.raises(DataAbsentError, match="no such folder; train a BC-GNN"):
        ActionProposer.check(model=str(tmp_path / "bcgnn"))
