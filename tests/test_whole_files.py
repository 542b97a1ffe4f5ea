"""A file is there whole or not at all, and nothing is left beside it."""

from pathlib import Path

import pytest

from whole_files import replacing, write_whole


def test_whoever_reads_the_old_file_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_whole(path, b"old" * 1000)
    with path.open("rb") as reader:
        write_whole(path, memoryview(b"new" * 2000))
        assert reader.read() == b"old" * 1000
    assert path.read_bytes() == b"new" * 2000
    assert list(tmp_path.iterdir()) == [path]


def write_half(path: Path) -> None:
    with replacing(path) as partial:
        assert partial.suffix == path.suffix  # of which libraries tell what to write
        partial.write_bytes(b"half")
        raise RuntimeError("half")


def test_what_goes_wrong_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "curve.png"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="half"):
        write_half(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "model", b"a model")
    assert list(tmp_path.iterdir()) == [tmp_path / "model"]
