"""The light that arrives along rays: what they meet, how it is lit, what it mirrors, and the air between."""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np

from simulation.camera import light, sky
from simulation.camera.lamps import LUMINANCE, Lamps
from simulation.camera.textures import CAR_PAINT, GLASS, LAMP, RETRO, paint
from simulation.camera.windows import window_light
from simulation.rig import Optics
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
    """One moment's street in its light, seen through ``optics`` from about ``eye`` float64 [3] (street frame)."""

    scene: Scene
    day: sky.Daylight
    wetness: float
    eye: np.ndarray
    optics: Optics
    headlamps: Lamps
    lamps: Lamps
    openness: Openness | None = field(default=None)

    def open_where(self, points: np.ndarray, hits: Hits) -> None:
        """Measure the openness of the picture whose pixels' own rays have ``hits`` at ``points``."""
        width, height, focal_px, _, _ = self.optics
        grid = light.openness(self.scene, points, hits.normal, hits.triangle >= 0, width)
        every = np.arange(0, height, light.STEP)[:, None] * width + np.arange(0, width, light.STEP)
        at, normals = (points[every] - self.eye).astype(np.float32), hits.normal[every]
        self.openness = Openness(light.smoothed(grid, at, normals, focal_px), at, normals)

    def picture(self, hits: Hits, directions: np.ndarray, points: np.ndarray, pixels: _Places) -> np.ndarray:
        """Luminance float32 [H·W,3] of the pixels' own rays, as :meth:`radiance`: every pixel's, row by row."""
        self.open_where(points, hits)
        material = self.scene.attribute("material")[hits.triangle]
        seen = (points, hits.normal, material, hits.triangle)
        facing = light.sunlit_picture(self.scene, *seen, self.day, self.optics.width)
        return self.radiance(hits, directions, points, 0.0, pixels, facing)

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
        scene, day = self.scene, self.day
        material = scene.attribute("material")[hits.triangle]
        own = scene.in_own_frame(points, hits.triangle, dt_s)
        rgb, wetness, focal_px = scene.attribute("rgb"), np.float32(self.wetness), self.optics.focal_px
        out, gloss = paint(material, rgb, hits.triangle, own, hits.normal, directions, hits.range_m, wetness, focal_px)
        glow = self._glow(hits, directions, points, material, out)
        if facing is None and pixels is None:  # a mirror's pictures are dim and small: shade is not worth its rays
            facing = np.einsum("ij,j->i", hits.normal, day.sun)
        elif facing is None:
            facing = light.sunlit(scene, points, hits.normal, material, day, dt_s)
        out *= self._light(hits, points, facing, material, pixels)
        out *= np.float32(1 / np.pi)
        for where, luminance in glow:
            out[where] += luminance
        if pixels is not None:
            self._mirror(out, gloss, hits, points, directions, dt_s)
        _through_air(out, hits.range_m, day.air, day.extinction_per_m)
        missed = np.flatnonzero(hits.triangle < 0)
        out[missed] = sky.radiance(directions[missed], *day)
        return out

    def _glow(
        self, hits: Hits, directions: np.ndarray, points: np.ndarray, material: np.ndarray, colour: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Own light of what was hit: indices [K] and luminance float32 [K,3] (cd/m²) of lamps; by night of windows, and
        of signs in the light of one's own lamps."""
        seen = hits.triangle >= 0
        lamp = np.flatnonzero(seen & (material == LAMP))
        found = [(lamp, self.scene.attribute("rgb")[hits.triangle[lamp]] * LUMINANCE)]
        if self.day.sky_lux[1] < _LAMPS_MATTER_LUX:
            pane = np.flatnonzero(seen & (material == GLASS))
            found.append((pane, window_light(self.scene, hits.triangle[pane])))
            sheet = np.flatnonzero(seen & (material == RETRO))
            lux = light.lamplight((points[sheet] - self.eye).astype(np.float32), -directions[sheet], self.headlamps)
            found.append((sheet, _RETRO_CD_PER_LUX_M2 * lux * colour[sheet]))
        return found

    def _light(
        self, hits: Hits, points: np.ndarray, facing: np.ndarray, material: np.ndarray, pixels: _Places | None
    ) -> np.ndarray:
        day = self.day
        if pixels is None or self.openness is None:
            open_share = np.full(len(points), _MIRRORED_OPEN)
        else:
            sky_seen = self.openness
            places = (sky_seen.grid, sky_seen.points, sky_seen.normals, *pixels)
            seen = (points, self.eye, hits.normal, hits.range_m)
            open_share = light.open_at(*places, *seen, self.optics.focal_px)
        lux = light.irradiance(hits.normal, facing, open_share, material, day.sun_lux, day.sky_lux, day.sun[2])
        if day.sky_lux[1] < _LAMPS_MATTER_LUX:
            near = (points - self.eye).astype(np.float32)
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
        if not np.isfinite(range_m[n]):
            continue
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
