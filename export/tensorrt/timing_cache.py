"""TensorRT's timing cache: what it measured in earlier builds, so that the next one need not."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from errors import UserError
from export.tensorrt.build_log import BuildLog
from export.tensorrt.files import write_whole

log = logging.getLogger(__name__)


def attach_timing_cache(config: Any, path: Path, build_log: BuildLog) -> Any:
    """Have a build use the cache in ``path``, or an empty one where that is absent, or of another version or GPU.

    Returns:
        The library's cache, for :func:`save_timing_cache` after the build.

    Raises:
        UserError: ``path`` is there and cannot be read.
    """
    try:
        stored = path.read_bytes()
    except FileNotFoundError:
        stored = b""
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read ({error.strerror}); choose another file for the timing cache"
        ) from error
    complaints = build_log.complaints
    cache = config.create_timing_cache(stored)
    accepted = cache is not None and config.set_timing_cache(cache, False)
    if stored and (not accepted or build_log.complaints > complaints):
        log.warning("%s: is of another TensorRT or GPU, or damaged; the timing cache is started anew", path)
        accepted = False
    if not accepted:
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache


def save_timing_cache(cache: Any, path: Path) -> None:
    """Write the cache with what the build added to it, whole or not at all. Raises :class:`UserError`."""
    write_whole(path, memoryview(cache.serialize()))
