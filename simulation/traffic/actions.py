"""What road users do on purpose, and the record of it."""

from __future__ import annotations

from simulation.actors import Action

ACTIONS: dict[str, str] = {
    "vehicle brakes": "slows down by more than 1 m/s², from the first moment to the last, for at least 0.5 s",
    "vehicle stops": "from the beginning of the braking that ends in a standstill to that standstill",
    "vehicle starts": "from a standstill of at least 1 s to 3 m/s",
    "vehicle turns left": "the arc from one street into another, by a quarter turn to the left",
    "vehicle turns right": "the arc from one street into another, by a quarter turn to the right",
    "vehicle overtakes": "from leaving the lane behind somebody slow or stopped to being back in it",
    "vehicle changes lane": "from the middle of a lane to the middle of the next",
    "vehicle parks": "from leaving the lane to standing in a bay",
    "vehicle pulls out": "from standing in a bay to being in the lane",
    "bus halts": "stands at its stop",
    "vehicle halts in lane": "stands in its lane to load",
    "cyclist turns": "the arc from one street into another",
    "pedestrian waits": "stands at the kerb until the way across is free",
    "pedestrian crosses": "from leaving the kerb to the far one",
    "pedestrians meet": "two stand face to face and talk; recorded for both",
    "person enters vehicle": "from leaving the sidewalk for a parked car to being inside",
    "person leaves vehicle": "from getting out of a parked car to being on the sidewalk",
}


class Log:
    """All actions so far. Those of ``unseen``, the ego vehicle's track id, are left out: no sensor of its sees it."""

    def __init__(self, unseen: int) -> None:
        self._unseen = unseen
        self._entries: list[Action] = []
        self._open: dict[tuple[str, int], int] = {}

    def begin(self, label: str, track_id: int, t_s: float) -> None:
        """``label`` begins, unless it lasts already."""
        assert label in ACTIONS, label
        if track_id != self._unseen and (label, track_id) not in self._open:
            self._open[label, track_id] = len(self._entries)
            self._entries.append(Action(label, track_id, t_s, None))

    def end(self, label: str, track_id: int, t_s: float) -> None:
        """``label`` ends, if it lasts."""
        at = self._open.pop((label, track_id), None)
        if at is not None:
            self._entries[at] = self._entries[at]._replace(end_s=t_s)

    def record(self, label: str, track_id: int, start_s: float, end_s: float) -> None:
        """An action that is known only now that it is over."""
        assert label in ACTIONS, label
        if track_id != self._unseen:
            self._entries.append(Action(label, track_id, start_s, end_s))

    def leave(self, track_id: int, t_s: float) -> None:
        """Whoever is out of reach does nothing any more."""
        for label, who in [key for key in self._open if key[1] == track_id]:
            self.end(label, who, t_s)

    def until(self, t_s: float) -> tuple[Action, ...]:
        """The actions that have begun at ``t_s``, as they are known at that time."""
        begun = (a for a in self._entries if a.start_s <= t_s)
        known = (a._replace(end_s=None) if a.end_s is not None and a.end_s > t_s else a for a in begun)
        return tuple(sorted(known, key=lambda a: (a.start_s, a.track_id, a.label)))
