"""Files are there whole or not at all."""

from pathlib import Path

import pytest

from errors import UserError
from export.tensorrt.files import write_whole


def test_whoever_reads_the_old_file_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "model.engine"
    write_whole(path, b"old" * 1000)
    with path.open("rb") as reader:
        write_whole(path, memoryview(b"new" * 2000))
        assert reader.read() == b"old" * 1000
    assert path.read_bytes() == b"new" * 2000
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "model.engine").mkdir()  # cannot be replaced by a file
    with pytest.raises(UserError, match=r"model\.engine: cannot be written: Is a directory"):
        write_whole(tmp_path / "model.engine", b"an engine")
    assert list(tmp_path.iterdir()) == [tmp_path / "model.engine"]
