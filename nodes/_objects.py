"""What the video sinks share: the colours of objects. Not a node."""

from __future__ import annotations

# Of classes that no label table gives a colour to, BGR.
_COLORS = ((255, 200, 80), (90, 200, 255), (140, 230, 120), (220, 140, 255), (120, 160, 255), (230, 220, 90))


def class_color(class_name: str) -> tuple[int, int, int]:
    """A colour that the class always has, BGR."""
    return _COLORS[sum(class_name.encode()) % len(_COLORS)]
