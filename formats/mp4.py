"""Write MP4 files: H.264 where this build of PyAV can encode it."""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import Any

log = logging.getLogger(__name__)

_ENCODERS: dict[str, dict[str, str]] = {"libx264": {"preset": "veryfast", "crf": "23"}, "mpeg4": {}}  # best first
_BIT_RATE = 8_000_000  # of the encoder that knows no constant quality


def add_stream(container: Any, width: int, height: int, rate_hz: Fraction, *, low_latency: bool = False) -> Any:
    """A new video stream in ``container``, an ``av`` one opened to be written: ``width`` and ``height`` in pixels.

    With ``low_latency`` each frame is encoded when it comes; without, the encoder looks ahead, and files are smaller.
    """
    import av

    encoder = next(name for name in _ENCODERS if name in av.codecs_available)
    options = dict(_ENCODERS[encoder])
    if encoder == "libx264" and low_latency:
        options["tune"] = "zerolatency"
    stream = container.add_stream(encoder, rate=rate_hz, options=options)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    if encoder == "mpeg4":
        stream.bit_rate = _BIT_RATE
        log.warning(
            "%s: no H.264 encoder in this build of PyAV: MPEG-4 part 2, which browsers do not play", container.name
        )
    return stream
