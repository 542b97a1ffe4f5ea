"""A tiny family among the models, and a cache of the test's own."""

import pytest


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The name of a model that exports in a second."""
    pytest.importorskip("torch")
    pytest.importorskip("onnxslim")
    from export import families
    from tests.support.tiny_family import NAME, TinyFamily

    monkeypatch.setitem(families.MODELS, NAME, TinyFamily)
    monkeypatch.setenv("RANGECAST_CACHE", str(tmp_path / "cache"))
    return NAME
