from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av")

from formats.mp4 import add_stream  # noqa: E402


@pytest.mark.parametrize(("available", "codec"), [({"libx264", "mpeg4"}, "h264"), ({"mpeg4"}, "mpeg4")])
def test_what_is_written_plays_and_who_gets_no_h264_is_told(
    available: set[str], codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if "libx264" in available and "libx264" not in av.codecs_available:
        pytest.skip("this build of PyAV has no libx264")
    monkeypatch.setattr(av, "codecs_available", available)
    path = tmp_path / "drive.mp4"
    levels = (20, 120, 220)
    with caplog.at_level(logging.WARNING), av.open(str(path), "w") as container:
        stream = add_stream(container, 64, 48, Fraction(10))
        for level in levels:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert [r.getMessage().startswith(f"{path}: no H.264 encoder") for r in caplog.records] == [True] * (
        codec != "h264"
    )
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.width, video.height, video.average_rate) == (codec, 64, 48, 10)
        seen = [frame.to_ndarray(format="bgr24").mean() for frame in container.decode(video)]
    np.testing.assert_allclose(seen, levels, atol=6)
