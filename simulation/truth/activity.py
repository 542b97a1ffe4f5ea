"""``actions.json``: who does what from when to when, in ActivityNet's format.

The drive is one video of the left colour camera. An annotation is a stretch of an action in which its actor can be
seen; ``whole`` beside its ``segment`` is the action from its own beginning to its own end, seen or not. So what is
trained or scored on the video is in the video, and ``all_actions`` says what happened anyway (ActivityNet's tools read
only the fields they know).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from simulation.actors import Action
from simulation.rig import KITTI_OPTICS, Optics
from simulation.truth.objects import Sighting

# Of an actor that counts as seen, in KITTI's picture: about what a half hidden pedestrian covers 25 m away. In smaller
# pictures as much of the view.
LEAST_PIXELS = 150
LONGEST_GAP_S = 1.0  # hidden for longer, an action is annotated in pieces
SHORTEST_S = 0.3  # a shorter piece shows nothing
_ROOT = "Root"


def database(
    actions: Iterable[Action],
    sightings: Iterable[Sighting],
    labels: Mapping[str, str],
    *,
    name: str,
    frames: int,
    period_s: float = 0.1,
    optics: Optics = KITTI_OPTICS,
    subset: str = "simulation",
) -> dict[str, Any]:
    """What ``actions.json`` holds, for one drive of ``frames`` frames called ``name``.

    ``labels``: every label there is, with its description (``traffic.ACTIONS``). ``sightings``: of the left colour
    camera; frame k stands for the time from k to k + 1 periods.
    """
    duration_s = frames * period_s
    least_pixels = LEAST_PIXELS * (optics.focal_px / KITTI_OPTICS.focal_px) ** 2
    seen = defaultdict(list)
    for sighting in sightings:
        if sighting.pixels >= least_pixels:
            seen[sighting.track_id].append(sighting.frame)
    annotations, everything = [], []
    for action in sorted(actions, key=lambda a: (a.start_s, a.track_id, a.label)):
        ended = action.end_s is not None and action.end_s <= duration_s
        start_s, end_s = max(action.start_s, 0.0), action.end_s if ended else duration_s
        if _rounded(end_s) <= _rounded(start_s):
            continue  # before the first frame or after the last
        whole = [_rounded(start_s), _rounded(end_s)]
        common = {"label": action.label, "track_id": action.track_id}
        everything.append({**common, "segment": whole, "ended": ended})
        during = [k for k in sorted(seen[action.track_id]) if start_s < (k + 1) * period_s and k * period_s < end_s]
        for first, last in _runs(during, LONGEST_GAP_S / period_s):
            a, b = max(first * period_s, start_s), min((last + 1) * period_s, end_s)
            if b - a >= SHORTEST_S:
                annotations.append({**common, "segment": [_rounded(a), _rounded(b)], "whole": whole})
    return {
        "version": "rangecast-1",
        "taxonomy": _taxonomy(labels),
        "database": {
            name: {
                "duration": _rounded(duration_s),
                "subset": subset,
                "resolution": f"{optics.width}x{optics.height}",
                "fps": _rounded(1.0 / period_s),
                "url": "",
                "annotations": annotations,
                "all_actions": everything,
            }
        },
    }


def _runs(frames: Sequence[int], longest_gap: float) -> list[tuple[int, int]]:
    """First and last of each run of ascending ``frames`` in which no more than ``longest_gap`` are missing."""
    if not frames:
        return []
    breaks = [(a, b) for a, b in pairwise(frames) if b - a - 1 > longest_gap]
    return list(zip([frames[0], *(b for _, b in breaks)], [*(a for a, _ in breaks), frames[-1]], strict=True))


def _taxonomy(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """ActivityNet's tree of classes; here every class hangs on the root."""
    root = {"nodeId": 0, "nodeName": _ROOT, "parentId": None, "parentName": None}
    return [root] + [
        {"nodeId": k, "nodeName": label, "parentId": 0, "parentName": _ROOT, "description": labels[label]}
        for k, label in enumerate(labels, 1)
    ]


def _rounded(seconds: float) -> float:
    return round(float(seconds), 3)
