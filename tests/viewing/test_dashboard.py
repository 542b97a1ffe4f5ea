"""The dashboard: panels that do not overlap, and pictures of real scans."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.labels import load_label_table, read_labels
from tests.kitti_drive import kitti_frame
from viewing.dashboard import Actions, RangeStrips, Scene, dashboard, layout
from viewing.style import BACKGROUND, palette
from viewing.timeline import Stretch


def panels(plan):
    return [
        r
        for r in (
            *(plan.header, plan.camera, *(plan.strips or ()), plan.birds_eye),
            *(plan.classes, plan.objects, plan.timeline),
        )
        if r
    ]


@given(
    width=st.integers(640, 3840),
    aspect=st.none() | st.floats(0.4, 4.5),
    has_range_image=st.booleans(),
    has_objects=st.booleans(),
    has_actions=st.booleans(),
)
def test_panels_lie_in_the_canvas_and_apart(width, aspect, has_range_image, has_objects, has_actions):
    plan = layout(width, aspect, has_range_image=has_range_image, has_objects=has_objects, has_actions=has_actions)
    assert plan.width % 2 == plan.height % 2 == 0
    taken = np.zeros((plan.height, plan.width), np.uint8)
    for left, top, w, h in panels(plan):
        assert min(w, h) > 0
        assert left >= 0
        assert top >= 0
        assert left + w <= plan.width
        assert top + h <= plan.height
        taken[top : top + h, left : left + w] += 1
    assert taken.max() == 1
    assert (plan.camera is None) == (aspect is None)
    if aspect is not None:
        assert abs(plan.camera[2] / plan.camera[3] / aspect - 1) < 0.02


@settings(max_examples=12, deadline=None)
@given(
    count=st.sampled_from([0, 1, 300]),
    has_image=st.booleans(),
    has_classes=st.booleans(),
    has_strips=st.booleans(),
    has_camera=st.booleans(),
)
def test_any_combination_of_what_is_there_can_be_drawn(count, has_image, has_classes, has_strips, has_camera):
    rng = np.random.default_rng(count)
    points = rng.normal(0, 10, (count, 4)).astype(np.float32)
    scene = Scene(
        points=points,
        labels=rng.integers(0, 2, count).astype(np.uint8) * has_classes,
        class_names=("unlabelled", "car") if has_classes else (),
        class_colors=((0, 0, 0), (100, 150, 245)) if has_classes else (),
        image=np.full((60, 80, 3), 128, np.uint8) if has_image and has_camera else None,
        camera_aspect=80 / 60 if has_camera else None,
        pixels=rng.uniform(0, 60, (count, 2)).astype(np.float32) if has_image else None,
        range_strips=RangeStrips(
            np.full((4, 8), 5, np.float32), np.zeros(count, np.int32), np.full(count, 5, np.float32)
        )
        if has_strips
        else None,
        actions=Actions((Stretch(1.0, 4.0, 0.8, True), Stretch(2.0, 9.0, 0.3, False)), 9.5, 30.0),
        status="000001",
        warning="semantics: did not come in time " * 10,
        measured="latency 80 ms",
    )
    picture = dashboard(scene, 640)
    assert picture.shape == (360, 640, 3)
    assert picture.dtype == np.uint8
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10


def test_a_true_labelled_scan_shows_its_classes_in_their_colours(shared_data):
    folder = shared_data / "semantickitti" / "sequences" / "04"
    points = np.fromfile(folder / "velodyne" / "000000.bin", np.float32).reshape(-1, 4)
    table = load_label_table()
    labels = table.to_train(read_labels(folder / "labels" / "000000.label")[0])
    picture = dashboard(
        Scene(points=points, labels=labels, class_names=table.names, class_colors=table.colors_rgb), 1600
    )
    plan = layout(1600, None, has_range_image=False, has_objects=False)
    left, top, w, h = plan.birds_eye
    eye = picture[top : top + h, left : left + w].reshape(-1, 3)
    counts = np.bincount(labels, minlength=20)
    for label in np.argsort(-counts)[:3]:
        color = palette(table.colors_rgb)[label]
        assert (np.abs(eye.astype(int) - color).sum(axis=1) < 30).sum() > 200, table.names[label]


def test_the_camera_panel_shows_the_real_image(shared_data):
    points, image, _ = kitti_frame(shared_data, 0)
    scene = Scene(points=points, labels=np.zeros(len(points), np.uint8), image=image, camera_aspect=1242 / 375)
    picture = dashboard(scene, 1600)
    left, top, w, h = layout(1600, 1242 / 375, has_range_image=False, has_objects=False).camera
    panel = picture[top : top + h, left : left + w]
    np.testing.assert_allclose(panel.reshape(-1, 3).mean(0), image.reshape(-1, 3).mean(0), atol=2)
    assert tuple(picture[-1, 0]) == BACKGROUND
