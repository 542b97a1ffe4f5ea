"""Fixtures that every folder of tests shares."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# No test asserts on the clock: on a busy machine an example takes as long as it takes.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings; tests that need it are skipped where it is absent."""
    path = Path(os.environ.get("RANGECAST_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip("real recordings not present: set RANGECAST_DATA to their folder")
    return path
