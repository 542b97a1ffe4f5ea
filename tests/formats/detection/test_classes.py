"""Classes of several data sets brought to common ones."""

from pathlib import Path

import numpy as np
import pytest

from errors import UserError
from formats.detection.classes import load_classes, with_classes
from formats.detection.dataset import Annotation, DetectionSet, make_picture

NAMES = ("car", "van", "bicycle", "dog")


def data_with_one_of_each() -> DetectionSet:
    things = [Annotation((k, 0, k + 1, 1 + k), k, "", ignored=k == 1) for k in range(4)]
    return DetectionSet((make_picture(Path("a.png"), (9, 9), things, 0, None),), NAMES, (1, 2, 3, 4))


def test_names_are_taken_together_ignored_or_background() -> None:
    found = with_classes(
        data_with_one_of_each(), {"person": ["pedestrian"], "car": ["car", "van"], "ignored": ["bicycle"]}
    )
    (picture,) = found.pictures
    assert found.class_names == ("person", "car")
    assert picture.labels.tolist() == [1, 1, 0, 1]  # car, van, the bicycle as a region of both classes
    assert picture.ignored.tolist() == [False, True, True, True]
    np.testing.assert_array_equal(picture.boxes[:, 0], [0, 1, 2, 2])
    np.testing.assert_array_equal(picture.areas, [1, 2, 3, 3])
    assert found.notes == ("in no class of the table, so background: dog",)


def test_the_shipped_table_covers_every_kind_of_a_simulated_drive_and_of_kitti() -> None:
    from formats.detection.tracked_drives import KINDS, KITTI_KINDS

    names = {name for names in load_classes("road-users").values() for name in names}
    assert names >= {*KINDS, *KITTI_KINDS}


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such table of classes"):
        load_classes("nowhere")
    path = tmp_path / "table.yaml"
    for text, message in (("car: van", "not a table"), ("a: [x]\nb: [x]", "x is in two lines"), ("a: [", "cannot be")):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            load_classes(str(path))
    with pytest.raises(UserError, match="no class of the data"):
        with_classes(data_with_one_of_each(), {"tree": ["oak"]})
