"""Ray casting: which surface a ray meets first, at the moment the ray is sent. Open3D (Embree) does the work.

What stands is one large mesh. What moves is a handful of small ones, each made ready for rays once, in its own frame:
a ray of time t is carried into the frame that the body has at t. So a LiDAR's turn and a camera's exposure see bodies
move while they last, and nothing is rebuilt from frame to frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numba
import numpy as np

from errors import UserError
from simulation.shapes.mesh import Mesh


def import_open3d() -> Any:
    """Open3D, or :class:`UserError` that says what to install."""
    try:
        import open3d
    except ModuleNotFoundError as error:
        raise UserError(f"simulation needs Open3D ({error}): run `pip install rangecast[sim]`") from error
    except (ImportError, OSError) as error:
        remedy = (
            "apt-get install libusb-1.0-0" if "libusb" in str(error) else "pip install --force-reinstall open3d-cpu"
        )
        raise UserError(f"Open3D cannot be loaded ({error}): run `{remedy}`") from error
    return open3d


_MISSED = 0xFFFFFFFF  # Open3D's INVALID_ID


class Solid:
    """A mesh made ready for rays. ``origin`` [3] float64 (metres) is near its vertices, for float32's sake."""

    def __init__(self, mesh: Mesh, origin: Sequence[float] | np.ndarray = (0.0, 0.0, 0.0)) -> None:
        o3d = import_open3d()
        self.mesh, self.origin = mesh, np.asarray(origin, float)
        self._tensor = o3d.core.Tensor
        # One thread builds the tree: the order of equal hits, and so every byte, is the same in every run.
        self._caster = o3d.t.geometry.RaycastingScene(nthreads=1)
        vertices = (mesh.vertices - self.origin).astype(np.float32)
        self._caster.add_triangles(self._tensor(vertices), self._tensor(mesh.triangles.astype(np.uint32)))

    def cast(self, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First hits of ``rays`` float32 [N,6], start and unit direction, relative to ``origin``.

        Range float32 [N] (metres, inf where a ray meets nothing), triangle int64 [N] (-1 there), normal float32 [N,3].
        """
        result = self._caster.cast_rays(self._tensor(rays))
        triangle = result["primitive_ids"].numpy().astype(np.int64)
        triangle[triangle == _MISSED] = -1
        return result["t_hit"].numpy(), triangle, result["primitive_normals"].numpy()

    def blocked(self, rays: np.ndarray) -> np.ndarray:
        """Whether each of ``rays`` float32 [N,6] meets anything within its direction's length: bool [N]."""
        return self._caster.test_occlusions(self._tensor(rays), 0.0, 1.0).numpy()


@dataclass(frozen=True, eq=False)
class Body:
    """A rigid thing in its own frame: x forward, y left, z up, the origin on the ground under its centre."""

    mesh: Mesh

    @cached_property
    def solid(self) -> Solid:
        """The mesh made ready for rays; built when first needed and kept."""
        return Solid(self.mesh)

    @cached_property
    def bounds(self) -> np.ndarray:
        """Least and greatest x, y, z: float64 [2,3] metres."""
        return np.stack([self.mesh.vertices.min(0), self.mesh.vertices.max(0)])

    @cached_property
    def centre(self) -> np.ndarray:
        """Middle of the bounds: float64 [3] metres."""
        return self.bounds.mean(0)

    @cached_property
    def radius_m(self) -> float:
        """No vertex is farther from ``centre``."""
        return float(np.linalg.norm(self.mesh.vertices - self.centre, axis=1).max())


@dataclass(frozen=True, eq=False)
class Placed:
    """A body at a moment, and how it moves just then.

    ``pose`` float64 [4,4], body to street, at the moment of the :class:`Scene`; ``velocity_mps`` float64 [3], street
    frame; ``yaw_rate_radps`` about the street's z. Within one frame the motion is taken as steady.
    """

    body: Body
    pose: np.ndarray
    velocity_mps: np.ndarray = field(default_factory=lambda: np.zeros(3))
    yaw_rate_radps: float = 0.0

    def pose_at(self, dt_s: float) -> np.ndarray:
        """Body to street, float64 [4,4], ``dt_s`` after the moment."""
        pose = self.pose.copy()
        c, s = np.cos(self.yaw_rate_radps * dt_s), np.sin(self.yaw_rate_radps * dt_s)
        pose[:3, :3] = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ self.pose[:3, :3]
        pose[:3, 3] += dt_s * self.velocity_mps
        return pose


@dataclass(frozen=True)
class Hits:
    """Where N rays end.

    ``range_m`` float32 [N], inf where a ray meets nothing; ``triangle`` int64 [N], -1 there, an index into
    :meth:`Scene.attribute`; ``normal`` float32 [N,3], street frame, unit, on the ray's side of the surface.
    """

    range_m: np.ndarray
    triangle: np.ndarray
    normal: np.ndarray


class Scene:
    """What stands, and ``placed`` bodies that move, around one moment. All coordinates are the street's, in metres."""

    def __init__(self, standing: Solid, placed: Sequence[Placed] = ()) -> None:
        self.standing, self.placed = standing, tuple(placed)
        self._first = np.cumsum([len(standing.mesh.triangles), *(len(p.body.mesh.triangles) for p in self.placed)])
        self._attributes: dict[str, np.ndarray] = {}

    def attribute(self, name: str) -> np.ndarray:
        """One of the meshes' per-triangle attributes, indexed as ``Hits.triangle`` is."""
        if name not in self._attributes:
            meshes = [self.standing.mesh, *(p.body.mesh for p in self.placed)]
            self._attributes[name] = np.concatenate([getattr(mesh, name) for mesh in meshes])
        return self._attributes[name]

    def which(self, triangle: np.ndarray) -> np.ndarray:
        """Index into ``placed`` of the body that each triangle int64 [N] belongs to; -1 for what stands and a miss."""
        return np.searchsorted(self._first, triangle, side="right") - 1

    def own_triangle(self, triangle: np.ndarray) -> np.ndarray:
        """Each triangle's number int64 [N] within its own mesh."""
        which = self.which(triangle)
        return triangle - np.where(which >= 0, self._first[which], 0)

    def cast(self, origins: np.ndarray, directions: np.ndarray, dt_s: np.ndarray | float = 0.0) -> Hits:
        """First hits of rays from ``origins`` ([N,3] or [3]) along unit ``directions`` [N,3].

        ``dt_s`` ([N] or a number): when each ray is sent, in seconds after the scene's moment.
        """
        starts, directions, dt = self._rays(origins, directions, dt_s)
        range_m, triangle, normal = self.standing.cast(np.hstack([starts, directions]))
        bundles = _bundle(starts, directions, dt, range_m)
        for k, placed in enumerate(self.placed):
            near = _near(starts, directions, dt, *self._ball(placed), range_m, bundles)
            if not len(near):
                continue
            local, back = _into(placed, starts[near], directions[near], dt[near], self.standing.origin)
            own_range, own_triangle, own_normal = placed.body.solid.cast(local)
            nearer = np.flatnonzero(own_range < range_m[near])
            chosen = near[nearer]
            range_m[chosen] = own_range[nearer]
            triangle[chosen] = own_triangle[nearer] + self._first[k]
            normal[chosen] = np.einsum("nij,nj->ni", back[nearer], own_normal[nearer])
        _face(normal, directions)
        return Hits(range_m, triangle, normal)

    def blocked(self, origins: np.ndarray, reaches: np.ndarray, dt_s: np.ndarray | float = 0.0) -> np.ndarray:
        """Whether anything lies between ``origins`` and ``origins`` + ``reaches`` (both [N,3]): bool [N]."""
        starts, reaches, dt = self._rays(origins, reaches, dt_s)
        blocked = self.standing.blocked(np.hstack([starts, reaches]))
        length = np.sqrt(np.einsum("ij,ij->i", reaches, reaches))
        directions = reaches / np.maximum(length, np.float32(1e-9))[:, None]
        length[blocked] = -np.inf  # settled already
        bundles = _bundle(starts, directions, dt, length)
        for placed in self.placed:
            near = _near(starts, directions, dt, *self._ball(placed), length, bundles)
            if len(near):
                local, _ = _into(placed, starts[near], reaches[near], dt[near], self.standing.origin)
                blocked[near] |= placed.body.solid.blocked(local)
        return blocked

    def _rays(
        self, origins: np.ndarray, directions: np.ndarray, dt_s: np.ndarray | float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = len(directions)
        starts = np.broadcast_to((origins - self.standing.origin).astype(np.float32), (n, 3))
        return starts, directions.astype(np.float32), np.broadcast_to(np.asarray(dt_s, np.float32), n)

    def _ball(self, placed: Placed) -> tuple[np.ndarray, np.ndarray, float]:
        """A ball around a body: its centre and velocity float32 [3] relative to ``standing.origin``, its radius."""
        arm = placed.pose[:3, :3] @ placed.body.centre
        spin = placed.yaw_rate_radps * np.array([-arm[1], arm[0], 0.0])
        centre = placed.pose[:3, 3] + arm - self.standing.origin
        return centre.astype(np.float32), (placed.velocity_mps + spin).astype(np.float32), placed.body.radius_m + 0.05


def _into(
    placed: Placed, starts: np.ndarray, directions: np.ndarray, dt_s: np.ndarray, origin: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rays float32 [N,6] in the body's frame as it is when each is sent, and the turns back, float32 [N,3,3]."""
    angle = placed.yaw_rate_radps * dt_s
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    yaw = np.stack([c, -s, zero, s, c, zero, zero, zero, one], 1).reshape(-1, 3, 3)
    turn = (yaw @ placed.pose[:3, :3]).astype(np.float32)
    moved = (placed.pose[:3, 3] - origin).astype(np.float32) + dt_s[:, None] * placed.velocity_mps.astype(np.float32)
    rays = np.empty((len(starts), 6), np.float32)
    rays[:, :3] = np.einsum("nji,nj->ni", turn, starts - moved)
    rays[:, 3:] = np.einsum("nji,nj->ni", turn, directions)
    return rays, turn


_BUNDLE = 32  # neighbouring rays that are looked at together


@numba.njit(cache=True)
def _bundle(starts, directions, dt_s, reach):  # pragma: no cover - compiled
    """What holds each _BUNDLE rays in their order together: float32 [B,11].

    Middle and radius of a ball round their starts; axis, and cosine of half the angle, of a cone round their
    directions; the least and greatest ``dt_s``; the greatest ``reach``.
    """
    n = len(directions)
    out = np.empty(((n + _BUNDLE - 1) // _BUNDLE, 11), np.float32)
    for b in range(len(out)):
        first, last = b * _BUNDLE, min((b + 1) * _BUNDLE, n)
        for c in range(3):
            start, axis = 0.0, 0.0
            for k in range(first, last):
                start += starts[k, c]
                axis += directions[k, c]
            out[b, c], out[b, 4 + c] = start / (last - first), axis
        x, y, z = out[b, 4], out[b, 5], out[b, 6]
        scale = 1.0 / (np.sqrt(x * x + y * y + z * z) + 1e-9)
        out[b, 4], out[b, 5], out[b, 6] = x * scale, y * scale, z * scale
        farthest, least, early, late, greatest = 0.0, 1.0, dt_s[first], dt_s[first], reach[first]
        for k in range(first, last):
            x, y, z = starts[k, 0] - out[b, 0], starts[k, 1] - out[b, 1], starts[k, 2] - out[b, 2]
            farthest = max(farthest, x * x + y * y + z * z)
            cosine = directions[k, 0] * out[b, 4] + directions[k, 1] * out[b, 5] + directions[k, 2] * out[b, 6]
            least = min(least, cosine)
            early, late, greatest = min(early, dt_s[k]), max(late, dt_s[k]), max(greatest, reach[k])
        out[b, 3], out[b, 7], out[b, 8], out[b, 9], out[b, 10] = np.sqrt(farthest), least, early, late, greatest
    return out


@numba.njit(cache=True)
def _near(starts, directions, dt_s, centre, velocity, radius, reach, bundles):  # pragma: no cover - compiled
    """Which rays pass through a moving ball before they have gone as far as ``reach`` [N]: int64 [K].

    ``bundles``: :func:`_bundle` of the rays, of which most are seen to pass by without a look at each ray.
    """
    found = np.empty(len(directions), np.int64)
    count = 0
    speed = np.sqrt(velocity[0] * velocity[0] + velocity[1] * velocity[1] + velocity[2] * velocity[2])
    for b in range(len(bundles)):
        if _passes_by(bundles[b], centre, velocity, speed, radius):
            continue
        for n in range(b * _BUNDLE, min((b + 1) * _BUNDLE, len(directions))):
            x = centre[0] + dt_s[n] * velocity[0] - starts[n, 0]
            y = centre[1] + dt_s[n] * velocity[1] - starts[n, 1]
            z = centre[2] + dt_s[n] * velocity[2] - starts[n, 2]
            along = x * directions[n, 0] + y * directions[n, 1] + z * directions[n, 2]
            if along < -radius or along - radius > reach[n]:
                continue
            if x * x + y * y + z * z - along * along < radius * radius:
                found[count] = n
                count += 1
    return found[:count].copy()


@numba.njit(cache=True)
def _passes_by(bundle, centre, velocity, speed, radius):  # pragma: no cover - compiled
    """Whether no ray of a bundle can meet the moving ball."""
    dt = (bundle[8] + bundle[9]) / 2
    x, y, z = centre[0] - bundle[0], centre[1] - bundle[1], centre[2] - bundle[2]
    x, y, z = x + dt * velocity[0], y + dt * velocity[1], z + dt * velocity[2]
    wide = radius + bundle[3] + speed * (bundle[9] - dt) + 0.01  # the ball that one ray from the middle would meet
    away = x * x + y * y + z * z
    if away <= wide * wide:
        return False
    away = np.sqrt(away)
    if away - wide > bundle[10]:
        return True
    # Cosine of the sum of two angles: half the cone's, and half that under which the ball is seen.
    cone, ball = bundle[7] - np.float32(1e-5), np.float32(wide / away)
    if cone <= 0.0:
        return False
    limit = cone * np.sqrt(1.0 - ball * ball) - np.sqrt(1.0 - cone * cone) * ball
    return x * bundle[4] + y * bundle[5] + z * bundle[6] < limit * away


@numba.njit(cache=True)
def _face(normal, directions):  # pragma: no cover - compiled
    """Make normals [N,3] unit vectors that look against ``directions`` [N,3], in place."""
    for n in range(len(normal)):
        x, y, z = normal[n, 0], normal[n, 1], normal[n, 2]
        length = np.sqrt(x * x + y * y + z * z)
        scale = 1.0 / length if length > 1e-12 else 0.0
        if x * directions[n, 0] + y * directions[n, 1] + z * directions[n, 2] > 0:
            scale = -scale
        normal[n, 0], normal[n, 1], normal[n, 2] = x * scale, y * scale, z * scale
