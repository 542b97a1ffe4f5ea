"""Ray casting: which surface a ray meets first. Open3D (Embree) does the work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from errors import UserError
from simulation.mesh import Mesh


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


@dataclass(frozen=True)
class Hits:
    """Where N rays end.

    ``range_m`` float32 [N], inf where a ray meets nothing; ``triangle`` int64 [N], -1 there; ``normal`` float32 [N,3].
    """

    range_m: np.ndarray
    triangle: np.ndarray
    normal: np.ndarray


class Solid:
    """A mesh in street coordinates made ready for rays; ``origin`` [3] (metres) is near it, for float32's sake."""

    def __init__(self, mesh: Mesh, origin: np.ndarray) -> None:
        o3d = import_open3d()
        self.mesh, self.origin = mesh, origin
        self._tensor = o3d.core.Tensor
        # One thread builds the tree: the order of equal hits, and so every byte, is the same in every run.
        self._caster = o3d.t.geometry.RaycastingScene(nthreads=1)
        vertices = (mesh.vertices - origin).astype(np.float32)
        self._caster.add_triangles(self._tensor(vertices), self._tensor(mesh.triangles.astype(np.uint32)))

    def cast(self, rays: np.ndarray) -> Hits:
        """First hits of ``rays`` float32 [N,6], origin and unit direction, relative to ``origin``."""
        result = self._caster.cast_rays(self._tensor(rays))
        triangle = result["primitive_ids"].numpy().astype(np.int64)
        triangle[triangle == _MISSED] = -1
        return Hits(result["t_hit"].numpy(), triangle, result["primitive_normals"].numpy())

    def blocked(self, rays: np.ndarray) -> np.ndarray:
        """Whether each of ``rays`` float32 [N,6] meets anything within its direction's length: bool [N]."""
        return self._caster.test_occlusions(self._tensor(rays), 0.0, 1.0).numpy()


class Scene:
    """What stands and what moves, seen from a sensor frame: ``pose`` float64 [4,4], sensor to street."""

    def __init__(self, standing: Solid, moving: Mesh, pose: np.ndarray) -> None:
        self._solids = (standing, Solid(moving, standing.origin))
        self._attributes: dict[str, np.ndarray] = {}
        self._turn = pose[:3, :3].astype(np.float32)
        self._offset = (pose[:3, 3] - standing.origin).astype(np.float32)

    def attribute(self, name: str) -> np.ndarray:
        """One of the meshes' per-triangle attributes, indexed as ``Hits.triangle`` is."""
        if name not in self._attributes:
            self._attributes[name] = np.concatenate([getattr(solid.mesh, name) for solid in self._solids])
        return self._attributes[name]

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> Hits:
        """First hits of rays from ``origins`` ([N,3] or [3], metres) along unit ``directions`` [N,3], sensor frame.

        Normals come back in the sensor frame, unit, on the ray's side of the surface.
        """
        rays = self._rays(origins, directions)
        first, second = (solid.cast(rays) for solid in self._solids)
        nearer = second.range_m < first.range_m
        triangle = np.where(nearer, second.triangle + len(self._solids[0].mesh.triangles), first.triangle)
        normal = np.where(nearer[:, None], second.normal, first.normal) @ self._turn
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        normal[np.einsum("ij,ij->i", normal, directions) > 0] *= -1
        return Hits(np.minimum(first.range_m, second.range_m), triangle, normal)

    def blocked(self, origins: np.ndarray, reaches: np.ndarray) -> np.ndarray:
        """Whether anything lies between ``origins`` and ``origins`` + ``reaches`` (both metres, [N,3]): bool [N]."""
        rays = self._rays(origins, reaches)
        standing, moving = self._solids
        return standing.blocked(rays) | moving.blocked(rays)

    def _rays(self, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        rays = np.empty((len(directions), 6), np.float32)
        rays[:, :3] = origins.astype(np.float32) @ self._turn.T + self._offset
        rays[:, 3:] = directions.astype(np.float32) @ self._turn.T
        return rays
