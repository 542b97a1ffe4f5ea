"""Detectors as exported: what the graph gives against the network and against its decoding in NumPy."""

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxslim")

from errors import UserError  # noqa: E402
from export.cache import StepCache  # noqa: E402
from export.families import MODELS, Request, choose_outputs, find  # noqa: E402
from export.families.detectors import DetectorFamily  # noqa: E402
from export.request import Build, ExportRequest  # noqa: E402
from export.steps import Export  # noqa: E402
from export.to_onnx_options import ONE, Batch  # noqa: E402
from inference.auto import open_session  # noqa: E402
from inference.detection import describe  # noqa: E402
from inference.manifest import load_manifest  # noqa: E402
from inference.ort import import_onnxruntime  # noqa: E402
from models.detection.build import DETECTORS, make_detector  # noqa: E402
from models.detection.checkpoint import Checkpoint, save_checkpoint  # noqa: E402
from models.detection.exported import ExportedDetector  # noqa: E402
from models.detection.inference import boxes_and_scores, inference_form  # noqa: E402
from tests.support.networks import as_if_trained  # noqa: E402

HEIGHT, WIDTH = 64, 96
NARROW = {"retinanet-r18": {"channels": 16, "depth": 1}, "fcos-r18": {"channels": 16, "depth": 1}}


def decided(network):
    """``network``, its logits spread by 1.5: so far apart that rounding turns no two over, and none is at 1."""
    as_if_trained(network).eval()
    with torch.no_grad():
        spread = network(torch.randn(1, 3, HEIGHT, WIDTH))[0].std()
        network.head.class_logits.weight.mul_(1.5 / spread)
    return network


@pytest.fixture(scope="module", params=list(NARROW))
def weights(request, tmp_path_factory):
    """A checkpoint of the detector, and its name."""
    torch.manual_seed(1)
    network = decided(make_detector(request.param, 3, **NARROW[request.param]))
    path = tmp_path_factory.mktemp("weights") / "best.pt"
    checkpoint = Checkpoint(
        name=request.param,
        arguments=network.arguments,
        size=(HEIGHT, WIDTH),
        fit="letterbox",
        class_names=("car", "person", "dog"),
        step=7,
        network=network.state_dict(),
        trained_on="noise",
    )
    save_checkpoint(path, checkpoint)
    return path, request.param


def load(path, name, outputs, **changes):
    usual = {"height": None, "width": None, "batch": ONE, "storage": "fp32", "opset": 20, "trained_on": None}
    return find(name).load(Request(path, outputs=outputs, **(usual | changes)))


def found_by(network, manifest, **changes):
    """What a network's graph and all that follows it find in a picture of noise."""
    exported = ExportedDetector(**describe("here", manifest).arguments() | changes)
    image = np.random.default_rng(0).integers(0, 256, (100, 200, 3), np.uint8)
    picture, placed = exported.prepare(image)
    with torch.inference_mode():
        outputs = network(torch.from_numpy(picture))
    arrays = {tensor.name: values.numpy() for tensor, values in zip(manifest.outputs, outputs, strict=True)}
    assert {name: (str(a.dtype), a.shape) for name, a in arrays.items()} == {
        tensor.name: (tensor.dtype, tensor.shape) for tensor in manifest.outputs
    }
    return exported.objects(arrays, placed)


def test_whatever_the_graph_gives_the_objects_are_the_same(weights):
    path, name = weights
    kinds = {outputs: load(path, name, outputs) for outputs in ("raw", "boxes", "detections")}
    found = {outputs: found_by(net.exact, net.manifest, score_threshold=0.2) for outputs, net in kinds.items()}
    assert len(found["raw"].scores) > 5
    for outputs in ("boxes", "detections"):
        np.testing.assert_allclose(found[outputs].scores, found["raw"].scores, atol=1e-5)
        np.testing.assert_allclose(found[outputs].boxes, found["raw"].boxes, atol=1e-3)
        np.testing.assert_array_equal(found[outputs].class_ids, found["raw"].class_ids)


@pytest.mark.parametrize(
    "name", ["retinanet-r18", "retinanet-mobilenetv2", "fssd-r18", "rfbnet-vgg16", "fcos-r18", "faster-rcnn-r18"]
)
def test_folding_changes_nothing(name):
    torch.manual_seed(0)
    network = as_if_trained(make_detector(name, 2, channels=16)).eval()
    folded = inference_form(network)
    assert all(
        path == "neck.norm" or not isinstance(layer, torch.nn.BatchNorm2d) for path, layer in folded.named_modules()
    )
    images = torch.randn(1, 3, HEIGHT, WIDTH)
    with torch.inference_mode():
        for ours, theirs in zip(boxes_and_scores(folded, images), boxes_and_scores(network, images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_graph_of_several_pictures_alone_is_refused(weights):
    path, name = weights
    with pytest.raises(UserError, match="--batch 4: a detector takes one picture, or as many as there are: give 1:4:4"):
        load(path, name, "boxes", batch=Batch(4, 4, 4))


def test_a_two_stage_detector_becomes_an_engine_of_a_library_without_its_operators(tmp_path):
    """And the graph beside the engine is the usual one."""
    pytest.importorskip("tensorrt_rtx_bindings")
    name, narrow = "faster-rcnn-r18", {"channels": 8, "hidden": 16, "before_nms": 60, "proposals": 20}
    torch.manual_seed(2)
    network = as_if_trained(make_detector(name, 2, **narrow)).eval()
    checkpoint = Checkpoint(
        name=name,
        arguments=network.arguments,
        size=(HEIGHT, WIDTH),
        fit="letterbox",
        class_names=("car", "person"),
        step=7,
        network=network.state_dict(),
        trained_on="noise",
    )
    save_checkpoint(tmp_path / "best.pt", checkpoint)
    request = ExportRequest(
        model=name,
        weights=tmp_path / "best.pt",
        builds=(Build("onnx", "fp32"), Build("tensorrt-rtx", "fp32"), Build("tensorrt-rtx", "fp16")),
        capabilities=("SM86",),
    )
    manifest = Export(request, tmp_path / "model", StepCache(tmp_path / "cache")).run()
    made = {(each.backend, each.precision) for each in manifest.artifacts}
    assert made == {("tensorrt-rtx", "fp32"), ("tensorrt-rtx", "fp16")}
    operators = {node.op_type for node in onnx.load(tmp_path / "model" / manifest.graph).graph.node}
    assert {"RoiAlign", "NonMaxSuppression"} <= operators
    (plain,) = (tmp_path / "cache").glob("graph-of-plain-operators*")
    assert not {"RoiAlign", "NonMaxSuppression"} & {node.op_type for node in onnx.load(plain / "model.onnx").graph.node}
    assert manifest.parity.passed
    (half,) = (tmp_path / "cache").glob("graph-fp16*")
    images = [sample.inputs["image"] for sample in find(name).made_up(manifest)]
    exact, rounded = (
        import_onnxruntime().InferenceSession(each / "model.onnx", providers=["CPUExecutionProvider"])
        for each in (plain, half)
    )
    for image in images[:1]:
        for ours, theirs in zip(rounded.run(None, {"image": image}), exact.run(None, {"image": image}), strict=True):
            assert np.isfinite(ours).all()
            assert np.abs(np.sort(ours.ravel()) - np.sort(theirs.ravel())).mean() < 0.02 * np.abs(theirs).max()
    wide = {node.name for node in onnx.load(half / "model.onnx").graph.node if node.name.startswith("plain_Div")}
    assert wide  # of overlaps: they stay in float32, since areas are beyond float16
    several = msgspec.structs.replace(request, batch=Batch(1, 2, 4))
    with pytest.raises(UserError, match="--to tensorrt-rtx: a detector that looks at regions takes one picture there"):
        Export(several, tmp_path / "several", StepCache(tmp_path / "cache")).run()
    again = msgspec.structs.replace(request, weights=tmp_path / "model")
    with pytest.raises(UserError, match="cannot compute NonMaxSuppression and RoiAlign; export a model of ours from"):
        Export(again, tmp_path / "again", StepCache(tmp_path / "cache")).run()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The folder of a graph that suppresses, and its manifest."""
    folder = tmp_path_factory.mktemp("export")
    torch.manual_seed(1)
    network = decided(make_detector("retinanet-r18", 3, channels=16, depth=1, levels=3, octaves=1))
    checkpoint = Checkpoint(
        name="retinanet-r18",
        arguments=network.arguments,
        size=(HEIGHT, WIDTH),
        fit="stretch",
        class_names=("car", "person", "dog"),
        step=7,
        network=network.state_dict(),
        trained_on="noise",
    )
    save_checkpoint(folder / "best.pt", checkpoint)
    request = ExportRequest(
        model="retinanet-r18", weights=folder / "best.pt", builds=(Build("onnx", "fp32"),), outputs="detections"
    )
    return folder / "model", Export(request, folder / "model", StepCache(folder / "cache")).run()


def test_a_graph_that_suppresses(exported):
    folder, manifest = exported
    assert load_manifest(folder) == manifest
    assert manifest.detector.nms_iou is None
    assert manifest.detector.fit == "stretch"
    assert manifest.labels.names == ("car", "person", "dog")
    stage = manifest.parity.of("onnxruntime", "fp32")
    assert stage.passed
    assert "relative_max" not in stage.measures  # a list by rank is not compared place by place
    assert stage.measures["same_boxes"] > 0.999
    assert stage.measures["box_error"] < 1e-3
    assert stage.measures["score_error"] < 1e-3
    nodes = {node.op_type for node in onnx.load(folder / "model.onnx").graph.node}
    assert "NonMaxSuppression" in nodes
    with open_session(folder, backend="onnxruntime") as session:
        outputs = session.infer({"image": np.zeros((1, 3, HEIGHT, WIDTH), np.float32)})
        assert (np.diff(outputs["scores"][0]) <= 0).all()


def test_known_differences_in_boxes(exported):
    name = "retinanet-r18"
    manifest = load(exported[0].parent / "best.pt", name, "boxes").manifest
    _, count, _ = manifest.output("boxes").shape
    boxes, scores = np.zeros((1, count, 4), np.float32), np.zeros((1, count, 3), np.float32)
    boxes[0, :2] = (0, 0, 40, 40), (50, 0, 90, 40)
    scores[0, 0, 0], scores[0, 1, 2] = 0.75, 0.25
    theirs = {"boxes": boxes, "scores": scores}
    measure = find(name).measure
    assert measure(manifest, [theirs], [theirs], []) == {"same_boxes": 1.0, "box_error": 0.0, "score_error": 0.0}
    moved = {"boxes": boxes + 0.96 * (np.arange(count) == 0)[:, None], "scores": scores - np.float32(0.125)}
    found = measure(manifest, [moved], [theirs], [])
    assert found["same_boxes"] == 1.0
    assert found["box_error"] == pytest.approx(0.01, rel=1e-4)  # of the longer side, 96
    assert found["score_error"] == pytest.approx(0.125)
    other = {"boxes": boxes, "scores": scores[..., [1, 0, 2]]}  # the better box is of another class
    assert measure(manifest, [other], [theirs], [])["same_boxes"] == pytest.approx(0.25)
    nothing = {"boxes": boxes, "scores": 0 * scores}
    assert measure(manifest, [nothing], [theirs], [])["same_boxes"] == 0.0
    assert measure(manifest, [theirs], [nothing], [])["same_boxes"] == 0.0


def test_every_detector_has_an_entry_of_its_kind():
    families = {name: family for name in MODELS if isinstance(family := find(name), DetectorFamily)}
    assert list(families) == list(DETECTORS)
    for name, family in families.items():
        assert family.name == name
        assert ("raw" in family.outputs) != name.startswith(("faster-rcnn", "internet"))


def test_mistakes(exported, tmp_path):
    path, name = exported[0].parent / "best.pt", "retinanet-r18"
    with pytest.raises(UserError, match="--size 64x100: both must be multiples of 32"):
        load(path, name, "boxes", height=64, width=100)
    with pytest.raises(UserError, match=rf"best\.pt: is of {name}, not fssd-r18"):
        load(path, "fssd-r18", "boxes")
    with pytest.raises(UserError, match="--outputs of faster-rcnn-r18: 'raw' is not known"):
        choose_outputs(find("faster-rcnn-r18"), "raw")
    with pytest.raises(UserError, match="is empty"):
        find(name).real(load(path, name, "boxes").manifest, tmp_path, 3)
