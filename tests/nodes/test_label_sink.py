"""One .label file per scan, as long as the scan, with SemanticKITTI's raw ids."""

import numpy as np
import pytest

from errors import UserError
from formats.labels import load_label_table, read_labels
from nodes.label_sink import LabelSink
from pipeline.messages import FusedFrame, Header

TABLE = load_label_table()


def frame(labels, names=TABLE.names, name="000003", seq=3):
    labels = np.asarray(labels, np.uint8)
    return FusedFrame(
        header=Header(name=name, seq=seq),
        points=np.zeros((len(labels), 4), np.float32),
        labels=labels,
        class_names=names,
    )


@pytest.fixture
def sink(tmp_path):
    sink = LabelSink(str(tmp_path / "run" / "labels"))
    LabelSink.check(str(tmp_path / "run" / "labels"))
    sink.open()
    return sink


def test_labels_come_back_as_raw_ids(sink):
    labels = np.random.default_rng(0).integers(0, 20, 1000)
    sink.process(frame(labels))
    raw, instances = read_labels(sink.out / "000003.label", 1000)
    np.testing.assert_array_equal(TABLE.to_train(raw), labels)
    assert not instances.any()
    assert [p.name for p in sink.out.iterdir()] == ["000003.label"]


def test_classes_are_matched_by_name_not_by_index(sink):
    sink.process(frame([0, 1, 2], names=("unlabelled", "road", "moving-car")))
    assert read_labels(sink.out / "000003.label")[0].tolist() == [0, 40, 252]


def test_a_class_the_table_lacks_is_named(sink):
    with pytest.raises(UserError, match="'spaceship'"):
        sink.process(frame([0, 1], names=("unlabelled", "spaceship")))
    assert list(sink.out.iterdir()) == []


def test_a_label_beyond_the_class_names_is_refused(sink):
    with pytest.raises(ValueError, match="label 7 is out of range"):
        sink.process(frame([0, 7], names=("unlabelled", "car")))


def test_scans_without_semantics_are_written_counted_and_told_once(sink, caplog):
    for seq in range(3):
        sink.process(frame([0, 0], names=(), name=f"{seq:06d}", seq=seq))
    assert [read_labels(p, 2)[0].tolist() for p in sorted(sink.out.iterdir())] == [[0, 0]] * 3
    assert sink.counters["scans_without_semantics"] == 3
    assert len(caplog.records) == 1


def test_an_empty_scan_gives_an_empty_file_and_a_nameless_one_its_number(sink):
    sink.process(frame([], name=""))
    assert (sink.out / "000003.label").read_bytes() == b""


def test_a_name_that_is_a_path_is_refused(sink):
    with pytest.raises(ValueError, match="not a file name"):
        sink.process(frame([0], name="../evil"))


@pytest.mark.parametrize("out", ["file/labels", "file"])
def test_check_refuses_an_output_that_cannot_be_made(tmp_path, out):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        LabelSink.check(str(tmp_path / out))


def test_check_refuses_proc_even_for_root_and_leaves_nothing_behind(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        LabelSink.check("/proc/rangecast")
    LabelSink.check(str(tmp_path / "new" / "labels"))
    assert list(tmp_path.iterdir()) == []


def test_check_reads_the_table(tmp_path):
    with pytest.raises(UserError, match="no such label table"):
        LabelSink.check(str(tmp_path), labels=str(tmp_path / "none.yaml"))
