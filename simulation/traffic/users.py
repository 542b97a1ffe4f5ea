"""Who takes part in traffic: what stays the same of a road user, and its state."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from simulation.actors import Kind
from simulation.shapes.catalogue import Indicator, Model, draw_model
from simulation.traffic.paths import Path

if TYPE_CHECKING:
    from simulation.traffic.junction import Junction, Movement

Role = Literal["ego", "driver", "parked", "trailer", "walker"]
EGO_SIZE_M = (4.8, 1.85)
EGO_TRACK_ID = 32768  # nobody else's: it is not among the actors


@dataclass(frozen=True)
class Manner:
    """How somebody moves: the parameters of the intelligent driver model, and the space kept on each side."""

    pull_mps2: float
    brake_mps2: float
    headway_s: float
    gap_m: float
    margin_m: float


_MANNERS: dict[Kind, Manner] = {
    "car": Manner(1.6, 1.8, 1.3, 1.6, 0.22),
    "van": Manner(1.4, 1.8, 1.4, 1.8, 0.22),
    "truck": Manner(0.9, 1.5, 1.6, 2.2, 0.15),
    "bus": Manner(1.0, 1.4, 1.6, 2.2, 0.15),
    "trailer": Manner(1.0, 1.5, 1.6, 2.0, 0.15),
    "motorcyclist": Manner(2.0, 2.0, 1.1, 1.5, 0.4),
    "cyclist": Manner(0.9, 1.6, 1.0, 1.2, 0.3),
    "pedestrian": Manner(1.2, 1.6, 0.4, 0.3, 0.08),
}


@dataclass(slots=True)
class Deed:
    """Something that is done between two places of a path."""

    label: str
    from_m: float
    to_m: float
    indicating: Indicator = ""
    begun: bool = False


@dataclass(slots=True, eq=False)
class Errand:
    """What a pedestrian is about to do: stop ``wait_m`` along its path until it may go on, then go on to ``end_m``."""

    task: Literal["cross", "arm", "talk", "board", "leave"]
    wait_m: float
    end_m: float
    junction: Junction | None = None
    squares: int = 0
    zebra: bool = False
    partner: User | None = None  # the other who talks, or the car to get into
    until_s: float = math.inf
    entered: bool = False


@dataclass(frozen=True)
class Cue:
    """When somebody begins: ``lead_s`` before the ego vehicle is ``before_m`` before the place ``s``."""

    s: float
    before_m: float
    lead_s: float = 0.0


@dataclass(slots=True, eq=False)
class User:
    """One road user. ``along_m``, ``s``, ``d``, ``yaw``: its middle on its path and in the street."""

    number: int  # counted from the start of the drive; the ego vehicle is 0
    role: Role
    kind: Kind
    model: Model | None  # None for the ego vehicle
    length_m: float
    width_m: float
    path: Path
    speed_mps: float
    want_mps: float
    manner: Manner
    group: int
    along_m: float = 0.0
    accel_mps2: float = 0.0
    s: float = 0.0
    d: float = 0.0
    yaw: float = 0.0
    lane: int = 0  # of the main street, counted from the middle
    wall_m: float = math.inf  # from the front to where it has to stop now
    leader: User | None = None
    leader_gap_m: float = math.inf
    movement: Movement | None = None  # through the junction ahead
    deeds: list[Deed] = field(default_factory=list)
    halted_until_s: float = 0.0  # stands on purpose until then; others may pass
    braking: bool = False
    indicating: Indicator = ""
    walked_m: float = 0.0
    moved_at_s: float = -math.inf
    brakes_since_s: float = math.inf
    stands_since_s: float = math.inf
    park_m: float = math.inf  # where along the path its bay is, for who parks
    errand: Errand | None = None  # of a pedestrian
    side: int = 0  # of the street a pedestrian walks on: +1 left, -1 right
    wish_m: float = math.inf  # so far along its path a pedestrian will want to cross
    trailer: User | None = None
    hitch_m: float = 0.0  # from its own middle back to its trailer's
    face_yaw: float = 0.0  # how far a standing person has turned from its way
    blocked_since_s: float = math.inf  # so long somebody on foot has not got on
    squeezes_until_s: float = -math.inf  # and slips past the others
    cue: Cue | None = None  # it waits for this before it does anything
    alights: bool = False  # by letting somebody out, instead of pulling out

    @property
    def track_id(self) -> int:
        """Unique among those present."""
        return 32768 + self.number % 32768

    @property
    def along_street(self) -> int:
        """+1 or -1 for who travels along the main street that way; 0 for who crosses or turns."""
        cos = math.cos(self.yaw)
        return 1 if cos > 0.9 else -1 if cos < -0.9 else 0

    def locate(self) -> None:
        """Put it where its path is."""
        self.s, self.d, self.yaw = self.path.at(self.along_m)

    def row(self, first: int, count: int, t_s: float) -> tuple[float, ...]:
        """Its columns in :mod:`simulation.traffic.motion`'s table."""
        m = self.manner
        return (
            self.along_m, self.speed_mps, self.accel_mps2, 0.5 * self.length_m, 0.5 * self.width_m,
            self.want_mps if self.role in ("ego", "driver", "walker") else 0.0,
            m.pull_mps2, m.brake_mps2, m.headway_s, m.gap_m, self.wall_m, m.margin_m, self.group,
            self.s, self.d, self.yaw, self._on_foot(t_s), first, count, -1.0, math.inf,
        )  # fmt: skip

    def _on_foot(self, t_s: float) -> float:
        return 0.0 if self.role != "walker" else 2.0 if t_s < self.squeezes_until_s else 1.0


def draw_user(
    number: int, role: Role, kind: Kind, path: Path, speed_mps: float, want_mps: float, rng: np.random.Generator
) -> User:
    """A road user of ``kind`` at the beginning of ``path``."""
    model = draw_model(kind, rng)
    vertices = model.mesh(moving=True).vertices
    length, width = 2.0 * np.abs(vertices[:, :2]).max(0)
    if kind == "pedestrian":  # a stride is longer than a stance
        length, width = max(length, 0.6), max(width, 0.55)
    user = User(
        number, role, kind, model, float(length), float(width), path, speed_mps, want_mps, _MANNERS[kind], number
    )
    user.locate()
    return user


def ego_user(path: Path, speed_mps: float, want_mps: float, lane: int) -> User:
    """The ego vehicle."""
    length, width = EGO_SIZE_M
    manner = Manner(1.4, 1.7, 1.5, 2.0, 0.25)
    ego = User(0, "ego", "car", None, length, width, path, speed_mps, want_mps, manner, 0, lane=lane)
    ego.locate()
    return ego
