"""Ray casting: which surface a ray meets first, at the moment the ray is sent. Open3D (Embree) does the work.

What stands is one large mesh. What moves is a handful of small ones, each made ready for rays once, in its own frame:
a ray of time t is carried into the frame that the body has at t. So a LiDAR's turn and a camera's exposure see bodies
move while they last, and nothing is rebuilt from frame to frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numba
import numpy as np

from errors import UserError
from simulation.culling import near_bodies
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
        self._shared = o3d.core.Tensor.from_numpy  # a view, not a copy
        # One thread builds the tree: the order of equal hits, and so every byte, is the same in every run.
        self._caster = o3d.t.geometry.RaycastingScene(nthreads=1)
        vertices = (mesh.vertices - self.origin).astype(np.float32)
        self._caster.add_triangles(self._shared(vertices), self._shared(mesh.triangles.astype(np.uint32)))

    def cast(self, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First hits of ``rays`` float32 [N,6], start and unit direction, relative to ``origin``.

        Range float32 [N] (metres, inf where a ray meets nothing), triangle int64 [N] (-1 there), normal float32 [N,3].
        """
        result = self._caster.cast_rays(self._shared(rays))
        triangle = result["primitive_ids"].numpy().astype(np.int64)
        triangle[triangle == _MISSED] = -1
        return result["t_hit"].numpy(), triangle, result["primitive_normals"].numpy()

    def blocked(self, rays: np.ndarray) -> np.ndarray:
        """Whether each of ``rays`` float32 [N,6] meets anything within its direction's length: bool [N]."""
        return self._caster.test_occlusions(self._shared(rays), 0.0, 1.0).numpy()


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
        rays, dt = self._rays(origins, directions, dt_s)
        range_m, triangle, normal = self.standing.cast(rays)
        for k, near, local in self._near_bodies(rays, dt, range_m):
            own = self.placed[k].body.solid.cast(local)
            _nearer(*own, near, dt, self._motions[k], self._first[k], range_m, triangle, normal)
        _face(normal, rays)
        return Hits(range_m, triangle, normal)

    def blocked(self, origins: np.ndarray, reaches: np.ndarray, dt_s: np.ndarray | float = 0.0) -> np.ndarray:
        """Whether anything lies between ``origins`` and ``origins`` + ``reaches`` (both [N,3]): bool [N]."""
        rays, dt = self._rays(origins, reaches, dt_s)
        blocked = self.standing.blocked(rays)
        length = _unit(rays, blocked) if self.placed else None
        for k, near, local in self._near_bodies(rays, dt, length):
            local[:, 3:] *= length[near, None]
            blocked[near] |= self.placed[k].body.solid.blocked(local)
        return blocked

    def in_own_frame(self, points: np.ndarray, triangle: np.ndarray, dt_s: np.ndarray | float) -> np.ndarray:
        """``points`` float64 [N,3] (street) that lie on ``triangle`` [N] at ``dt_s`` ([N] or a number), in the frame of
        the body they are on: float64 [N,3]. What stands has the street's own; ``points`` itself where nothing moves."""
        moving = np.flatnonzero(triangle >= len(self.standing.mesh.triangles))
        if not len(moving):
            return points
        own, which, dt_s = points.copy(), self.which(triangle[moving]), np.broadcast_to(dt_s, len(points))
        for k in np.unique(which):
            on, placed = moving[which == k], self.placed[k]
            dt = dt_s[on].astype(float)
            away = points[on] - placed.pose[:3, 3] - dt[:, None] * placed.velocity_mps
            c, s = np.cos(placed.yaw_rate_radps * dt), np.sin(placed.yaw_rate_radps * dt)
            back = np.stack([c * away[:, 0] + s * away[:, 1], c * away[:, 1] - s * away[:, 0], away[:, 2]], 1)
            own[on] = back @ placed.pose[:3, :3]
        return own

    def _near_bodies(
        self, rays: np.ndarray, dt_s: np.ndarray, reach: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Bodies that rays may meet before they have gone as far as ``reach`` [N]: index into ``placed``, which rays
        int64 [K], and those rays float32 [K,6] in the body's frame as it is when each is sent."""
        if not self.placed:
            return
        ray, body = near_bodies(rays, dt_s, self._balls, reach)
        order = np.argsort(body, kind="stable")
        ends = np.cumsum(np.bincount(body, minlength=len(self.placed)))
        for k, near in enumerate(np.split(ray[order], ends[:-1])):
            if len(near):
                yield k, near, _into(rays, dt_s, self._motions[k], near)

    def _rays(
        self, origins: np.ndarray, directions: np.ndarray, dt_s: np.ndarray | float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rays float32 [N,6], starts relative to ``standing.origin``, and the time of each, float32 [N]."""
        rays = np.empty((len(directions), 6), np.float32)
        rays[:, :3], rays[:, 3:] = origins - self.standing.origin, directions
        return rays, np.array(np.broadcast_to(dt_s, len(rays)), np.float32)

    @cached_property
    def _balls(self) -> np.ndarray:
        """A ball round each body: centre (relative to ``standing.origin``), velocity, radius; float64 [B,7]."""
        rows = []
        for placed in self.placed:
            arm = placed.pose[:3, :3] @ placed.body.centre
            velocity = placed.velocity_mps + placed.yaw_rate_radps * np.array([-arm[1], arm[0], 0.0])
            centre = placed.pose[:3, 3] + arm - self.standing.origin
            rows.append([*centre, *velocity, placed.body.radius_m + 0.05])
        return np.array(rows)

    @cached_property
    def _motions(self) -> np.ndarray:
        """How each body lies and moves: rotation row by row, place relative to ``standing.origin``, velocity, yaw rate;
        float64 [B,16]."""
        return np.array(
            [
                [*p.pose[:3, :3].ravel(), *(p.pose[:3, 3] - self.standing.origin), *p.velocity_mps, p.yaw_rate_radps]
                for p in self.placed
            ]
        )


@numba.njit(cache=True)
def _unit(rays, settled):  # pragma: no cover - compiled
    """Make the directions of ``rays`` [N,6] unit vectors, in place, and return what their lengths were: float32 [N];
    0 where ``settled`` bool [N]."""
    lengths = np.zeros(len(rays), np.float32)
    for n in range(len(rays)):
        length = np.sqrt(rays[n, 3] * rays[n, 3] + rays[n, 4] * rays[n, 4] + rays[n, 5] * rays[n, 5])
        for axis in range(3, 6):
            rays[n, axis] /= max(length, np.float32(1e-9))
        if not settled[n]:
            lengths[n] = length
    return lengths


@numba.njit(cache=True)
def _into(rays, dt_s, motion, near):  # pragma: no cover - compiled
    """The rays ``near`` [K] of ``rays`` [N,6]: float32 [K,6], in a body's frame as it is when each is sent."""
    out = np.empty((len(near), 6), np.float32)
    for k in range(len(near)):
        n = near[k]
        angle = motion[15] * dt_s[n]
        c, s = np.cos(angle), np.sin(angle)
        x = rays[n, 0] - motion[9] - dt_s[n] * motion[12]
        y = rays[n, 1] - motion[10] - dt_s[n] * motion[13]
        z = rays[n, 2] - motion[11] - dt_s[n] * motion[14]
        u, v, w = rays[n, 3], rays[n, 4], rays[n, 5]
        x, y, u, v = c * x + s * y, c * y - s * x, c * u + s * v, c * v - s * u
        for axis in range(3):
            a, b, d = motion[axis], motion[3 + axis], motion[6 + axis]
            out[k, axis] = a * x + b * y + d * z
            out[k, 3 + axis] = a * u + b * v + d * w
    return out


@numba.njit(cache=True)
def _nearer(
    own_range, own_triangle, own_normal, near, dt_s, motion, first, range_m, triangle, normal
):  # pragma: no cover - compiled
    """Put a body's hits, of the rays ``near`` [K], where they are nearer than what is known, in place."""
    for k in range(len(near)):
        n = near[k]
        if not own_range[k] < range_m[n]:
            continue
        range_m[n], triangle[n] = own_range[k], own_triangle[k] + first
        u, v, w = own_normal[k, 0], own_normal[k, 1], own_normal[k, 2]
        x = motion[0] * u + motion[1] * v + motion[2] * w
        y = motion[3] * u + motion[4] * v + motion[5] * w
        z = motion[6] * u + motion[7] * v + motion[8] * w
        c, s = np.cos(motion[15] * dt_s[n]), np.sin(motion[15] * dt_s[n])
        normal[n, 0], normal[n, 1], normal[n, 2] = c * x - s * y, s * x + c * y, z


@numba.njit(cache=True)
def _face(normal, rays):  # pragma: no cover - compiled
    """Make normals [N,3] unit vectors that look against ``rays`` [N,6], in place."""
    for n in range(len(normal)):
        x, y, z = normal[n, 0], normal[n, 1], normal[n, 2]
        length = np.sqrt(x * x + y * y + z * z)
        scale = 1.0 / length if length > 1e-12 else 0.0
        if x * rays[n, 3] + y * rays[n, 4] + z * rays[n, 5] > 0:
            scale = -scale
        normal[n, 0], normal[n, 1], normal[n, 2] = x * scale, y * scale, z * scale
