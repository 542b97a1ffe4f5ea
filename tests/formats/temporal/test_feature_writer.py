"""Features written as they come: what is read back, and that there is a whole pair of files or none."""

import msgspec
import numpy as np
import pytest

from errors import UserError
from formats.temporal.feature_writer import About, FeatureWriter, read_about
from formats.temporal.features import read_features

ABOUT = About(
    video="a.mp4",
    video_bytes=12,
    model_sha256="ab",
    precision="fp32",
    dimension=5,
    snippets=3,
    snippet_s=0.6,
    step_s=0.2,
    duration_s=1.0,
    fps=25.0,
    frames=25,
    damaged_frames=0,
    repeated_samples=0,
)


@pytest.mark.parametrize("snippets", [1, 3, 1234])
def test_columns_are_read_back_as_they_were_written(tmp_path, snippets):
    columns = np.random.default_rng(0).normal(size=(snippets, 5)).astype(np.float32)
    path = tmp_path / "a.npy"
    with FeatureWriter(path, 5) as writer:
        for column in columns:
            writer.add(column)
        assert not path.exists()
        writer.finish(ABOUT)
    np.testing.assert_array_equal(np.load(path), columns.T)
    np.testing.assert_array_equal(read_features(path, 5), columns.T)
    assert read_about(path) == ABOUT
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.json", "a.npy"]


def test_what_is_not_finished_leaves_nothing_and_the_older_pair_stays(tmp_path):
    def write(value):
        with FeatureWriter(tmp_path / "a.npy", 2) as writer:
            writer.add(np.full(2, value))
            if value < 0:
                raise KeyboardInterrupt
            writer.finish(msgspec.structs.replace(ABOUT, frames=int(value)))

    with pytest.raises(KeyboardInterrupt):
        write(-1)
    assert not list(tmp_path.iterdir())
    write(7)
    with pytest.raises(KeyboardInterrupt):
        write(-1)
    assert np.load(tmp_path / "a.npy").tolist() == [[7], [7]]
    write(8)
    assert np.load(tmp_path / "a.npy").tolist() == [[8], [8]]
    assert read_about(tmp_path / "a.npy").frames == 8


def test_where_it_cannot_be_written_one_line_says_so(tmp_path):
    with pytest.raises(UserError, match=r"gone/a\.npy: cannot be written: No such file"):
        FeatureWriter(tmp_path / "gone" / "a.npy", 2).__enter__()


def test_what_a_feature_file_is_must_be_said_in_whole(tmp_path):
    assert read_about(tmp_path / "a.npy") is None
    (tmp_path / "a.json").write_text('{"video": "a"}')
    with pytest.raises(UserError, match=r"a\.json: does not say what the features beside it are"):
        read_about(tmp_path / "a.npy")
