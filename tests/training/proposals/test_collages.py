"""Collages: what was pasted where is known; the same arguments give the same bytes; mistakes are one line."""

import json

import numpy as np
import pytest

from errors import UserError
from formats.temporal.annotations import read_annotations
from formats.temporal.feature_writer import About, FeatureWriter, read_about
from training.proposals.collages import LABEL, add_collages, make_collage

D, STEP_S = 3, 0.6


def test_an_action_is_where_another_video_shows_through():
    """Ground of value 0, everything else 1: what is mixed in is the features' own value."""
    sources = [np.zeros((D, 20)), np.ones((D, 150))]
    for seed in range(20):
        features, segments = make_collage(sources, 130, np.random.default_rng(seed))
        assert features.shape == (D, 130)
        assert (segments[:, 0] < segments[:, 1]).all()
        assert (segments[1:, 0] > segments[:-1, 1]).all()
        assert segments.max(initial=0) <= 130
        inside = np.zeros(130)
        for start, end in segments:
            inside += np.clip(np.minimum(np.arange(130) + 1, end) - np.maximum(np.arange(130), start), 0, 1)
        off_ground = np.abs(features[0] - features[0, inside == 0].mean()) if (inside == 0).any() else features[0]
        assert (off_ground[inside == 0] < 1e-6).all()
        shares = [off_ground[(np.arange(130) >= a) & (np.arange(130) + 1 <= b)] for a, b in segments]
        for share in shares:
            assert np.ptp(share) < 1e-6
            assert not len(share) or share[0] < 1e-6 or 0.2 <= share[0] <= 1


@pytest.fixture
def data(tmp_path):
    rng, database = np.random.default_rng(0), {}
    (tmp_path / "features").mkdir()
    for name, subset in (("a", "training"), ("b", "training"), ("c", "validation")):
        write(tmp_path / "features" / f"{name}.npy", rng.normal(size=(30, D)))
        database[name] = {"duration": 18.0, "subset": subset, "annotations": [{"segment": [1, 4], "label": "x"}]}
    (tmp_path / "annotations.json").write_text(json.dumps({"database": database}))
    return tmp_path


def write(path, rows, model="m"):
    about = About(
        video=path.stem, video_bytes=1, model_sha256=model, precision="fp32", dimension=D, snippets=len(rows),
        snippet_s=STEP_S, step_s=STEP_S, duration_s=18.0, fps=10, frames=180, damaged_frames=0, repeated_samples=0,
    )  # fmt: skip
    with FeatureWriter(path, D) as writer:
        for row in rows:
            writer.add(row)
        writer.finish(about)


def add(data, **changes):
    add_collages(data / "features", data / "annotations.json", **({"videos": 3, "snippets": 120} | changes))


def test_collages_join_the_training_videos(data):
    add(data)
    found = read_annotations(data / "annotations.json")
    assert [name for name, video in found.items() if video.subset == "training"] == [
        "a", "b", "collage-00000", "collage-00001", "collage-00002",
    ]  # fmt: skip
    collage, features = found["collage-00001"], data / "features" / "collage-00001.npy"
    assert collage.duration_s == 72.0
    assert set(collage.labels) <= {LABEL}
    assert np.load(features).shape == (D, 120)
    about = read_about(features)
    assert (about.model_sha256, about.step_s, about.snippets) == ("m", STEP_S, 120)
    once = features.read_bytes(), collage.segments_s
    again = json.loads((data / "annotations.json").read_text())
    again["database"] = {k: v for k, v in again["database"].items() if not k.startswith("collage")}
    (data / "annotations.json").write_text(json.dumps(again))
    add(data)
    assert features.read_bytes() == once[0]
    np.testing.assert_array_equal(read_annotations(data / "annotations.json")["collage-00001"].segments_s, once[1])


def test_what_does_not_fit(data):
    with pytest.raises(UserError, match="--snippets 119: give 120 or more"):
        add(data, snippets=119)
    write(data / "features" / "b.npy", np.zeros((30, D)), model="another")
    with pytest.raises(UserError, match="features of several encoders or steps"):
        add(data)
    for name in ("a", "b"):
        (data / "features" / f"{name}.npy").unlink()
    with pytest.raises(UserError, match="no features of a training video"):
        add(data)
    assert "collage" not in (data / "annotations.json").read_text()


def test_collages_are_added_once(data):
    add(data)
    with pytest.raises(UserError, match="has collages already"):
        add(data)
