"""Features of one video: both files, both ways round, the real samples, and each mistake in one line."""

from pathlib import Path

import numpy as np
import pytest

from errors import UserError
from formats.temporal.features import feature_file, read_features

FEATURES = np.arange(12, dtype=np.float32).reshape(3, 4) / 8  # three values, four snippets


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ">f4"])
def test_npy_either_way_round(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "a.npy"
    for stored in (FEATURES, FEATURES.T):
        np.save(path, stored.astype(dtype))
        found = read_features(path, 3)
        assert (found.dtype, found.flags.c_contiguous) == (np.float32, True)
        assert found.tolist() == FEATURES.tolist()


def test_rows_are_snippets_where_both_sides_fit(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", FEATURES[:, :3])
    assert read_features(tmp_path / "a.npy", 3).tolist() == FEATURES[:, :3].T.tolist()


@pytest.mark.parametrize("names", ["f0,f1,f2\n", "0,1,2\n", ""])
def test_csv_with_and_without_names(tmp_path: Path, names: str) -> None:
    rows = "\n".join(",".join(map(str, snippet)) for snippet in FEATURES.T.tolist())
    (tmp_path / "a.csv").write_text(names + rows)
    assert read_features(tmp_path / "a.csv", 3).tolist() == FEATURES.tolist()


@pytest.mark.parametrize(
    ("file", "shape"), [("v_test1.csv", (400, 5)), ("v_test2.csv", (400, 5)), ("bsp_v_test1.npy", (32, 665))]
)
def test_real_files(shared_data: Path, file: str, shape: tuple[int, int]) -> None:
    found = read_features(shared_data / "temporal" / "mmaction2_samples" / file, shape[0])
    assert found.shape == shape
    assert found.std() > 0


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (FEATURES, "3 x 4 values; neither side is the model's feature dimension 5"),
        (np.zeros((0, 5)), "has no snippets"),
        (np.zeros((1, 4, 5)), "holds float64 [1, 4, 5]"),
        (np.array([["a"] * 5]), "features are a table of numbers"),
        (np.full((2, 5), np.nan), "value 0 of snippet 0 is nan; features must be finite numbers"),
        (np.array([[0, 0, 1, 1e300, 0]]), "value 3 of snippet 0 is inf"),
        (np.array([[None] * 5]), "cannot be read as features"),
    ],
)
def test_a_wrong_npy_is_one_line(tmp_path: Path, values: np.ndarray, said: str) -> None:
    path = tmp_path / "a.npy"
    np.save(path, values, allow_pickle=True)
    with pytest.raises(UserError) as error:
        read_features(path, 5)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no snippets"),
        ("f0,f1\n", "has no snippets"),
        ("f0,f1\n1,2\n3\n", "cannot be read as features"),
        ("f0,f1\n1,2\n3,four\n", "cannot be read as features"),
        ("1,two\n3,4\n", "cannot be read as features"),
        ("f0,f1\n1,2\n3,NaN\n", "value 1 of snippet 1 is nan"),
        ("f0,f1,f2\n1,2,3\n", "1 x 3 values; neither side is the model's feature dimension 2"),
    ],
)
def test_a_wrong_csv_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_features(path, 2)
    assert str(error.value).startswith(f"{path}: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "said"), [("a.npy", "no such file"), ("a.pkl", "give .npy or .csv")])
def test_what_is_no_feature_file(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_features(tmp_path / name, 2)


def test_an_npy_that_is_cut_off(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", FEATURES)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-10])
    with pytest.raises(UserError, match="cannot be read as features"):
        read_features(tmp_path / "a.npy", 3)


def test_the_file_of_a_video(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no features of video 'a' \(a.npy or a.csv\)"):
        feature_file(tmp_path, "a")
    (tmp_path / "a.csv").touch()
    assert feature_file(tmp_path, "a") == tmp_path / "a.csv"
    (tmp_path / "a.npy").touch()
    with pytest.raises(UserError, match=r"both a.npy and a.csv"):
        feature_file(tmp_path, "a")
