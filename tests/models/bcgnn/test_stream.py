"""Streaming equals offline, and both equal the definition in :mod:`models.bcgnn.merging` written as loops."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bcgnn.merging import Merger, window_candidates
from models.bcgnn.nms import soft_nms
from models.bcgnn.offline import video_proposals
from models.bcgnn.stream import ProposalStream

SIGMA, LEAST = 0.4, 0.02


def network(seed, longest):
    """A stand-in for the network: what it says depends on all features of the window, sharply."""
    weights = np.random.default_rng(seed).normal(size=(3, 2))

    def score(window):
        length = window.shape[1]
        start, end, inside = 1 / (1 + np.exp(-4 * np.sin(weights @ window * 3 + window.sum() / 50)))
        i, j = np.indices((length, length))
        content = np.sqrt(inside[:, None] * inside) * ((j > i) & (j - i <= longest))
        return start.astype(np.float32), end.astype(np.float32), content.astype(np.float32)

    return score


def streamed(features, times_s, score, **how):
    """What a stream says: every update, and last what ``finish`` gives."""
    stream = ProposalStream(score, **how)
    updates = [stream.add(*given) for given in zip(features.T, times_s, strict=True)]
    return updates, stream.finish()


def union(updates, last):
    parts = [*(update.final for update in updates if update is not None), last]
    segments, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    return sorted(zip(-scores, *segments.T, strict=True))


videos = st.tuples(
    st.integers(0, 40),  # seed
    st.integers(1, 60),  # snippets
    st.integers(2, 16),  # length of a window
    st.integers(1, 16),  # stride
)


@settings(max_examples=150)
@given(videos, st.sampled_from([0.05, SIGMA, 2.0]), st.sampled_from([1e-3, LEAST, 0.3]))
def test_all_that_became_final_is_what_offline_gives(video, sigma, least_score):
    seed, snippets, length, stride = video
    how = {"length": length, "stride": min(stride, length), "sigma": sigma, "least_score": least_score}
    features = np.random.default_rng(seed).normal(size=(2, snippets)).astype(np.float32)
    times_s = 100 + 0.32 * np.arange(snippets) + 0.16
    score = network(seed, max(length // 2, 1))
    expected = video_proposals(features, times_s, score, **how)
    found = union(*streamed(features, times_s, score, **how))
    assert found == list(zip(-expected.scores, *expected.segments_s.T, strict=True))


def slow_merge(windows, sigma, least):
    """The definition: ``windows`` are (candidates {(first, last): score}, first snippet of the next window)."""

    def iou(a, b):
        shared = max(min(a[1], b[1]) - max(a[0], b[0]), 0)
        return shared / (a[1] - a[0] + b[1] - b[0] - shared)

    best, lowered_by, decided, final = {}, {}, set(), []
    for window, next_first in [*windows, ({}, math.inf)]:
        for segment, score in window.items():
            best[segment] = max(score, best.get(segment, 0))
        left = set(best) - decided
        now = {s: best[s] * math.prod(math.exp(-(iou(s, f) ** 2) / sigma) for f in lowered_by.get(s, ())) for s in left}
        while left and now[chosen := max(left, key=lambda s: (now[s], -s[0], -s[1]))] >= least:
            left.remove(chosen)
            if chosen[1] <= next_first:
                final.append((now[chosen], chosen))
                for other in left:
                    lowered_by.setdefault(other, []).append(chosen)
            for other in left:
                now[other] *= math.exp(-(iou(other, chosen) ** 2) / sigma)
        decided |= {segment for segment in best if segment[1] <= next_first}
    return sorted(final, key=lambda found: (-found[0], found[1]))


@settings(max_examples=100)
@given(
    st.integers(0, 10_000), st.integers(1, 5), st.integers(2, 7), st.integers(1, 7), st.sampled_from([0.05, 0.4, 2.0])
)
def test_merging_equals_its_definition(seed, count, length, stride, sigma):
    rng, stride = np.random.default_rng(seed), min(stride, length)
    merger, windows, found = Merger(sigma=sigma, least_score=LEAST), [], []
    for first in range(0, count * stride, stride):
        start, end, content = rng.random(length), rng.random(length), np.triu(rng.random((length, length)), 1)
        candidates = window_candidates(start, end, content, first=first, snippets=length, least_score=LEAST)
        found.append(merger.add(candidates, first + stride)[0])
        by_segment = {
            (first + i, first + j): start[i] * end[j] * content[i, j]
            for i in range(length)
            for j in range(i + 1, length)
        }
        windows.append(({s: p for s, p in by_segment.items() if p >= LEAST}, first + stride))
    found.append(merger.finish())
    segments, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((segments[:, 1], segments[:, 0], -scores))
    expected = slow_merge(windows, sigma, LEAST)
    np.testing.assert_allclose(scores[order], [score for score, _ in expected], rtol=1e-9)
    assert segments[order].tolist() == [list(segment) for _, segment in expected]


@given(st.integers(0, 1000), st.sampled_from([0.05, 0.4]))
def test_one_window_is_plain_soft_nms(seed, sigma):
    rng = np.random.default_rng(seed)
    candidates = window_candidates(
        rng.random(12), rng.random(12), np.triu(rng.random((12, 12)), 1), first=0, snippets=12, least_score=LEAST
    )
    merger = Merger(sigma=sigma, least_score=LEAST)
    parts = merger.add(candidates, 6)[0], merger.finish()
    segments, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    plain = soft_nms(candidates.segments, candidates.scores, sigma=sigma, most=len(candidates.scores))
    kept = plain.scores >= LEAST
    order = np.argsort(-scores, kind="stable")
    np.testing.assert_allclose(scores[order], plain.scores[kept], rtol=1e-9)
    assert segments[order].tolist() == plain.segments_s[kept].tolist()


def ramp(snippets, length=8):
    """A network that sees one action, from snippet 10 to 13, wherever it lies in the window."""

    def score(window):
        numbers = window[0]
        content = np.zeros((length, length))
        i, j = np.flatnonzero(numbers == 10), np.flatnonzero(numbers == 13)
        if len(i) and len(j):
            content[i[0], j[0]] = 0.9
        return np.ones(length), np.ones(length), content

    return np.arange(snippets, dtype=np.float32)[None], np.arange(snippets) + 0.5, score


def test_an_action_is_provisional_at_once_and_final_a_window_later():
    features, times_s, score = ramp(40)
    updates, last = streamed(features, times_s, score, length=8, stride=2, sigma=SIGMA, least_score=LEAST)
    known = {i: (len(u.final.scores), len(u.provisional.scores)) for i, u in enumerate(updates) if u is not None}
    assert [i for i, (_, provisional) in known.items() if provisional] == [13, 15, 17]
    assert [i for i, (final, _) in known.items() if final] == [19]  # the next window begins at 14, behind its end
    assert updates[13].provisional.segments_s.tolist() == updates[19].final.segments_s.tolist() == [[10.5, 13.5]]
    assert updates[19].final.scores.tolist() == [0.9]
    assert len(last.scores) == 0


def test_before_the_first_window_is_full_there_are_provisional_proposals():
    features, times_s, score = ramp(20, length=16)
    updates, _ = streamed(features, times_s, score, length=16, stride=4, sigma=SIGMA, least_score=LEAST)
    assert [i for i, u in enumerate(updates) if u is not None and len(u.provisional.scores)] == [15, 19]
    features, times_s, score = ramp(14, length=16)
    updates, last = streamed(features, times_s, score, length=16, stride=7, sigma=SIGMA, least_score=LEAST)
    assert [i for i, u in enumerate(updates) if u is not None and len(u.provisional.scores)] == [13]
    assert last.segments_s.tolist() == [[10.5, 13.5]]  # the end of the video: the part of a window is scored


def test_no_snippet_no_proposal():
    stream = ProposalStream(network(0, 4), length=8, stride=4, sigma=SIGMA, least_score=LEAST)
    assert stream.finish().segments_s.shape == (0, 2)


def test_what_is_held_does_not_grow():
    rng, score = np.random.default_rng(0), network(0, 4)
    stream = ProposalStream(score, length=8, stride=2, sigma=SIGMA, least_score=1e-6)
    held = []
    for number in range(2000):
        stream.add(rng.normal(size=2).astype(np.float32), float(number))
        held.append(len(pickle.dumps(stream._merger)) + len(stream._features) + len(stream._times_s))
    assert max(held) == max(held[:200])


@pytest.mark.parametrize("stride", [0, 9])
def test_a_stride_that_leaves_snippets_out(stride):
    with pytest.raises(ValueError, match=f"stride={stride}: must be 1 to 8"):
        ProposalStream(network(0, 4), length=8, stride=stride, sigma=SIGMA, least_score=LEAST)
