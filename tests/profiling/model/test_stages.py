"""What surrounds an inference is what the pipeline's nodes do, label for label."""

import re

import msgspec
import numpy as np
import pytest

from errors import UserError
from inference.auto import open_session
from inference.manifest import load_manifest
from nodes.projection import Projection
from nodes.segmentation import Segmentation
from pipeline.messages import LidarScan
from profiling.model.stages import GraphAlone, items_for, stages_of
from profiling.model.worker import load_items, save_items
from tests.support.labelled_drives import make_recording
from tests.support.tiny_models import make_tiny_segmenter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_tiny_segmenter(tmp_path_factory.mktemp("model"), 32, 128)


def test_the_labels_are_those_of_the_nodes(folder, tmp_path):
    manifest = load_manifest(folder)
    stages, items = stages_of(folder, manifest), items_for(manifest, make_recording(tmp_path / "00"), 5)
    sensor = manifest.sensor
    projection = Projection(sensor.height, sensor.width, sensor.fov_up_deg, sensor.fov_down_deg)
    node = Segmentation(str(folder), backend="onnxruntime", threads=1)
    for part in (projection, node):
        part.open()
    with open_session(folder, backend="onnxruntime", threads=1) as session:
        for item in items.arrays:
            inputs, context = stages.before(item)
            kept = stages.copy(session.infer(inputs))
            session.infer({name: np.zeros_like(array) for name, array in inputs.items()})  # what was kept must last
            expected = node.process(projection.process(LidarScan(points=item["points"]))).labels
            np.testing.assert_array_equal(stages.after(kept, context), expected)
    node.close()
    assert len(items.arrays) == 2


def test_what_is_made_up_is_a_whole_scan_and_always_the_same(folder):
    manifest = load_manifest(folder)
    first, second = (items_for(manifest, None, 9) for _ in range(2))
    assert first.about == second.about
    assert first.about.startswith("1 made up, sha256 ")
    points = first.arrays[0]["points"]
    assert points.shape == (64 * 2048, 4)
    assert points.dtype == np.float32
    assert np.isfinite(points).all()


def test_other_data_has_another_name(folder, tmp_path):
    manifest = load_manifest(folder)
    about = [items_for(manifest, make_recording(tmp_path / str(seed), seed=seed), 9).about for seed in range(2)]
    assert about[0] != about[1]
    assert about[0].startswith("2 of recordings, sha256 ")


def test_items_are_evenly_spread(folder, tmp_path):
    data = make_recording(tmp_path / "00", scans=6, points=20)
    picked = items_for(load_manifest(folder), data, 3).arrays
    expected = [np.fromfile(data / "velodyne" / f"{i:06d}.bin", "<f4").reshape(-1, 4) for i in (0, 2, 4)]
    for item, points in zip(picked, expected, strict=True):
        np.testing.assert_array_equal(item["points"], points)


def test_a_model_of_another_kind_has_its_graph_alone(folder, tmp_path):
    manifest = msgspec.structs.replace(load_manifest(folder), sensor=None, model="", family="doubler")
    assert isinstance(stages_of(folder, manifest), GraphAlone)
    items = items_for(manifest, None, 9)
    assert {name: array.shape for name, array in items.arrays[0].items()} == {"range_image": (1, 5, 32, 128)}
    with pytest.raises(UserError, match=re.escape(f"--data {tmp_path}: how a doubler model reads recordings")):
        items_for(manifest, tmp_path, 9)


def test_items_reach_another_process_as_they_are(tmp_path):
    items = [{"a": np.arange(3), "b/c": np.ones((2, 2), np.float32)}, {"a": np.zeros(0), "b/c": np.eye(3)}]
    save_items(tmp_path / "items.npz", items)
    loaded = load_items(tmp_path / "items.npz")
    assert [list(item) for item in loaded] == [["a", "b/c"]] * 2
    for item, expected in zip(loaded, items, strict=True):
        for name, array in expected.items():
            np.testing.assert_array_equal(item[name], array)
