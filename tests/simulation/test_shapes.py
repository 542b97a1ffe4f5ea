"""Meshes, and what is built of them: closed, of real sizes, on the ground, the same individual in every state."""

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.actors import LABELS, Kind
from simulation.scene import Solid
from simulation.shapes import buildings, facade, furniture, objects, people, plants
from simulation.shapes.catalogue import draw_model
from simulation.shapes.materials import Material
from simulation.shapes.mesh import Look, Mesh, box, frustum, hoop, join, loft, plates, surface, tube
from simulation.shapes.state import State

LOOK = Look(40, Material.ASPHALT, (0.5, 0.5, 0.5))
KINDS = get_args(Kind)
VEHICLES = ("car", "van", "truck", "bus", "motorcycle", "motorcyclist")


def open_edges(mesh: Mesh) -> int:
    """Edges that do not belong to exactly two triangles; vertices at one place are one."""
    _, index = np.unique(np.round(mesh.vertices, 6), axis=0, return_inverse=True)
    triangles = index.reshape(-1)[mesh.triangles]
    edges = np.sort(np.concatenate([triangles[:, [i, j]] for i, j in ((0, 1), (1, 2), (2, 0))]), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    return int((counts % 2 == 1).sum())


def volume(mesh: Mesh) -> float:
    """By the divergence theorem: positive where triangles face outwards."""
    a, b, c = np.moveaxis(mesh.vertices[mesh.triangles], 1, 0)
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def rings(radii: tuple[float, ...]) -> np.ndarray:
    angle = np.arange(8) * (2 * np.pi / 8)
    return np.stack(
        [np.stack([np.full(8, 1.5 * x), r * np.cos(angle), r * np.sin(angle)], 1) for x, r in enumerate(radii)]
    )


@pytest.mark.parametrize(
    ("solid", "contents"),
    [
        (box((2, 3, 4), (1, 2, 3), LOOK), 24.0),
        (frustum((-1, 1, -2, 2), (-0.5, 0.5, -1, 1), (0, 2), LOOK), 2 / 3 * (8 + 2 + 4)),
        (tube((0, 0, 0), (1, 2, 2), (0.5, 0.5), LOOK), 3 * 0.25 * 8 * math.sin(math.pi / 4) / 2),
        (hoop((0, 0, 1), (0.3, 0.35), 0.04, LOOK), None),
        (loft(rings((1.0, 1.0)), [LOOK]), 1.5 * 8 * math.sin(math.pi / 4) / 2),
        (loft(rings((0.5, 1.0, 0.8)), [LOOK, LOOK], np.eye(2, 8, dtype=int)), None),
    ],
)
def test_solids_are_closed_and_hold_their_volume(solid: Mesh, contents: float | None) -> None:
    assert open_edges(solid) == 0
    if contents is not None:
        assert volume(solid) == pytest.approx(contents, rel=1e-9)


def test_panels_of_a_loft_have_the_looks_they_were_given() -> None:
    glass = Look(10, Material.GLASS, (0.1, 0.1, 0.1))
    which = np.zeros((2, 8), int)
    which[1, 3] = 1
    skin = loft(rings((1.0, 1.0, 1.0)), [LOOK, glass], which)
    panes = skin.vertices[skin.triangles[skin.material == Material.GLASS]]
    assert len(panes) == 2
    assert panes[..., 0].min() == pytest.approx(1.5)
    angle = np.unwrap(np.arctan2(panes[..., 2], panes[..., 1]).ravel())
    assert (angle.min(), angle.max()) == pytest.approx((3 * np.pi / 4, np.pi))
    assert set(skin.label[skin.material == Material.GLASS]) == {10}


def test_joined_meshes_keep_shapes_and_owners() -> None:
    parts = [box((1, 1, 1), (0, 0, 0), LOOK).owned(5, 6), box((2, 2, 2), (9, 0, 0), LOOK).placed(0, 1, 0, 0.3).owned(7)]
    both = join(parts)
    np.testing.assert_array_equal(
        both.vertices[both.triangles], np.concatenate([p.vertices[p.triangles] for p in parts])
    )
    assert both.object_id.tolist() == [5] * 12 + [7] * 12
    assert both.instance.tolist() == [6] * 12 + [0] * 12
    assert len(join([]).triangles) == 0


def area(mesh: Mesh) -> float:
    a, b, c = np.moveaxis(mesh.vertices[mesh.triangles], 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def test_flat_pieces_have_their_area() -> None:
    square = np.array([[0, 0, 0], [2, 0, 0], [2, 0, 3], [0, 0, 3]], float)
    assert area(plates(np.stack([square, square + 9]), LOOK)) == pytest.approx(12.0)
    grid = np.stack(np.meshgrid(np.arange(4.0), np.arange(3.0), [0.0]), -1).reshape(3, 4, 3)
    assert area(surface(grid, [LOOK] * 3)) == pytest.approx(6.0)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**9), kind=st.sampled_from(KINDS), phase=st.floats(0, 1))
def test_an_individual_is_the_same_in_every_state(seed: int, kind: Kind, phase: float) -> None:
    """The same triangles in the same order; nothing but limbs, lamps and the label differs."""
    model = draw_model(kind, np.random.default_rng(seed))
    rest = model.mesh(moving=False)
    busy = model.mesh(moving=True, phase=phase, braking=True, indicating="left", lights=True)
    np.testing.assert_array_equal(rest.triangles, busy.triangles)
    assert set(rest.label) == {LABELS[kind][0]}
    assert set(busy.label) == {LABELS[kind][1]}
    changed = (rest.rgb != busy.rgb).any(1) | (rest.material != busy.material)
    assert (busy.material[changed] == Material.LAMP).all()
    assert Material.LAMP not in rest.material
    if kind not in ("pedestrian", "cyclist", "bicycle"):
        np.testing.assert_array_equal(rest.vertices, busy.vertices)
    again = model.mesh(moving=True, phase=phase, braking=True, indicating="left", lights=True)
    for name in ("vertices", "triangles", "rgb", "material"):
        assert getattr(busy, name).tobytes() == getattr(again, name).tobytes()


@pytest.mark.parametrize("kind", VEHICLES)
def test_lamps_shine_where_they_belong(kind: Kind) -> None:
    """Brake lamps at the rear, head lamps ahead, the indicators of one side on that side."""
    model = draw_model(kind, np.random.default_rng(4))
    plain = model.mesh(moving=True)

    def lit(**state: object) -> np.ndarray:
        mesh = model.mesh(moving=True, **state)
        return mesh.vertices[mesh.triangles[(mesh.material == Material.LAMP)]].mean(1)

    front, rear = plain.vertices[:, 0].max(), plain.vertices[:, 0].min()
    assert (lit(braking=True)[:, 0] < rear + 0.25).all()
    assert (lit(lights=True)[:, 0] > front - 0.7).any()
    for side, name in ((1, "left"), (-1, "right")):
        lamps = lit(indicating=name)
        assert (side * lamps[:, 1] > 0.1).all()
        assert lamps[:, 0].max() > 0.4 * front
        assert lamps[:, 0].min() < 0.4 * rear
    assert len(lit()) == 0


SIZES: dict[Kind, tuple[tuple[float, float], ...]] = {  # length, width, height: least and greatest
    "car": ((3.3, 4.9), (1.5, 2.0), (1.3, 1.85)),
    "van": ((4.0, 6.3), (1.75, 2.25), (1.7, 2.7)),
    "truck": ((5.8, 14.5), (2.3, 2.8), (2.2, 4.1)),
    "bus": ((10.3, 12.9), (2.5, 2.9), (2.8, 3.8)),
    "trailer": ((2.7, 6.2), (1.5, 2.6), (0.7, 2.9)),
    "bicycle": ((1.6, 1.9), (0.5, 0.7), (0.9, 1.2)),
    "motorcycle": ((1.6, 2.2), (0.6, 0.9), (1.0, 1.4)),
    "pedestrian": ((0.15, 1.0), (0.3, 0.8), (0.95, 2.0)),
    "cyclist": ((1.6, 1.9), (0.5, 1.0), (1.5, 2.1)),
    "motorcyclist": ((1.6, 2.2), (0.6, 1.0), (1.4, 2.0)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_real_and_feet_are_on_the_ground(kind: Kind) -> None:
    for seed in range(25):
        mesh = draw_model(kind, np.random.default_rng(seed)).mesh(moving=False)
        low, high = mesh.vertices.min(0), mesh.vertices.max(0)
        for extent, (least, most) in zip(high - low, SIZES[kind], strict=True):
            assert least < extent < most, seed
        assert -0.02 <= low[2] < 0.03
        assert np.abs((low + high)[:2] / 2).max() < 0.1
        assert open_edges(mesh) == 0
        assert len(mesh.triangles) < 2000


def test_cars_have_the_sizes_of_kittis_cars() -> None:
    """Mean 3.88 m x 1.63 m x 1.53 m in KITTI's labels; ours have mirrors."""
    sizes = [np.ptp(draw_model("car", np.random.default_rng(k)).mesh(moving=False).vertices, 0) for k in range(200)]
    length, width, height = np.mean(sizes, 0)
    assert length == pytest.approx(3.95, abs=0.12)
    assert width == pytest.approx(1.72, abs=0.06)
    assert height == pytest.approx(1.51, abs=0.05)
    assert np.std(sizes, 0)[0] > 0.25


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_planted_foot_stays_on_its_spot(seed: int) -> None:
    """While a foot carries, it moves back under the body exactly as fast as the body goes on."""
    model = draw_model("pedestrian", np.random.default_rng(seed))
    rest = model.mesh(moving=True)
    shoe = np.arange(2 * 16, 2 * 16 + 14)  # the left leg comes first: thigh and shin have 16 vertices each
    assert rest.vertices[shoe, 2].max() < 0.2
    phases = np.linspace(-0.10, 0.10, 9)
    places = [
        model.mesh(moving=True, phase=phase % 1.0).vertices[shoe, 0].mean() + phase * model.cycle_m for phase in phases
    ]
    assert np.ptp(places) < 0.02
    assert model.cycle_m == pytest.approx(2 * 0.41 * rest.vertices[:, 2].max(), rel=0.05)


def test_a_walk_is_smooth_and_comes_round() -> None:
    model = draw_model("pedestrian", np.random.default_rng(3))
    steps = np.stack([model.mesh(moving=True, phase=p).vertices for p in np.linspace(0, 1, 61)])
    np.testing.assert_allclose(steps[0], steps[-1], atol=1e-9)
    assert np.abs(np.diff(steps, axis=0)).max() < 0.09
    assert steps[:, :, 2].min() > -0.02


@pytest.mark.parametrize("height", [4.0, 7.0, 12.0])
@pytest.mark.parametrize("pruned", [False, True])
def test_trees_have_their_height_and_let_part_of_a_beam_through(height: float, pruned: bool) -> None:
    passed = []
    for seed in range(8):
        tree = plants.tree(np.random.default_rng(seed), height, pruned)
        assert len(tree.triangles) <= 900
        assert 0.75 * height < tree.vertices[:, 2].max() < 1.15 * height
        assert set(tree.label) == {70, 71}
        trunk = tree.vertices[tree.triangles[tree.label == 71]]
        assert trunk[..., 2].min() < 0.0
        crown = tree.triangles[tree.material == Material.FOLIAGE]
        middle, spread = tree.vertices[crown].mean((0, 1)), tree.vertices[crown].std((0, 1))
        if pruned:
            assert tree.vertices[crown][..., 2].min() > 1.6
        aim = np.random.default_rng(1).uniform(-1, 1, (400, 2)) * spread[1:] * 1.3 + middle[1:]
        rays = np.column_stack([np.full(400, -30.0), aim, np.tile([1.0, 0.0, 0.0], (400, 1))]).astype(np.float32)
        range_m, _, _ = Solid(tree).cast(rays)
        hit = np.isfinite(range_m)
        assert range_m[hit].std() > 0.4 * spread[0], seed  # from inside the crown, not from its face
        passed.append(1 - hit.mean())
    assert 0.01 < np.mean(passed) < 0.45


def test_a_hedge_hides_what_is_behind_it_but_its_face_is_rough() -> None:
    hedge = plants.hedge(np.random.default_rng(0), 10.0, 1.6)
    x, z = np.random.default_rng(1).uniform((-4.5, 0.2), (4.5, 1.3), (500, 2)).T
    rays = np.column_stack([x, np.full(500, -9.0), z, np.tile([0.0, 1.0, 0.0], (500, 1))]).astype(np.float32)
    range_m, _, _ = Solid(hedge).cast(rays)
    assert np.isfinite(range_m).all()
    assert 0.03 < range_m.std() < 0.3


def test_panes_lie_behind_the_face_of_a_wall() -> None:
    """The wall with its openings covers its rectangle once: seen squarely, nothing is behind it but panes."""
    rng = np.random.default_rng(5)
    front = facade.draw_windows(rng, 12.0, 6.2, 2, door=True, shop=False)
    trim = Look(50, Material.PLASTER, (0.9, 0.9, 0.9))
    mesh = facade.wall(front, Look(50, Material.BRICK, (0.5, 0.3, 0.2)), trim, 1.0)
    x, z = np.random.default_rng(1).uniform((-6, -1), (6, 6.2), (4000, 2)).T
    rays = np.column_stack([x, np.full(4000, -5.0), z, np.tile([0.0, 1.0, 0.0], (4000, 1))]).astype(np.float32)
    range_m, triangle, _ = Solid(mesh).cast(rays)
    assert np.isfinite(range_m).all()
    inside = np.zeros(4000, bool)
    for opening in front.openings:
        inside |= (x > opening.x[0]) & (x < opening.x[1]) & (z > opening.z[0]) & (z < opening.z[1])
    np.testing.assert_allclose(range_m[~inside], 5.0, atol=1e-4)
    assert (range_m[inside] > 5.1).all()
    assert (mesh.material[triangle[inside]] != Material.BRICK).all()
    assert sum(opening.kind == "door" for opening in front.openings) == 1


@pytest.mark.parametrize("flat", [False, True])
def test_houses_keep_to_their_plot(flat: bool) -> None:
    for seed in range(12):
        size = np.random.default_rng(seed).uniform((8, 8, 3), (16, 13, 14))
        house = buildings.house(np.random.default_rng(seed), tuple(size), flat)
        low, high = house.vertices.min(0), house.vertices.max(0)
        assert set(house.label) == {50}
        assert np.abs(house.vertices[:, 0]).max() < size[0] / 2 + 0.6
        assert low[1] > -1.5
        assert high[1] < size[1] + 0.6
        assert low[2] < -0.5
        assert size[2] < high[2] < size[2] + 0.65 * size[1] + 2.5
        assert (house.material == Material.GLASS).any()
        walls = house.vertices[house.triangles[house.material != Material.ROOF]]
        assert walls[..., 1].max() > size[1] - 0.01


@pytest.mark.parametrize("state", get_args(furniture.Signal))
def test_one_lens_of_a_signal_shines(state: furniture.Signal) -> None:
    head = furniture.signal_head(state)
    corners = head.vertices[head.triangles[head.material == Material.LAMP]]
    if state == "off":
        assert len(corners) == 0
    else:
        assert corners[..., 2].mean() == pytest.approx({"red": 0.3, "amber": 0.0, "green": -0.3}[state], abs=0.02)
        assert corners[..., 0].max() < -0.19  # in front: the head faces -x
    assert len(head.triangles) == len(furniture.signal_head("off").triangles)


LABELS_OF = {"sign": {80, 81}, "lamp": {80}, "clutter": {80, 99, 70}}


@pytest.mark.parametrize("name", LABELS_OF)
def test_furniture_stands_on_the_ground(name: str) -> None:
    for seed in range(60):
        thing = getattr(objects, name)(np.random.default_rng(seed))
        assert set(thing.label) <= LABELS_OF[name]
        assert -0.02 <= thing.vertices[:, 2].min() < 0.06
        assert 0.7 < thing.vertices[:, 2].max() < 10.5
        if name == "sign":
            faces = thing.vertices[thing.triangles[(thing.label == 81) & (thing.material == Material.RETRO)]]
            assert faces[..., 0].max() < -0.05  # before the post: it faces -x
            assert faces[..., 2].min() > 1.3
        if name == "lamp":
            assert Material.LAMP in thing.material


@pytest.mark.parametrize(
    ("thing", "size"),
    [
        (furniture.barrier(1.5), (1.5, 0.5, 0.995)),
        (furniture.cone(), (0.38, 0.38, 0.75)),
        (furniture.shelter(), (4.2, 1.4, 2.45)),
    ],
)
def test_roadworks_and_shelters_have_their_size(thing: Mesh, size: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(np.ptp(thing.vertices, 0), size, atol=0.03)
    assert thing.vertices[:, 2].min() == pytest.approx(0.0, abs=1e-9)
    assert open_edges(thing) == 0


def test_a_shed_stands_behind_its_front() -> None:
    for seed in range(10):
        shed = objects.shed(np.random.default_rng(seed))
        assert set(shed.label) == {50}
        assert open_edges(shed) == 0
        assert shed.vertices[:, 1].min() > -0.3
        assert 2.0 < shed.vertices[:, 2].max() < 2.7


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), length=st.floats(0.2, 30.0))
def test_fences_have_the_length_that_was_asked_for(seed: int, length: float) -> None:
    fence = objects.fence(np.random.default_rng(seed), length)
    assert np.isfinite(fence.vertices).all()
    assert set(fence.label) == {51}
    assert np.ptp(fence.vertices[:, 0]) <= max(length, 0.3) + 0.5
    assert np.ptp(fence.vertices[:, 0]) > 0.8 * length - 0.2
    assert 0.7 < fence.vertices[:, 2].max() < 2.5


def test_a_child_is_shorter_than_an_adult() -> None:
    heights = [people.draw_figure(np.random.default_rng(k), State(30)).height_m for k in range(300)]
    assert 0.05 < np.mean(np.array(heights) < 1.5) < 0.2
    adults = [people.draw_figure(np.random.default_rng(k), State(30), adult=True).height_m for k in range(100)]
    assert min(adults) >= 1.5
