"""What every evaluation leaves in its ``--out``: files that are whole, or as they were before."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from errors import UserError
from whole_files import replacing, write_whole


def prepare(out: Path, *, draws: bool) -> None:
    """What would go wrong at the end of a long run goes wrong before it. ``draws``: whether pictures come there."""
    if draws and importlib.util.find_spec("matplotlib") is None:
        raise UserError("--out draws pictures and needs matplotlib: pip install rangecast[train]")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written: {error.strerror}; give another folder") from error


def save(out: Path, values: Mapping[str, Any], pictures: Mapping[str, Callable[[Path], object]]) -> None:
    """Write the pictures and ``scores.json``, and say so. ``pictures``: what draws each, by file name."""
    import msgspec

    from cli.show import console

    text = msgspec.json.format(msgspec.json.encode(values), indent=2) + b"\n"
    try:
        for name, draw in pictures.items():
            with replacing(out / name) as partial:
                draw(partial)
        write_whole(out / "scores.json", text)
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written: {error.strerror}; give another folder") from error
    console.print(f"{out}: {', '.join(('scores.json', *pictures))}", soft_wrap=True)


def percent(share: float) -> str:
    """A share for a table; what is not defined is a dash."""
    return "-" if math.isnan(share) else f"{100 * share:.1f}"
