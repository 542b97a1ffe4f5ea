"""``run.py propose``: what the model says of whole videos, in ActivityNet's JSON, and what it refuses."""

import json

import numpy as np
import pytest

from cli.main import main
from formats.temporal.feature_writer import About, FeatureWriter
from formats.temporal.results import read_results
from models.bcgnn.offline import rescaled_proposals, video_proposals
from tests.support.tiny_bcgnn import DIMENSION, LENGTH, make_tiny_bcgnn, tiny_score


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_tiny_bcgnn(tmp_path_factory.mktemp("model"))


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


def test_rescaled_videos_of_a_subset(features, model, tmp_path, capsys):
    given = "--windows", "rescaled", "--annotations", write_annotations(tmp_path), "--subset", "validation"
    assert propose(features, model, tmp_path / "out.json", *given) == 0
    said = capsys.readouterr().out
    assert "1 of 2 annotated videos have no features: left out" in said
    (name, found), *others = read_results(tmp_path / "out.json").items()
    assert (name, others) == ("a", [])
    expected = rescaled_proposals(np.load(features / "a.npy"), 30.0, tiny_score, length=LENGTH, sigma=0.4, most=100)
    assert len(found.scores) == LENGTH * (LENGTH - 1) // 2
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
    np.testing.assert_allclose(found.segments_s, expected.segments_s)


def test_sliding_windows_of_all_videos(features, model, tmp_path):
    given = "--windows", "sliding", "--step-s", 0.5, "--stride", 3, "--sigma", 0.7
    assert propose(features, model, tmp_path / "out.json", *given) == 0
    results = read_results(tmp_path / "out.json")
    assert list(results) == ["a", "b"]
    for name, found in results.items():
        values = np.load(features / f"{name}.npy")
        times_s = 0.25 + 0.5 * np.arange(values.shape[1])
        how = {"length": LENGTH, "stride": 3, "sigma": 0.7, "least_score": 1e-3}
        expected = video_proposals(values, times_s, tiny_score, **how)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
        np.testing.assert_allclose(found.segments_s, expected.segments_s)


def test_times_are_those_that_were_written_with_the_features(model, tmp_path):
    folder = tmp_path / "features"
    folder.mkdir()
    about = About(video="v.mp4", video_bytes=1, model_sha256="", precision="fp32", dimension=DIMENSION, snippets=LENGTH,
                  snippet_s=0.6, step_s=0.2, duration_s=2.0, fps=10, frames=20, damaged_frames=0,
                  repeated_samples=0)  # fmt: skip
    with FeatureWriter(folder / "v.npy", DIMENSION) as writer:
        for column in np.random.default_rng(1).normal(0, 2, (LENGTH, DIMENSION)):
            writer.add(column)
        writer.finish(about)
    assert propose(folder, model, tmp_path / "sliding.json", "--windows", "sliding") == 0
    assert propose(folder, model, tmp_path / "rescaled.json", "--windows", "rescaled") == 0
    sliding, rescaled = (read_results(tmp_path / f"{style}.json")["v"].segments_s for style in ("sliding", "rescaled"))
    np.testing.assert_allclose((sliding - 0.3) / 0.2, np.round((sliding - 0.3) / 0.2), atol=1e-6)
    assert sliding.max() == pytest.approx(0.3 + 0.2 * (LENGTH - 1))
    assert rescaled.max() == pytest.approx(2.0 * (1 - 0.5 / LENGTH))


def test_what_does_not_fit_is_one_line_and_leaves_no_file(features, model, tmp_path, capsys):
    out, sliding, rescaled = tmp_path / "out.json", ("--windows", "sliding"), ("--windows", "rescaled")
    annotations = write_annotations(tmp_path)
    empty, other, broken = (tmp_path / name for name in ("empty", "other", "broken"))
    for folder in (empty, other, broken):
        folder.mkdir()
    np.save(other / "x.npy", np.zeros((DIMENSION, 9), np.float32))
    np.save(broken / "a.npy", np.full((DIMENSION, 9), np.nan, np.float32))
    for folder, given, problem in (
        (features, ("--windows", "slidng"), "'slidng' is not known; did you mean 'sliding'"),
        (features, sliding, "a.npy: nothing beside it says how long its snippets are; give --step-s SECONDS"),
        (features, rescaled, "a.npy: nothing says how long the video is; give --annotations"),
        (features, (*rescaled, "--step-s", 1), "--step-s and --stride are for --windows sliding"),
        (features, (*sliding, "--stride", 9), "--stride 9: give 1 to 8 snippets"),
        (features, (*sliding, "--subset", "validation"), "--subset validation: is of the annotations"),
        (features, (*rescaled, "--annotations", annotations), "choose one of them with --subset"),
        (empty, sliding, "empty: no features in it"),
        (tmp_path / "none", sliding, "none: no such folder of features"),
        (other, (*rescaled, "--annotations", annotations, "--subset", "training"), "no features of any annotated"),
        (broken, (*sliding, "--step-s", 1), "a.npy: value 0 of snippet 0 is nan"),
    ):
        assert propose(folder, model, out, *given) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert problem in error
        assert error.count("\n") == 1
    assert propose(features, model, tmp_path / "no" / "out.json", *sliding, "--step-s", 1) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert not list(tmp_path.glob("*out.json*"))
