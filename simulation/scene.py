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
    except OSError as error:
        if "libusb" in str(error):
            raise UserError(f"Open3D cannot be loaded ({error}): run `apt-get install libusb-1.0-0`") from error
        raise UserError(f"Open3D cannot be loaded: {error}") from error
    except ImportError as error:
        raise UserError("simulation needs Open3D: run `pip install rangecast[sim]`") from error
    return open3d


@dataclass(frozen=True)
class Hits:
    """Where N rays end. ``range_m`` float32 [N], inf where a ray meets nothing; ``triangle`` int64 [N], -1 there;
    ``normal`` float32 [N,3], unit, on the side of the ray."""

    range_m: np.ndarray
    triangle: np.ndarray
    normal: np.ndarray


class Scene:
    """A mesh made ready for rays, in the frame of ``pose`` (float64 [4,4], frame to street)."""

    def __init__(self, mesh: Mesh, pose: np.ndarray) -> None:
        o3d = import_open3d()
        self.mesh = mesh
        self._tensor = o3d.core.Tensor
        local = (mesh.vertices - pose[:3, 3]) @ pose[:3, :3]
        # One thread builds the tree: the order of equal hits, and so every byte, is the same in every run.
        self._caster = o3d.t.geometry.RaycastingScene(nthreads=1)
        self._caster.add_triangles(
            self._tensor(local.astype(np.float32)), self._tensor(mesh.triangles.astype(np.uint32))
        )

    def cast(self, origins: np.ndarray, directions: np.ndarray) -> Hits:
        """First hits of rays from ``origins`` ([N,3] or [3], metres) along unit ``directions`` [N,3]."""
        result = self._caster.cast_rays(self._tensor(_rays(origins, directions)))
        triangle = result["primitive_ids"].numpy().astype(np.int64)
        missed = triangle == 0xFFFFFFFF
        normal = result["primitive_normals"].numpy()
        normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        behind = np.einsum("ij,ij->i", normal, directions) > 0
        normal[behind] *= -1
        return Hits(result["t_hit"].numpy(), np.where(missed, -1, triangle), normal)

    def blocked(self, origins: np.ndarray, directions: np.ndarray, limit_m: float | np.ndarray = np.inf) -> np.ndarray:
        """Whether anything lies within ``limit_m`` along each ray: bool [N]."""
        if np.ndim(limit_m) == 0:
            return self._caster.test_occlusions(self._tensor(_rays(origins, directions)), 0.0, float(limit_m)).numpy()
        scaled = directions * np.asarray(limit_m)[:, None]  # t counts in lengths of the direction
        return self._caster.test_occlusions(self._tensor(_rays(origins, scaled)), 0.0, 1.0).numpy()


def _rays(origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    rays = np.empty((len(directions), 6), np.float32)
    rays[:, :3], rays[:, 3:] = origins, directions
    return rays
