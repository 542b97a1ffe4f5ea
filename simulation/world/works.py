"""A construction site beside the carriageway: barriers, cones, a pit, spoil and a container."""

from __future__ import annotations

import numpy as np

from simulation.shapes import objects
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, frustum
from simulation.world.relief import KERB_M
from simulation.world.site import Site, Trade

_SPOIL = Look(99, Material.GRAVEL, (0.42, 0.34, 0.25))


def set_up_works(site: Site) -> None:
    """Stand it on the parking strip, or behind the sidewalk where there is none."""
    works, rng = site.layout.works, site.rng(Trade.WORKS)
    if works is None:
        return
    flank = site.flanks[0] if works.sign > 0 else site.flanks[1]
    on_strip = flank.side.parking_m > 0.0
    near, far = (flank.road, flank.kerb) if on_strip else (flank.front, flank.front + 2.4)
    z, inner = (0.0 if on_strip else KERB_M), near
    middle = works.sign * (near + far) / 2
    for s in np.arange(works.from_s + 0.7, works.to_s - 0.6, 1.4):
        site.stand(objects.barrier(1.3), s, works.sign * (near + 0.2), z=z, inner_m=inner)
    for s in (works.from_s, works.to_s):
        site.stand(objects.barrier(far - near - 0.5), s, middle, yaw=np.pi / 2, z=z, inner_m=inner)
    heap = rng.uniform(1.2, 2.5)
    s = works.from_s + 0.3 * (works.to_s - works.from_s)
    site.stand(_heap(heap, min(far - near - 0.9, 1.4)), s, middle, z=z, inner_m=inner)
    site.stand(_container(far - near - 0.7), works.to_s - 3.0, middle, z=z, inner_m=inner)
    for k in range(int(rng.integers(3, 6))):  # cones lead up to it
        site.stand(
            objects.cone(), works.from_s - 0.8 - 1.5 * k, works.sign * (near + 0.3 + 0.12 * k), z=z, inner_m=inner
        )


def _heap(length: float, width: float) -> Mesh:
    half, side = length / 2, width / 2
    return frustum((-half, half, -side, side), (-0.3 * half, 0.3 * half, -0.3 * side, 0.3 * side), (0.0, 0.9), _SPOIL)


def _container(width: float) -> Mesh:
    """A skip."""
    paint = Look(99, Material.METAL, (0.65, 0.5, 0.12))
    side = min(width, 1.7) / 2
    return frustum((-1.2, 1.2, -side, side), (-1.7, 1.7, -side, side), (0.1, 1.3), paint)
