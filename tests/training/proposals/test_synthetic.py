"""The synthetic benchmark: what is annotated is in the features, and no part of it says alone where an action is."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from errors import UserError
from formats.temporal.annotations import read_annotations
from training.proposals import synthetic
from training.proposals.synthetic import DIMENSION, make_video, make_world, write_benchmark

ROOT = Path(__file__).resolve().parents[3]


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path):
    for name, seed in (("once", 3), ("again", 3), ("other", 4)):
        write_benchmark(tmp_path / name, seed=seed, videos=4, snippets=40)
    once, again, other = (files(tmp_path / name) for name in ("once", "again", "other"))
    assert len(once) == 5
    assert once == again
    assert all(once[name] != other[name] for name in once)


def test_every_video_has_actions_and_they_are_in_it(tmp_path):
    write_benchmark(tmp_path / "made", videos=40)
    videos = read_annotations(tmp_path / "made" / "annotations.json")
    assert [video.subset for video in videos.values()].count("validation") == 10
    for name, video in videos.items():
        features = np.load(tmp_path / "made" / "features" / f"{name}.npy")
        assert features.shape == (DIMENSION, 64)
        assert features.dtype == np.float32
        assert len(video.segments_s) >= 1
        assert (video.segments_s >= 0).all()
        assert (video.segments_s <= video.duration_s).all()
    durations_s = np.concatenate([np.diff(video.segments_s) for video in videos.values()])
    assert durations_s.min() < 4
    assert durations_s.max() > 15


def test_an_action_is_its_cues_and_its_content(monkeypatch):
    """Without noise, drift and single cues, what the features have along each direction is what the events say."""
    for name in ("_NOISE", "_DRIFT", "_SINGLE_CUES_HZ"):
        monkeypatch.setattr(synthetic, name, 0.0)
    world = make_world(0)
    directions = np.concatenate([world.cues.reshape(-1, DIMENSION), world.content.reshape(-1, DIMENSION)])
    for seed in range(20):
        features, events = make_video(world, 64, np.random.default_rng(seed))
        amounts = np.linalg.lstsq(directions.T, features, rcond=None)[0]
        cues, content = amounts[:8].reshape(4, 2, 64), amounts[8:].reshape(12, 2, 64).sum(axis=1)
        expected_cues, inside = np.zeros((4, 2, 64), bool), np.zeros((12, 64))
        for event in events:
            if event.is_action:
                assert event.cues == (event.label % 4, event.label % 4)
            for side, at_s in enumerate((event.start_s, event.end_s)):
                if event.cues is not None:
                    near = np.abs(np.arange(64) + 0.5 - at_s) < 3
                    expected_cues[event.cues[side], side] |= near
            if event.label is not None:
                for second in range(64):
                    covered = min(second + 1, event.end_s) - max(second, event.start_s)
                    inside[event.label, second] = max(inside[event.label, second], covered)
        np.testing.assert_allclose(cues[~expected_cues], 0, atol=1e-3)
        np.testing.assert_allclose(content[inside <= 0], 0, atol=1e-4)
        whole = [e for e in events if e.is_action and e.end_s - e.start_s > 3]
        for event in whole:
            middle = int((event.start_s + event.end_s) / 2)
            assert content[event.label, middle] > 0.9
            assert cues[event.cues[0], 0, int(event.start_s)] > 0.5
            assert cues[event.cues[1], 1, int(event.end_s) - (event.end_s == 64)] > 0.5


def test_neither_a_cue_nor_a_content_says_alone_that_an_action_is_there():
    world, rng = make_world(0), np.random.default_rng(0)
    events = [event for _ in range(150) for event in make_video(world, 64, rng)[1]]
    with_cues = [event.is_action for event in events if event.cues is not None]
    with_content = [event.is_action for event in events if event.label is not None]
    singles = 150 * 64 * synthetic._SINGLE_CUES_HZ / 2  # a start cue each, or an end cue
    assert 0.25 < sum(with_cues) / (len(with_cues) + singles) < 0.6
    assert 0.4 < np.mean(with_content) < 0.8


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "features").mkdir()
    command = [sys.executable, "-m", "training.proposals.synthetic", "--out", str(tmp_path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode != 0
    assert said.stderr.startswith("error: ")
    assert "give a new folder" in said.stderr
    assert said.stderr.count("\n") == 1
    assert not list((tmp_path / "features").iterdir())


def test_too_few_are_refused(tmp_path):
    for videos, snippets in ((3, 64), (4, 15)):
        with pytest.raises(UserError, match="too few; give 4 of 16 or more"):
            write_benchmark(tmp_path / "made", videos=videos, snippets=snippets)
    assert not (tmp_path / "made").exists()
    write_benchmark(tmp_path / "made", videos=4, snippets=16)
