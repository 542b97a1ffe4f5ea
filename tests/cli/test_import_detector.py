"""``run.py import detector`` as a user calls it: a foreign ONNX file in, a model folder that runs out, or one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.main import main
from inference.auto import open_session
from inference.detection import describe
from inference.manifest import load_manifest
from models.detection.exported import ExportedDetector
from models.detection.nms import iou
from tests.support.tiny_detector import CELL, CLASS_NAMES, write_tiny_graph

STRIDES = f"strides=[{CELL}]"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    write_tiny_graph(tmp_path / "tiny.onnx")
    (tmp_path / "names.txt").write_text("\n".join(CLASS_NAMES) + "\n")
    return tmp_path


def call(here: Path, *more: str, **changes: str) -> int:
    options = {
        "decoding": "yolox",
        "names": str(here / "names.txt"),
        "channels": "bgr",
        "fit": "stretch",
        "number": STRIDES,
        "out": str(here / "model"),
    } | changes
    given = [word for name, value in options.items() if value for word in (f"--{name}", value)]
    return main(["import", "detector", str(here / "tiny.onnx"), *given, *more])


def refused(here: Path, capsys: pytest.CaptureFixture[str], *more: str, **changes: str) -> str:
    assert call(here, *more, **changes) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert not (here / "model").exists()
    assert sorted(path.name for path in here.iterdir()) == ["names.txt", "tiny.onnx"]
    return line


def test_a_foreign_graph_becomes_a_model_that_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(here, "--trained-on", "nothing", "--score", "0.4", "--most", "7") == 0
    said = capsys.readouterr().out
    assert "yolox, 3 classes, 96x320 px bgr, 0..255 as they are" in said
    assert "ran in onnxruntime and openvino" in said
    manifest = load_manifest(here / "model")
    profile = manifest.detector
    assert profile is not None
    assert (profile.layout, profile.score_threshold, profile.nms_iou, profile.max_detections) == ("nchw", 0.4, 0.5, 7)
    assert manifest.provenance.trained_on == "nothing"
    assert manifest.parity is not None
    assert [(s.backend, s.passed) for s in manifest.parity.stages] == [("onnxruntime", True), ("openvino", True)]
    green = np.zeros((96, 320, 3), np.uint8)
    green[32:64, 64:96, 1] = 255
    with open_session(here / "model", backend="onnxruntime") as session:
        described = describe(here / "model", manifest)
        detector = ExportedDetector(**described.arguments())
        picture, placed = detector.prepare(green)
        found = detector.objects(session.infer({described.input.name: picture}), placed)
    assert found.boxes.tolist() == [[64, 32, 96, 64]]
    assert [CLASS_NAMES[c] for c in found.class_ids] == ["car"]


def test_a_model_that_is_there_is_replaced_only_when_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(here) == 0
    before = (here / "model" / "model.json").read_bytes()
    assert call(here, "--score", "0.9") == 2
    assert "holds an exported model" in capsys.readouterr().err
    assert (here / "model" / "model.json").read_bytes() == before
    assert call(here, "--score", "0.9", "--force") == 0
    assert json.loads((here / "model" / "model.json").read_text())["detector"]["score_threshold"] == 0.9


def test_mean_and_deviation_are_of_one_number_or_three(here: Path) -> None:
    assert call(here, mean="127.5", std="1,2,3") == 0
    normalisation = load_manifest(here / "model").normalisation
    assert normalisation is not None
    assert (normalisation.means, normalisation.stds) == ((127.5,) * 3, (1, 2, 3))


def test_the_background_is_no_class(here: Path) -> None:
    (here / "names.txt").write_text("???\r\n" + "\r\n".join(CLASS_NAMES))
    assert call(here, background="???") == 0
    labels = load_manifest(here / "model").labels
    assert labels is not None
    assert labels.names == CLASS_NAMES


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"decoding": "yolo"}, "--decoding 'yolo' is not known; did you mean 'yolox'"),
        ({"fit": "squash"}, "--fit 'squash' is not known"),
        ({"channels": "grb"}, "--channels 'grb' is not known"),
        ({"number": ""}, "yolox wants output [630, 8], but the graph gives output [1, 30, 8], for 3 classes of 96x320"),
        ({"number": "strides=[8"}, "--number strides=[8: cannot be read"),
        ({"number": "strides"}, "--number 'strides': give NAME=VALUE"),
        ({"number": "stride=8"}, "number 'stride' is not known; did you mean 'strides'"),
        ({"decoding": "detr", "number": ""}, "detr wants logits [Q, 4], pred_boxes [Q, 4], but the graph gives output"),
        ({"output": "output=outputs"}, "the graph's output 'outputs' is not known; did you mean 'output'"),
        ({"size": "64x64"}, "takes images float32[1, 3, 96, 320], not 64x64; leave --size out"),
        ({"mean": "1,2"}, "--mean 1,2 --std 1: 2 numbers; give one number or three"),
        ({"std": "0"}, "stds finite and above 0"),
        ({"background": "ground"}, "names.txt) 'ground' is not known"),
        ({"names": "none.txt"}, "--names none.txt: No such file"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], says: str
) -> None:
    assert says in refused(here, capsys, **changes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "is empty"),
        (b"bicycle\n\nperson", "line 2 is empty"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"car\n", "1 classes"),
    ],
    ids=str,
)
def test_names_that_are_none(here: Path, capsys: pytest.CaptureFixture[str], text: bytes, says: str) -> None:
    (here / "names.txt").write_bytes(text)
    assert says in refused(here, capsys)


def test_a_file_that_is_no_graph(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "tiny.onnx").write_bytes(b"no graph")
    line = refused(here, capsys)
    assert f"{here / 'tiny.onnx'}: ONNX Runtime cannot load it" in line
    (here / "tiny.onnx").unlink()
    assert call(here) == 2
    assert "tiny.onnx: no such file" in capsys.readouterr().err


def test_a_graph_that_suppresses_itself_is_left_as_it_is(tmp_path: Path) -> None:
    """Open sizes, no batch, labels from 1: as torchvision's detectors are exported. Two identical boxes both stay."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    kind = {"boxes": TensorProto.FLOAT, "labels": TensorProto.INT64, "scores": TensorProto.FLOAT}
    values = {
        "boxes": np.array([[1, 2, 9, 9], [1, 2, 9, 9]], np.float32),
        "labels": np.array([2, 2]),
        "scores": np.array([0.9, 0.8], np.float32),
    }
    nodes = [helper.make_node("Identity", [f"{name}_value"], [name]) for name in values]
    nodes.append(helper.make_node("ReduceMax", ["picture"], ["brightest"], keepdims=0))
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["batch", 3, "height", "width"])],
        [
            *(
                helper.make_tensor_value_info(name, kind[name], ["K", 4] if name == "boxes" else ["K"])
                for name in values
            ),
            helper.make_tensor_value_info("brightest", TensorProto.FLOAT, []),
        ],
        [numpy_helper.from_array(value, f"{name}_value") for name, value in values.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "tiny.onnx"
    )
    (tmp_path / "names.txt").write_text("car\nperson\n")
    options = {"decoding": "boxes-scores-labels", "number": "first_label=1"}
    assert call(tmp_path, **options) == 2  # of any size
    assert call(tmp_path, **options, size="32x64") == 0
    manifest = load_manifest(tmp_path / "model")
    assert manifest.detector is not None
    assert manifest.detector.nms_iou is None
    assert manifest.parity is not None
    assert [stage.passed for stage in manifest.parity.stages] == [True, None]
    for backend in ("onnxruntime", "openvino"):
        with open_session(tmp_path / "model", backend=backend) as session:
            detector = ExportedDetector(**describe(tmp_path / "model", manifest).arguments())
            picture, placed = detector.prepare(np.zeros((64, 128, 3), np.uint8))
            found = detector.objects(session.infer({"picture": picture}), placed)
        assert found.boxes.tolist() == [[2, 4, 18, 18]] * 2
        assert found.class_ids.tolist() == [1, 1]


def test_what_was_imported_is_exported_further_and_proved(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its graph stands for the network: engines are made of it and compared with it, later too."""
    assert call(here) == 0
    out = here / "built"
    builds = ["--to", "onnx", "--precision", "fp32,fp16", "--out", str(out)]
    assert main(["export", "model", str(here / "model"), *builds]) == 0
    manifest = load_manifest(out)
    assert manifest.parity is not None
    stages = {stage.name: stage for stage in manifest.parity.stages}
    assert {"onnx fp16", "openvino fp32"} <= stages.keys()
    assert stages["onnx fp16"].passed
    assert stages["openvino fp32"].measures["same_boxes"] == pytest.approx(1)
    assert manifest.detector == load_manifest(here / "model").detector
    assert main(["export", "verify", str(out)]) == 0
    with open_session(out, backend="onnxruntime", precision="fp16") as session:
        assert session.manifest.model == "tiny"
    capsys.readouterr()
    graph = out / "model.onnx"
    graph.write_bytes(graph.read_bytes() + b"\x00")
    assert main(["export", "verify", str(out)]) != 0
    assert "model.onnx: is not the file that was exported" in capsys.readouterr().out


def test_a_graph_of_others_cannot_be_made_anew(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(here) == 0
    capsys.readouterr()
    assert main(["export", "model", "tiny", "--weights", str(here / "model"), "--out", str(here / "built")]) == 2
    assert "export: model 'tiny' is not known" in capsys.readouterr().err
    assert not (here / "built").exists()


def test_yolox_of_its_makers_finds_who_is_there(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "detectors" / "yolox_nano"
    options = ["--decoding", "yolox", "--channels", "bgr", "--fit", "letterbox-corner", "--out", str(tmp_path / "m")]
    names = ["--names", str(folder / "coco_classes.txt")]
    assert main(["import", "detector", str(folder / "yolox_nano.onnx"), *names, *options]) == 0
    assert_found(tmp_path / "m", "person", shared_data / "coco_val2017_subset")


def test_ssd_of_tensorflow_finds_who_is_there(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "detectors" / "ssd_mobilenetv2_oidv4"
    options = ["--decoding", "ssd", "--channels", "rgb", "--fit", "stretch", "--mean", "127.5", "--std", "127.5"]
    names = ["--names", str(folder / "oidv4_labelmap.txt"), "--background", "???", "--out", str(tmp_path / "m")]
    assert main(["import", "detector", str(folder / "ssd_mobilenetv2_oidv4.onnx"), *names, *options]) == 0
    assert_found(tmp_path / "m", "Person", shared_data / "coco_val2017_subset")


def assert_found(model: Path, person: str, data: Path) -> None:
    """The skier of a photograph is found where COCO says, and ONNX Runtime and OpenVINO agree to a tenth of a pixel."""
    import cv2

    image = cv2.imread(str(data / "images" / "000000000785.jpg"))
    height, width = image.shape[:2]
    ((_, x, y, w, h, *_),) = np.loadtxt(data / "person_keypoint_labels" / "000000000785.txt", ndmin=2)
    truth = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * [width, height, width, height]
    boxes = []
    for backend in ("onnxruntime", "openvino"):
        with open_session(model, backend=backend, precision="fp32") as session:
            described = describe(model, session.manifest)
            detector = ExportedDetector(**described.arguments())
            inputs, placed = detector.prepare(image)
            found = detector.objects(session.infer({described.input.name: inputs}), placed)
        boxes.append(found.boxes[found.class_ids == described.labels.names.index(person)][0])
    assert iou(truth, np.array(boxes)).min() > 0.8
    assert np.abs(boxes[0] - boxes[1]).max() < 0.1
