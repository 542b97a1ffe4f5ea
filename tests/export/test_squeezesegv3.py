"""SqueezeSegV3 as exported: the graph against the network, its manifest, and the mistakes of those who export it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxslim")

from errors import UserError  # noqa: E402
from export.cache import StepCache  # noqa: E402
from export.families.squeezesegv3 import INPUT, SqueezeSegV3Family  # noqa: E402
from export.request import Build, ExportRequest  # noqa: E402
from export.steps import Export  # noqa: E402
from formats.labels import load_label_table  # noqa: E402
from inference.manifest import load_manifest  # noqa: E402
from inference.ort import import_onnxruntime  # noqa: E402
from inference.range_view import describe  # noqa: E402
from models.squeezesegv3.checkpoint import Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from models.squeezesegv3.network import SqueezeSegV3  # noqa: E402
from tests.support.labelled_drives import make_recording  # noqa: E402
from tests.support.networks import as_if_trained  # noqa: E402

ONNX = Build("onnx", "fp32")


def checkpoint(**changes):
    """As if trained, of tiny images."""
    torch.manual_seed(0)
    network = as_if_trained(SqueezeSegV3(sac=changes.get("sac", "isk")))
    usual = {
        "layers": 21,
        "classes": 20,
        "sac": "isk",
        "height": 8,
        "width": 64,
        "step": 7,
        "network": network.state_dict(),
        "label_names": load_label_table().names,
        "trained_on": "nothing: random weights",
    }
    return Checkpoint(**(usual | changes))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return StepCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory, cache):
    """A checkpoint, the folder it was exported to, and the manifest."""
    folder = tmp_path_factory.mktemp("export")
    save_checkpoint(folder / "checkpoint.pt", checkpoint())
    builds = (ONNX, Build("openvino", "fp32"), Build("openvino", "bf16"))
    request = ExportRequest(model="squeezesegv3-21", weights=folder / "checkpoint.pt", builds=builds)
    return folder / "checkpoint.pt", folder / "model", Export(request, folder / "model", cache).run()


def test_graph_gives_what_the_network_gives(exported):
    path, folder, _ = exported
    network = load_checkpoint(path).restore().eval()
    image = np.random.default_rng(1).normal(size=(1, 5, 8, 64)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(image)).numpy()
    session = import_onnxruntime().InferenceSession(folder / "model.onnx")
    logits, labels = session.run(["logits", "labels"], {"range_image": image})
    assert np.abs(logits - expected).max() < 2e-3 * np.abs(expected).max()  # weights were rounded to float16
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, logits.argmax(1))


def test_weights_are_stored_as_float16(exported):
    _, folder, _ = exported
    graph = onnx.load(folder / "model.onnx").graph
    sizes = {onnx.TensorProto.FLOAT: 0, onnx.TensorProto.FLOAT16: 0}
    for initializer in graph.initializer:
        if initializer.data_type in sizes:
            sizes[initializer.data_type] += int(np.prod(initializer.dims))
    assert sizes[onnx.TensorProto.FLOAT16] > 9_000_000
    assert sizes[onnx.TensorProto.FLOAT] < 150_000  # biases, and weights too small to matter
    assert "BatchNormalization" not in {node.op_type for node in graph.node}
    assert (folder / "model.onnx").stat().st_size < 20_000_000
    assert not any(node.doc_string or node.metadata_props for node in graph.node)


def test_manifest_describes_the_graph(exported):
    _, folder, manifest = exported
    assert load_manifest(folder) == manifest
    session = import_onnxruntime().InferenceSession(folder / "model.onnx")
    assert [(t.name, list(t.shape)) for t in manifest.inputs] == [(t.name, t.shape) for t in session.get_inputs()]
    assert [(t.name, list(t.shape)) for t in manifest.outputs] == [(t.name, t.shape) for t in session.get_outputs()]
    assert (manifest.sensor.height, manifest.sensor.width) == (8, 64)
    assert manifest.labels.names[9] == "road"
    assert manifest.labels.colors[9] == (255, 0, 255)
    assert manifest.provenance.trained_on == "nothing: random weights"
    describe(folder, manifest)


def test_every_stage_agrees_with_the_network(exported):
    parity = exported[2].parity
    stages = {stage.name: stage for stage in parity.stages}
    assert 0 < stages["stored weights"].measures["relative_max"] < 5e-3
    for name in ("onnx", "openvino fp32"):
        assert stages[name].passed
        assert stages[name].measures["relative_max"] < 1e-4
        assert stages[name].measures["adversarial_relative_max"] < 1e-4
    assert parity.inputs == {"made up": 1, "adversarial": 4}


def test_another_variant_with_its_own_normalisation_and_labels_alone(tmp_path, cache):
    given = checkpoint(sac="sk", means=(1.0, 2.0, 3.0, 4.0, 5.0), fov_up_deg=10.0, fov_down_deg=-30.0)
    save_checkpoint(tmp_path / "checkpoint.pt", given)
    request = ExportRequest(
        model="squeezesegv3-21",
        weights=tmp_path / "checkpoint.pt",
        builds=(ONNX,),
        height=8,
        width=32,
        outputs="labels",
        storage="int8",
        trained_on="noise",
    )
    manifest = Export(request, tmp_path / "model", cache).run()
    assert (tmp_path / "model" / "model.onnx").stat().st_size < 10_500_000
    assert [str(output) for output in manifest.outputs] == ["labels uint8[1, 8, 32]"]
    assert manifest.normalisation.means == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert (manifest.sensor.fov_up_deg, manifest.sensor.fov_down_deg) == (10.0, -30.0)
    assert manifest.provenance.trained_on == "noise"
    assert manifest.parity.of("onnxruntime", "fp32").passed


def load(path, **changes):
    """What the family says of a checkpoint, without an export."""
    from export.families import Request
    from export.to_onnx_options import ONE

    wanted = {"height": None, "width": None, "batch": ONE, "outputs": "both", "storage": "fp32", "opset": 20}
    return SqueezeSegV3Family(changes.pop("layers", 21)).load(Request(path, trained_on=None, **(wanted | changes)))


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", None])
def test_not_a_checkpoint(tmp_path, content):
    path = tmp_path / "checkpoint.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"checkpoint\.pt"):
        load(path)


def test_checkpoint_of_something_else(tmp_path):
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(UserError, match="not a checkpoint of squeezesegv3"):
        load(tmp_path / "other.pt")


def test_checkpoint_with_other_classes_or_of_another_depth(exported, tmp_path):
    names = tuple(reversed(load_label_table().names))
    save_checkpoint(tmp_path / "checkpoint.pt", checkpoint(label_names=names))
    with pytest.raises(UserError, match=r"its 20 classes \(traffic-sign, .* are not the 20 of"):
        load(tmp_path / "checkpoint.pt")
    with pytest.raises(UserError, match=r"has 21 layers, squeezesegv3-53 53; export squeezesegv3-21"):
        load(exported[0], layers=53)


@pytest.mark.parametrize(("height", "width"), [(64, 100), (64, 4), (0, 64)])
def test_a_size_that_the_network_cannot_take(exported, height, width):
    with pytest.raises(UserError, match=f"--size {height}x{width}: the width must be a multiple of 8"):
        load(exported[0], height=height, width=width)


def test_real_scans_are_projected_and_know_their_labels(exported, tmp_path):
    make_recording(tmp_path / "sequences" / "00", scans=3)
    family, manifest = SqueezeSegV3Family(21), exported[2]
    samples = family.real(manifest, tmp_path, 2)
    assert len(samples) == 2
    for sample in samples:
        assert sample.kind == "scans"
        assert sample.inputs[INPUT].shape == (1, 5, 8, 64)
        assert sample.truth.shape == (8, 64)
        assert sample.truth.any()


def test_measures_are_those_of_the_task():
    """Ten pixels with a point, one of them labelled otherwise; the truth agrees with the network in nine."""
    image = np.zeros((1, 5, 2, 8), np.float32)
    image[0, :, 0, :] = 1
    image[0, :, 1, :2] = 1
    theirs = np.full((1, 2, 8), 9, np.uint8)
    ours = theirs.copy()
    ours[0, 0, 0] = 1
    ours[0, 1, 7] = 3  # no point there: it does not count
    truth = np.where(image[0, 0] > 0, 9, 0).astype(np.uint8)
    truth[0, 1] = 1
    from export.families import Sample

    found = SqueezeSegV3Family(21).measure(
        None, [{"labels": ours}], [{"labels": theirs}], [Sample("a", "scans", {INPUT: image}, truth)]
    )
    assert found["same_label"] == pytest.approx(0.9)
    # Ours: road 8 of 10, car 0 of 2. The network's: road 9 of 10, car 0 of 1.
    assert found["miou"] == pytest.approx((0.8 + 0) / 2)
    assert found["miou_change"] == pytest.approx(0.4 - 0.45)
