"""Tables, words and picture say what the numbers say."""

from pathlib import Path

import pytest

from profiling.transport import report
from profiling.transport.rounds import Cell, size_in_words

FOUND = {
    ("ipc", 1_000): Cell([[0.2, 0.3, 0.4]], [5.0], 3, 0),
    ("ipc", 2_000_000): Cell([[0.9, 1.0, 1.1]], [1500.0], 3, 0),
    ("pyzmq ipc", 1_000): Cell([[0.1, 0.1, 0.1]], [50.0], 3, 0),
    ("pyzmq ipc", 2_000_000): Cell([[0.5, 0.5, 0.5]], [2500.0], 3, 1),
}


def test_tables_have_a_row_per_size_and_say_what_was_lost() -> None:
    lines = report.tables(FOUND).splitlines()
    assert "| size | ipc | pyzmq ipc |" in lines
    assert "| 1 kB | 0.3 / 0.398 | 0.1 / 0.1 |" in lines
    assert "| 2 MB | 1500 | 2500 (1 of 3 lost) |" in lines


def test_the_cost_beside_pyzmq_is_said_in_words() -> None:
    assert report.words(FOUND) == (
        "Over ipc a hop on our links costs, beside plain pyzmq, +0.20 ms at 1 kB (0.30 against 0.10) and +0.50 ms at"
        " 2 MB (1.00 against 0.50)."
    )
    assert report.words({key: cell for key, cell in FOUND.items() if key[0] == "ipc"}) == ""


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    report.picture(FOUND, tmp_path / "it.png")
    assert (tmp_path / "it.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("size", "words"), [(8, "8 B"), (1000, "1 kB"), (16_384, "16.384 kB"), (32_000_000, "32 MB")])
def test_sizes_in_words(size: int, words: str) -> None:
    assert size_in_words(size) == words
