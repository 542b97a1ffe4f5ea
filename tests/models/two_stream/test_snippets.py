"""Snippets of a video: which frames they are sampled from, what of them the network sees, and what is refused."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from errors import UserError
from models.two_stream.snippets import (
    FLOW_LIMIT_PX,
    FLOW_UNIT_PX,
    RGB_MEANS,
    RGB_STDS,
    Snippeter,
    SnippetSettings,
    flow_px,
    network_inputs,
    shrunk,
)

SMALL = SnippetSettings(height=32, width=32)


def grey(level: int) -> np.ndarray:
    return np.full((20, 30, 3), level, np.uint8)


def level_of(snippet) -> int:
    return round(float(snippet.rgb[0, 0, 0] * RGB_STDS[0] + RGB_MEANS[0]) * 255)


def run(stamps_s, settings=SMALL, stride=None):
    """All snippets of a video whose k-th frame is grey k."""
    snippeter, found = Snippeter(settings, stride), []
    for k, stamp_s in enumerate(stamps_s):
        found += snippeter.add(grey(k), stamp_s)
    return found + snippeter.finish()


def slowly(stamps_s, settings, stride):
    """(start, frame in the middle, repeats) of each snippet, by looking at all frames for each sample, and at the one
    that would have come next."""
    stamps = np.array(stamps_s, float) - stamps_s[0]
    stamps = np.append(stamps, 2 * stamps[-1] - stamps[-2])
    nearest = []
    while (k := int(np.argmin(np.abs(stamps - len(nearest) * settings.sample_s)))) < len(stamps_s):
        nearest.append(k)
    repeats = [n > 0 and nearest[n] == nearest[n - 1] for n in range(len(nearest))]
    starts = range(0, len(nearest) - settings.frames + 1, stride)
    return [
        (n * settings.sample_s, nearest[n + settings.frames // 2], sum(repeats[n : n + settings.frames]))
        for n in starts
    ]


@given(
    gaps_ms=st.lists(st.integers(11, 700), min_size=1, max_size=60),
    first_ms=st.integers(-5000, 10**9),
    frames=st.integers(2, 4),
    stride=st.integers(1, 5),
)
def test_samples_are_the_frames_nearest_to_their_times(gaps_ms, first_ms, frames, stride):
    settings = SnippetSettings(snippet_s=0.199 * frames, frames=frames, height=32, width=32)
    stamps_s = (first_ms + np.cumsum([0, *gaps_ms])) / 1000
    with_next = np.append(stamps_s, 2 * stamps_s[-1] - stamps_s[-2]) - stamps_s[0]
    halfway = (with_next[1:] + with_next[:-1]) / 2 / settings.sample_s
    assume(np.abs(halfway - np.round(halfway)).min() > 1e-4)  # there rounding decides
    found = run(stamps_s, settings, stride)
    expected = slowly(stamps_s.tolist(), settings, stride)
    assert [(level_of(s), s.repeated) for s in found] == [(k, repeats) for _, k, repeats in expected]
    np.testing.assert_allclose([s.start_s - stamps_s[0] for s in found], [e[0] for e in expected], atol=1e-6)
    np.testing.assert_allclose([s.end_s - s.start_s for s in found], settings.snippet_s, rtol=1e-6)


@pytest.mark.parametrize("fps", [5, 10, 25, 29.97, 60])
def test_frame_rates_make_no_difference_to_what_a_snippet_covers(fps):
    found = run(np.arange(round(3 * fps) + 1) / fps)
    np.testing.assert_allclose([(s.start_s, s.end_s) for s in found], [(0.6 * k, 0.6 * k + 0.6) for k in range(5)])
    assert not any(s.repeated for s in found)


def test_jitter_of_a_video_as_fast_as_its_samples_repeats_nothing():
    stamps = np.arange(31) * 0.2 + np.random.default_rng(0).uniform(-0.02, 0.02, 31)
    found = run(stamps)
    assert len(found) == 10
    assert not any(s.repeated for s in found)


def test_a_slow_video_repeats_frames_and_says_so():
    found = run(np.arange(10) / 2.5)
    assert sum(s.repeated for s in found) == len(found) * 3 // 2
    assert all(np.abs(s.flow).max() < 0.05 for s in found)


@pytest.mark.parametrize(("fps", "frames", "snippets"), [(25, 75, 5), (25, 70, 4), (5, 15, 5), (5, 14, 4), (4, 12, 5)])
def test_no_snippet_reaches_beyond_the_end_by_more_than_a_sample(fps, frames, snippets):
    found = run(np.arange(frames) / fps)
    assert len(found) == snippets
    assert found[-1].end_s < frames / fps + SMALL.sample_s


def test_a_snippet_comes_with_the_frame_that_completes_it():
    snippeter = Snippeter(SMALL)
    counts = [len(snippeter.add(grey(k), k / 10)) for k in range(11)]
    assert counts == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]  # samples at 0, 0.2, 0.4; 0.6, 0.8, 1.0


def test_inputs_are_the_middle_picture_and_the_motion_between_all():
    rng = np.random.default_rng(3)
    ground = np.kron(rng.integers(0, 255, (26, 34, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    settings = SnippetSettings(frames=3, height=96, width=160)
    images = [np.ascontiguousarray(ground[20:116, 30 - 3 * k : 190 - 3 * k]) for k in range(3)]  # 3 px to the right
    rgb, flow = network_inputs(images)
    assert rgb.dtype == flow.dtype == np.float32
    assert (rgb.shape, flow.shape) == ((3, 96, 160), (settings.flow_channels, 96, 160))
    expected = (images[1][10, 20, ::-1] / 255 - RGB_MEANS) / RGB_STDS
    np.testing.assert_allclose(rgb[:, 10, 20], expected, atol=1e-5)
    inside = flow[:, 16:-16, 16:-16] * FLOW_UNIT_PX
    np.testing.assert_allclose(np.median(inside, axis=(1, 2)), [3, 0, 3, 0], atol=0.3)
    assert np.abs(flow).max() <= FLOW_LIMIT_PX / FLOW_UNIT_PX


def test_flow_is_the_same_each_time():
    rng = np.random.default_rng(1)
    before, after = (rng.integers(0, 255, (96, 160), np.uint8) for _ in range(2))
    np.testing.assert_array_equal(flow_px(before, after), flow_px(before, after))


def test_the_whole_frame_is_seen():
    image = np.zeros((90, 400, 3), np.uint8)
    image[:, -40:] = 200
    small = shrunk(image, SnippetSettings())
    assert small.shape == (96, 160, 3)
    assert (small[:, -15:] == 200).all()
    assert (small[:, :-17] == 0).all()


@pytest.mark.parametrize(
    ("image", "stamp_s", "what"),
    [
        (np.zeros((0, 8, 3), np.uint8), 1.0, r"the frame at 1.000 s is uint8 \[0, 8, 3\]"),
        (np.zeros((8, 8), np.uint8), 1.0, "a frame is uint8"),
        (np.zeros((8, 8, 3), np.float32), 1.0, "is float32"),
        (grey(0), float("nan"), "time stamp is nan"),
        (grey(0), 0.3, "the frame at 0.300 s follows one at 0.300 s; time stamps must rise"),
        (grey(0), 11.0, "by 10 s at most"),
    ],
)
def test_frames_that_are_refused_change_nothing(image, stamp_s, what):
    snippeter = Snippeter(SMALL)
    snippeter.add(grey(0), 0.0)
    snippeter.add(grey(1), 0.3)
    with pytest.raises(UserError, match=what):
        snippeter.add(image, stamp_s)
    (snippet,) = snippeter.add(grey(2), 0.45)
    assert (level_of(snippet), snippet.repeated) == (1, 0)


@pytest.mark.parametrize("wrong", [{"snippet_s": 0}, {"snippet_s": float("nan")}, {"frames": 1}, {"height": 16}])
def test_settings_that_make_no_snippet(wrong):
    with pytest.raises(ValueError, match="a snippet has a length"):
        SnippetSettings(**wrong)


def test_memory_does_not_grow():
    snippeter = Snippeter(SMALL)
    for k in range(500):
        snippeter.add(grey(k % 256), k / 10)
    assert len(snippeter._samples) == SMALL.frames
