"""``run.py propose``: what the model says of whole videos, in ActivityNet's JSON, and what it refuses."""

import json

import numpy as np
import pytest

from cli.main import main
from formats.temporal.feature_writer import About, FeatureWriter
from formats.temporal.results import read_results
from inference.manifest import WindowProfile
from models.bcgnn.offline import rescaled_proposals, video_proposals
from tests.support.tiny_bcgnn import DIMENSION, LENGTH, RESCALED, make_tiny_bcgnn, tiny_score


@pytest.fixture(scope="module")
def sliding(tmp_path_factory):
    return make_tiny_bcgnn(tmp_path_factory.mktemp("sliding"))


@pytest.fixture(scope="module")
def rescaled(tmp_path_factory):
    return make_tiny_bcgnn(tmp_path_factory.mktemp("rescaled"), windows=RESCALED)


@pytest.fixture
def features(tmp_path):
    folder = tmp_path / "features"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name, snippets in (("a", 20), ("b", 5)):
        np.save(folder / f"{name}.npy", rng.normal(0, 2, (DIMENSION, snippets)).astype(np.float32))
    return folder


def write_annotations(folder):
    database = {name: {"duration": 30.0, "subset": subset, "annotations": []}
                for name, subset in (("a", "validation"), ("b", "training"), ("c", "validation"))}  # fmt: skip
    path = folder / "annotations.json"
    path.write_text(json.dumps({"database": database}))
    return path


def propose(features, model, out, *more):
    return main(["propose", str(features), "--model", str(model), "--out", str(out), *map(str, more)])


def test_rescaled_videos_of_a_subset(features, rescaled, tmp_path, capsys):
    given = "--annotations", write_annotations(tmp_path), "--subset", "validation"
    assert propose(features, rescaled, tmp_path / "out.json", *given) == 0
    said = capsys.readouterr().out
    assert "1 of 2 annotated videos have no features: left out" in said
    (name, found), *others = read_results(tmp_path / "out.json").items()
    assert (name, others) == ("a", [])
    expected = rescaled_proposals(np.load(features / "a.npy"), 30.0, tiny_score, length=LENGTH, sigma=0.4, most=100)
    assert len(found.scores) == LENGTH * (LENGTH - 1) // 2
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
    np.testing.assert_allclose(found.segments_s, expected.segments_s)


def test_sliding_windows_of_all_videos(features, sliding, tmp_path):
    given = "--step-s", 0.5, "--stride", 3, "--sigma", 0.7
    assert propose(features, sliding, tmp_path / "out.json", *given) == 0
    results = read_results(tmp_path / "out.json")
    assert list(results) == ["a", "b"]
    for name, found in results.items():
        values = np.load(features / f"{name}.npy")
        times_s = 0.25 + 0.5 * np.arange(values.shape[1])
        how = {"length": LENGTH, "stride": 3, "sigma": 0.7, "least_score": 1e-3}
        expected = video_proposals(values, times_s, tiny_score, **how)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
        np.testing.assert_allclose(found.segments_s, expected.segments_s)


def test_times_are_those_that_were_written_with_the_features(sliding, rescaled, tmp_path):
    folder = tmp_path / "features"
    folder.mkdir()
    about = About(video="v.mp4", video_bytes=1, model_sha256="", precision="fp32", dimension=DIMENSION, snippets=LENGTH,
                  snippet_s=0.6, step_s=0.2, duration_s=2.0, fps=10, frames=20, damaged_frames=0,
                  repeated_samples=0)  # fmt: skip
    with FeatureWriter(folder / "v.npy", DIMENSION) as writer:
        for column in np.random.default_rng(1).normal(0, 2, (LENGTH, DIMENSION)):
            writer.add(column)
        writer.finish(about)
    assert propose(folder, sliding, tmp_path / "sliding.json") == 0
    assert propose(folder, rescaled, tmp_path / "rescaled.json") == 0
    as_they_are, as_one = (
        read_results(tmp_path / f"{style}.json")["v"].segments_s for style in ("sliding", "rescaled")
    )
    np.testing.assert_allclose((as_they_are - 0.3) / 0.2, np.round((as_they_are - 0.3) / 0.2), atol=1e-6)
    assert as_they_are.max() == pytest.approx(0.3 + 0.2 * (LENGTH - 1))
    assert as_one.max() == pytest.approx(2.0 * (1 - 0.5 / LENGTH))


def test_what_does_not_fit_is_one_line_and_leaves_no_file(features, sliding, rescaled, tmp_path, capsys):
    out, annotations = tmp_path / "out.json", write_annotations(tmp_path)
    every_06 = make_tiny_bcgnn(tmp_path / "model", windows=WindowProfile(style="sliding", step_s=0.6))
    empty, other, broken = (tmp_path / name for name in ("empty", "other", "broken"))
    for folder in (empty, other, broken):
        folder.mkdir()
    np.save(other / "x.npy", np.zeros((DIMENSION, 9), np.float32))
    np.save(broken / "a.npy", np.full((DIMENSION, 9), np.nan, np.float32))
    for folder, model, given, problem in (
        (features, sliding, (), "a.npy: nothing beside it says how long its snippets are; give --step-s SECONDS"),
        (features, rescaled, (), "a.npy: nothing says how long the video is; give --annotations"),
        (features, rescaled, ("--step-s", 1), "was trained on rescaled ones"),
        (features, every_06, ("--step-s", 1), "trained on a snippet every 0.6 s, these are 1 s apart"),
        (features, sliding, ("--stride", 9), "--stride 9: give 1 to 8 snippets"),
        (features, sliding, ("--subset", "validation"), "--subset validation: is of the annotations"),
        (features, rescaled, ("--annotations", annotations), "choose one of them with --subset"),
        (empty, sliding, (), "empty: no features in it"),
        (tmp_path / "none", sliding, (), "none: no such folder of features"),
        (other, rescaled, ("--annotations", annotations, "--subset", "training"), "no features of any annotated"),
        (broken, sliding, ("--step-s", 1), "a.npy: value 0 of snippet 0 is nan"),
    ):
        assert propose(folder, model, out, *given) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert problem in error
        assert error.count("\n") == 1
    assert propose(features, sliding, tmp_path / "no" / "out.json", "--step-s", 1) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert not list(tmp_path.glob("*out.json*"))
