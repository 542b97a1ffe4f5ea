"""The light that arrives along rays: what they meet, how it is lit, what it mirrors, and the air between."""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np

from simulation.camera import light, sky
from simulation.camera.lamps import LUMINANCE, Lamps
from simulation.camera.textures import CAR_PAINT, FOLIAGE, GLASS, GRASS, LAMP, RETRO, paint
from simulation.camera.windows import window_light
from simulation.rig import FOCAL_PX
from simulation.scene import Hits, Scene

_RETRO_CD_PER_LUX_M2 = np.float32(12.0)  # of a sign's sheeting in the light of one's own head lamps
_LAMPS_MATTER_LUX = 2500.0  # under a brighter sky no lamp lights anything visibly
_MIRRORED_OPEN = np.float32(0.7)  # openness of what is seen in a mirror only


_Places = tuple[np.ndarray, np.ndarray]  # (u, v) float32 [N]


@dataclass(frozen=True, eq=False)
class Openness:
    """:func:`light.openness` of a picture with the places where it was measured, relative to ``eye``."""

    grid: np.ndarray
    points: np.ndarray
    normals: np.ndarray


@dataclass(eq=False)
class Tracer:
    """One moment's street in its light, seen from about ``eye`` float64 [3] (street frame)."""

    scene: Scene
    day: sky.Daylight
    wetness: float
    eye: np.ndarray
    headlamps: Lamps
    lamps: Lamps
    openness: Openness | None = field(default=None)

    def open_where(self, points: np.ndarray, hits: Hits) -> None:
        """Measure the openness of the picture whose pixels' own rays have ``hits`` at ``points``."""
        grid = light.openness(self.scene, points, hits.normal, hits.triangle >= 0)
        every = np.arange(0, light.HEIGHT, light.STEP)[:, None] * light.WIDTH + np.arange(0, light.WIDTH, light.STEP)
        self.openness = Openness(grid, (points[every] - self.eye).astype(np.float32), hits.normal[every])

    def picture(self, hits: Hits, directions: np.ndarray, points: np.ndarray, pixels: _Places) -> np.ndarray:
        """Luminance float32 [H·W,3] of the pixels' own rays, as :meth:`radiance`: every pixel's, row by row."""
        self.open_where(points, hits)
        seen = np.flatnonzero(hits.triangle >= 0)
        facing = np.zeros(len(points), np.float32)
        facing[seen] = self._sunlit(hits.triangle[seen], points[seen], hits.normal[seen], 0.0)
        return self.radiance(hits, directions, points, 0.0, pixels, light.settle(facing, hits.triangle))

    def radiance(
        self,
        hits: Hits,
        directions: np.ndarray,
        points: np.ndarray,
        dt_s: np.ndarray | float = 0.0,
        pixels: _Places | None = None,
        facing: np.ndarray | None = None,
    ) -> np.ndarray:
        """Luminance float32 [N,3] (RGB, cd/m²) along rays that have ``hits`` at ``points`` float64 [N,3].

        ``pixels``: (u, v) float32 [N] of camera rays; without it the rays are mirrored ones, which mirror no further.
        ``facing`` float32 [N]: :func:`light.sunlit`, where it is known.
        """
        out = np.empty((len(directions), 3), np.float32)
        missed, seen = np.flatnonzero(hits.triangle < 0), np.flatnonzero(hits.triangle >= 0)
        day = self.day
        out[missed] = sky.radiance(directions[missed], *day)
        hits = Hits(hits.range_m[seen], hits.triangle[seen], hits.normal[seen])
        points, directions = points[seen], directions[seen]
        dt_s = dt_s[seen] if isinstance(dt_s, np.ndarray) else dt_s
        colour, gloss, glow = self._surface(hits, directions, points, dt_s)
        if facing is not None:
            facing = facing[seen]
        elif pixels is None:  # a mirror's pictures are dim and small: shade in them is not worth its rays
            facing = np.einsum("ij,j->i", hits.normal, day.sun)
        else:
            facing = self._sunlit(hits.triangle, points, hits.normal, dt_s)
        lux = self._light(hits, points, facing, None if pixels is None else (pixels[0][seen], pixels[1][seen]))
        result = colour * lux * np.float32(1 / np.pi) + glow
        if pixels is not None:
            self._mirror(result, gloss, hits, points, directions, dt_s)
        out[seen] = _through_air(result, hits.range_m, day.air, day.extinction_per_m)
        return out

    def _surface(
        self, hits: Hits, directions: np.ndarray, points: np.ndarray, dt_s: np.ndarray | float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Reflectance [N,3], gloss [N] and own light [N,3] (cd/m²) of what was hit."""
        scene = self.scene
        material = scene.attribute("material")[hits.triangle]
        rgb = scene.attribute("rgb")[hits.triangle]
        facing = np.abs(np.einsum("ij,ij->i", hits.normal, directions))
        footprint = hits.range_m / np.float32(FOCAL_PX) / np.sqrt(np.maximum(facing, np.float32(0.02)))
        glow = np.zeros_like(rgb)
        lamp = np.flatnonzero(material == LAMP)
        glow[lamp] = rgb[lamp] * LUMINANCE
        own = own_places(scene, hits.triangle, points, dt_s)
        colour, gloss = paint(material, rgb * rgb, own, hits.normal, footprint, np.float32(self.wetness))
        dark = bool(self.day.sky_lux[1] < _LAMPS_MATTER_LUX)
        if dark:
            glow += window_light(scene, hits.triangle)
            sheet = np.flatnonzero(material == RETRO)
            lux = light.lamplight((points[sheet] - self.eye).astype(np.float32), -directions[sheet], self.headlamps)
            glow[sheet] += _RETRO_CD_PER_LUX_M2 * lux * colour[sheet]
        return colour, gloss, glow

    def _leafy(self, triangle: np.ndarray) -> np.ndarray:
        material = self.scene.attribute("material")[triangle]
        return (material == FOLIAGE) | (material == GRASS)

    def _sunlit(
        self, triangle: np.ndarray, points: np.ndarray, normals: np.ndarray, dt_s: np.ndarray | float
    ) -> np.ndarray:
        return light.sunlit(self.scene, points, normals, self._leafy(triangle), self.day, dt_s)

    def _light(self, hits: Hits, points: np.ndarray, facing: np.ndarray, pixels: _Places | None) -> np.ndarray:
        day = self.day
        near = (points - self.eye).astype(np.float32)
        if pixels is None or self.openness is None:
            open_share = np.full(len(points), _MIRRORED_OPEN)
        else:
            sky_seen = self.openness
            open_share = light.open_at(
                sky_seen.grid, sky_seen.points, sky_seen.normals, *pixels, near, hits.normal, hits.range_m
            )
        leafy = self._leafy(hits.triangle)
        lux = light.irradiance(hits.normal, facing, open_share, leafy, day.sun_lux, day.sky_lux, day.sun[2])
        if day.sky_lux[1] < _LAMPS_MATTER_LUX:
            lux += light.lamplight(near, hits.normal, self.headlamps)
            lux += light.lamplight(near, hits.normal, self.lamps)
        return lux

    def _mirror(
        self,
        result: np.ndarray,
        gloss: np.ndarray,
        hits: Hits,
        points: np.ndarray,
        directions: np.ndarray,
        dt_s: np.ndarray | float,
    ) -> None:
        """Add to ``result`` [N,3], in place, what glossy surfaces mirror."""
        glossy = np.flatnonzero(gloss > 0.0)
        if not len(glossy):
            return
        material = self.scene.attribute("material")[hits.triangle[glossy]]
        smooth = (material == CAR_PAINT) | (material == GLASS)
        share, mirrored = _mirrored(gloss[glossy], directions[glossy], hits.normal[glossy], smooth, points[glossy])
        origins = points[glossy] + np.float32(0.01) * hits.normal[glossy]
        dt = dt_s[glossy] if isinstance(dt_s, np.ndarray) else dt_s
        met = self.scene.cast(origins, mirrored, dt)
        ends = reached(origins, mirrored, met.range_m)
        seen = self.radiance(met, mirrored, ends, dt)
        result[glossy] = result[glossy] * (1 - share[:, None]) + share[:, None] * seen


@numba.njit(cache=True)
def _mirrored(gloss, directions, normals, smooth, points):  # pragma: no cover - compiled
    """Share of light mirrored float32 [K] (Schlick's approximation) and where it comes from, float32 [K,3].

    What is not ``smooth`` scatters a little about the mirror's direction: a wet road draws lights out into streaks.
    """
    share, out = np.empty(len(gloss), np.float32), np.empty((len(gloss), 3), np.float32)
    for n in range(len(gloss)):
        cosine = 0.0
        for c in range(3):
            cosine -= directions[n, c] * normals[n, c]
        share[n] = gloss[n] + min(1.0, 20.0 * gloss[n]) * (1.0 - gloss[n]) * (1.0 - max(cosine, 0.0)) ** 5
        i, j = int(np.floor(points[n, 0] * 400.0)), int(np.floor(points[n, 1] * 400.0))
        rough = 0.006 if smooth[n] else 0.05
        total = 0.0
        for c in range(3):
            scatter = rough * (light.hash3(i, j, c) - 0.5)
            out[n, c] = directions[n, c] + 2.0 * cosine * (normals[n, c] + scatter)
            total += out[n, c] * out[n, c]
        for c in range(3):
            out[n, c] /= np.sqrt(total)
    return share, out


@numba.njit(cache=True)
def _through_air(luminance, range_m, air, extinction):  # pragma: no cover - compiled
    """Koschmieder's law: light fades with distance, and the air's own takes its place."""
    for n in range(len(luminance)):
        left = np.exp(-extinction * range_m[n])
        for c in range(3):
            luminance[n, c] = left * luminance[n, c] + (1.0 - left) * air[c]
    return luminance


@numba.njit(cache=True)
def reached(origins, directions, range_m):  # pragma: no cover - compiled
    """Where rays end, float64 [N,3]: ``origins`` float64 [N,3], ``directions`` float32 [N,3]; a miss stays at home."""
    out = np.empty((len(range_m), 3))
    for n in range(len(range_m)):
        way = np.float64(range_m[n]) if np.isfinite(range_m[n]) else 0.0
        for c in range(3):
            out[n, c] = origins[n, c] + way * directions[n, c]
    return out


def own_places(scene: Scene, triangle: np.ndarray, points: np.ndarray, dt_s: np.ndarray | float) -> np.ndarray:
    """``points`` float64 [N,3] in the frame of the body that each lies on at its time; the street's for what stands."""
    which = scene.which(triangle)
    own = points.copy()
    moving = np.flatnonzero(which >= 0)
    for k in np.unique(which[moving]):
        mine = moving[which[moving] == k]
        placed = scene.placed[k]
        dt = np.broadcast_to(np.asarray(dt_s, float)[mine] if isinstance(dt_s, np.ndarray) else dt_s, len(mine))
        away = points[mine] - placed.pose[:3, 3] - dt[:, None] * placed.velocity_mps
        c, s = np.cos(placed.yaw_rate_radps * dt), np.sin(placed.yaw_rate_radps * dt)
        back = np.stack([c * away[:, 0] + s * away[:, 1], c * away[:, 1] - s * away[:, 0], away[:, 2]], 1)
        own[mine] = back @ placed.pose[:3, :3]
    return own
