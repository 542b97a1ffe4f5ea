"""A recording played round and round: what the source of a graph becomes where its recording is too short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from pipeline.messages import Message
from pipeline.node import Skipped, load_node_class


class Looped:
    """The source ``type(**params)``, ``times`` times in a row; each round's stamps are ``period_ns`` after the last's.

    ``period_ns`` is the same for all sensors of a recording, so that what was measured together stays together.
    """

    def __init__(self, type: str, params: dict[str, Any], period_ns: int, times: int) -> None:
        self._type, self._params = type, params
        self._period_ns, self._times = period_ns, times

    def messages(self) -> Iterator[Message | Skipped]:
        for round_ in range(self._times):
            for message in played_once(load_node_class(self._type)(**self._params)):
                if isinstance(message, Skipped):
                    yield message
                else:
                    stamp_ns = message.header.stamp_ns + round_ * self._period_ns
                    header = msgspec.structs.replace(message.header, stamp_ns=stamp_ns)
                    yield msgspec.structs.replace(message, header=header)


def played_once(source: Any) -> Iterator[Message | Skipped]:
    """All messages of a source, which is opened before and closed after, as the runtime does it."""
    if hasattr(source, "open"):
        source.open()
    try:
        yield from source.messages()
    finally:
        if hasattr(source, "close"):
            source.close()
