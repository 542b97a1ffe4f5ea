"""Fixtures that every folder of tests shares."""

import ctypes
import os
import sys
from pathlib import Path
from typing import ClassVar

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


class _SignalStack(ctypes.Structure):
    """``stack_t`` of sigaltstack(2)."""

    _fields_: ClassVar = [("pointer", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Take the main thread's own stack for signals away: some library leaves it one of 20 kB, on which the frame of a
    signal after AMX code does not fit, and a SIGINT that a later test sends to itself is then a segmentation fault."""
    if sys.platform == "linux":
        disabled = _SignalStack(None, 2, 0)  # SS_DISABLE
        ctypes.CDLL(None).sigaltstack(ctypes.byref(disabled), None)
