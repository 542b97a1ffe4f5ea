"""How many threads a session gets."""

import os
from pathlib import Path

import pytest

from errors import UserError
from inference import threads
from inference.threads import available_cores, session_threads


def test_available_cores_follow_the_affinity_mask() -> None:
    mask = os.sched_getaffinity(0)
    assert 1 <= available_cores() <= len(mask)
    os.sched_setaffinity(0, {min(mask)})
    try:
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, mask)


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 8), ("150000 100000", 2), ("50000 100000", 1), ("9999999 100000", 8)]
)
def test_a_containers_quota_counts(quota: str, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: quota + "\n")
    assert threads.available_cores() == cores


def test_the_share_divides_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available_cores", lambda: 8)
    monkeypatch.delenv("RANGECAST_CPU_SHARE", raising=False)
    assert session_threads() == 8
    monkeypatch.setenv("RANGECAST_CPU_SHARE", "3")
    assert session_threads() == 2
    monkeypatch.setenv("RANGECAST_CPU_SHARE", "99")
    assert session_threads() == 1
    assert session_threads(5) == 5


@pytest.mark.parametrize("share", ["", "0", "-1", "two", "1.5"])
def test_a_share_that_is_none(share: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANGECAST_CPU_SHARE", share)
    with pytest.raises(UserError, match="RANGECAST_CPU_SHARE"):
        session_threads()
    with pytest.raises(UserError, match="threads is 0"):
        session_threads(0)
