"""Features that a user brings: played as they are; each mistake is one line, before anything starts."""

import numpy as np
import pytest

from errors import UserError
from inference.manifest import WindowProfile
from nodes.feature_source import FeatureSource
from tests.support.tiny_bcgnn import DIMENSION, make_tiny_bcgnn


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(make_tiny_bcgnn(tmp_path_factory.mktemp("bcgnn")))


def write(folder, values):
    np.save(folder / "clip.npy", np.float32(values))
    return str(folder / "clip.npy")


def test_each_snippet_comes_when_it_is_over(tmp_path, model):
    values = np.random.default_rng(0).normal(size=(5, DIMENSION)).astype(np.float32)
    source = FeatureSource(write(tmp_path, values), model, step_s=0.64)
    messages = list(source.messages())
    np.testing.assert_array_equal([m.features for m in messages], values)
    np.testing.assert_allclose([m.start_s for m in messages], 0.64 * np.arange(5))
    np.testing.assert_allclose([m.end_s for m in messages], 0.64 * np.arange(1, 6))
    assert [m.header.stamp_ns for m in messages] == [640_000_000 * n for n in range(1, 6)]
    source.resume(2)
    assert [m.header.name for m in source.messages()] == ["000003", "000004"]


def test_check_refuses_another_step_than_the_model_knows(tmp_path):
    windows = WindowProfile(style="sliding", step_s=0.6)
    model, path = str(make_tiny_bcgnn(tmp_path / "bcgnn", windows=windows)), write(tmp_path, np.zeros((5, DIMENSION)))
    FeatureSource.check(path, model, step_s=0.6)
    with pytest.raises(UserError, match=r"trained on a snippet every 0\.6 s, these are 0\.2 s apart"):
        FeatureSource.check(path, model, step_s=0.2)


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (np.zeros((5, 3)), "5 x 3 values; neither side is the model's feature dimension 7"),
        (np.full((5, DIMENSION), np.nan), "value 0 of snippet 0 is nan"),
        (np.zeros((0, DIMENSION)), "has no snippets; the video is shorter than one"),
    ],
)
def test_check_refuses_files(tmp_path, model, values, what):
    with pytest.raises(UserError, match=what):
        FeatureSource.check(write(tmp_path, values), model, step_s=0.5)


def test_check_refuses_unknown_times(tmp_path, model):
    path = write(tmp_path, np.zeros((5, DIMENSION)))
    FeatureSource.check(path, model, step_s=0.5)
    with pytest.raises(
        UserError, match="nothing beside it says how long its snippets are; set feature_source's step_s"
    ):
        FeatureSource.check(path, model)
    with pytest.raises(UserError, match=r"step_s is 0\.0"):
        FeatureSource.check(path, model, step_s=0.0)
    with pytest.raises(UserError, match="no such file"):
        FeatureSource.check(str(tmp_path / "none.npy"), model, step_s=0.5)
