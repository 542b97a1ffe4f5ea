"""Label table and ``.label`` files, against what the benchmark publishes and a slow reference."""

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from errors import UserError
from formats.labels import SEMANTIC_KITTI, load_label_table, read_labels, write_labels


@pytest.fixture(scope="module")
def published() -> dict:
    return yaml.safe_load(SEMANTIC_KITTI.read_text())


def test_twenty_classes_with_the_names_and_colours_of_the_benchmark():
    table = load_label_table()
    assert len(table.names) == len(table.colors_rgb) == len(table.frequencies) == len(table.ignored) == 20
    assert (table.names[0], table.names[1], table.names[9], table.names[19]) == (
        "unlabeled",
        "car",
        "road",
        "traffic-sign",
    )
    assert table.colors_rgb[1] == (100, 150, 245)  # a car is light blue
    assert table.colors_rgb[9] == (255, 0, 255)  # the road magenta
    assert table.colors_rgb[19] == (255, 0, 0)  # a traffic sign red
    assert table.raw_colors_rgb[252] == (100, 150, 245)
    assert table.ignored == (True,) + (False,) * 19
    assert table.splits["valid"] == (8,)
    assert sorted(sum(table.splits.values(), ())) == list(range(22))


def test_every_raw_id_maps_as_published(published):
    table = load_label_table()
    for raw, train in published["learning_map"].items():
        assert table.to_train(np.array([raw]))[0] == train
    assert table.to_train(np.array([252, 10], np.uint16)).tolist() == [1, 1]
    assert table.to_train(np.zeros((2, 3), np.uint32)).shape == (2, 3)
    assert table.to_train(np.zeros(0, np.uint16)).dtype == np.uint8


def test_a_class_survives_the_way_to_raw_and_back():
    table = load_label_table()
    classes = np.arange(20, dtype=np.uint8)
    assert table.to_train(table.to_raw(classes)).tolist() == classes.tolist()
    assert table.to_raw(classes).dtype == np.uint16


def test_frequencies_are_the_sums_of_the_published_shares(published):
    table = load_label_table()
    for train in range(20):
        raws = [raw for raw, to in published["learning_map"].items() if to == train]
        assert table.frequencies[train] == pytest.approx(sum(published["content"][raw] for raw in raws))
    assert sum(table.frequencies) == pytest.approx(1.0, abs=1e-5)  # the published shares are rounded


@pytest.mark.parametrize("wrong", [7, 260, 65535, 65536, -1])
def test_an_id_outside_the_table_is_named(wrong):
    with pytest.raises(UserError, match=f"raw label {wrong} is not in the label table"):
        load_label_table().to_train(np.array([10, wrong]))


@pytest.mark.parametrize("wrong", [20, -1])
def test_a_class_outside_the_table_is_named(wrong):
    with pytest.raises(UserError, match=f"training class {wrong} is not in the label table"):
        load_label_table().to_raw(np.array([0, wrong]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels: {0: a", "cannot be read as a label table"),
        ("just text", "not a label table"),
        ("labels: {0: a}", "missing"),
        ("", "not a label table"),
    ],
)
def test_a_bad_table_is_one_line(tmp_path, text, message):
    path = tmp_path / "table.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_label_table(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("section", "entry", "message"),
    [
        ("learning_map", {10: 20}, "leads to class 20"),
        ("learning_map", {7: 1}, "id 7"),
        ("color_map", {10: [1, 2]}, "not a label table"),
    ],
)
def test_sections_that_do_not_fit_each_other(tmp_path, published, section, entry, message):
    path = tmp_path / "table.yaml"
    path.write_text(yaml.safe_dump(published | {section: published[section] | entry}))
    with pytest.raises(UserError, match=message):
        load_label_table(path)


def test_no_such_table(tmp_path):
    with pytest.raises(UserError, match="no such label table"):
        load_label_table(tmp_path / "absent.yaml")


@settings(deadline=None, max_examples=50)
@given(
    pair=st.integers(0, 200).flatmap(lambda n: st.tuples(hnp.arrays(np.uint16, n), hnp.arrays(np.uint16, n))),
)
def test_labels_are_read_as_they_were_written(tmp_path_factory, pair):
    path = tmp_path_factory.mktemp("labels") / "000000.label"
    write_labels(path, *pair)
    semantic, instance = read_labels(path, len(pair[0]))
    assert np.array_equal(semantic, pair[0])
    assert np.array_equal(instance, pair[1])
    assert path.read_bytes() == b"".join(
        int(s).to_bytes(2, "little") + int(i).to_bytes(2, "little") for s, i in zip(*pair, strict=True)
    )
    assert [entry.name for entry in path.parent.iterdir()] == ["000000.label"]


@pytest.mark.parametrize(
    ("ids", "instances"), [([1.0], None), ([-1], None), ([65536], None), ([1], [1, 2]), ([[1]], None), ([1], [70000])]
)
def test_what_is_not_a_label_is_refused(tmp_path, ids, instances):
    with pytest.raises(ValueError, match=r"."):
        write_labels(tmp_path / "a.label", np.array(ids), None if instances is None else np.array(instances))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        write_labels(tmp_path / "absent" / "a.label", np.array([1]))


def test_a_damaged_label_file_is_refused(tmp_path):
    path = tmp_path / "000000.label"
    path.write_bytes(bytes(10))
    with pytest.raises(UserError, match="10 bytes is not a whole number"):
        read_labels(path)
    path.write_bytes(bytes(8))
    with pytest.raises(UserError, match="2 labels for a scan of 3 points"):
        read_labels(path, 3)
    with pytest.raises(UserError, match="cannot be read"):
        read_labels(tmp_path / "absent.label")


def test_real_labels_are_all_in_the_table(shared_data):
    table = load_label_table()
    for path in sorted((shared_data / "semantickitti" / "sequences").glob("*/labels/*.label")):
        scan = path.parent.parent / "velodyne" / f"{path.stem}.bin"
        raw, instances = read_labels(path, scan.stat().st_size // 16)
        train = table.to_train(raw)
        assert train.max() <= 19
        assert (train == 9).mean() > 0.05, "a street without road"
        # Only things have instances; SemanticKITTI numbers no surface.
        assert not instances[train >= 9].any()
