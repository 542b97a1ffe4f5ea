"""The exported graph against the network it was made from, and what the export writes beside it."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")


from errors import UserError  # noqa: E402
from export import squeezesegv3  # noqa: E402
from export.squeezesegv3 import export, main  # noqa: E402
from formats.labels import load_label_table  # noqa: E402
from inference.manifest import load_manifest  # noqa: E402
from inference.ort import import_onnxruntime  # noqa: E402
from models.squeezesegv3.checkpoint import Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from models.squeezesegv3.network import SqueezeSegV3  # noqa: E402
from tests.support.networks import as_if_trained  # noqa: E402


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
def exported(tmp_path_factory):
    """A checkpoint, the folder it was exported to, and the manifest."""
    folder = tmp_path_factory.mktemp("export")
    save_checkpoint(folder / "checkpoint.pt", checkpoint())
    return folder / "checkpoint.pt", folder / "model", export(folder / "checkpoint.pt", folder / "model")


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


def test_parity_was_measured(exported):
    parity = exported[2].parity
    assert parity.passed
    rounding, runtime = parity.stages.values()
    assert 0 < rounding["relative_difference"] < 5e-3
    assert runtime["relative_difference"] < 1e-5
    assert runtime["same_label"] > 0.999


def test_weights_as_int8_and_labels_alone(exported, tmp_path):
    manifest = export(exported[0], tmp_path / "model", width=32, outputs="labels", weights="int8")
    assert (tmp_path / "model" / "model.onnx").stat().st_size < 10_500_000
    assert [str(output) for output in manifest.outputs] == ["labels uint8[1, 8, 32]"]
    assert (manifest.sensor.height, manifest.sensor.width) == (8, 32)
    assert manifest.parity.passed
    rounding, runtime = manifest.parity.stages.values()
    assert 0 < rounding["relative_difference"] < 0.1
    assert runtime["same_label"] > 0.999
    session = import_onnxruntime().InferenceSession(tmp_path / "model" / "model.onnx")
    assert [(t.name, t.shape) for t in session.get_outputs()] == [("labels", [1, 8, 32])]


def test_another_variant_with_its_own_normalisation_and_logits_alone(tmp_path):
    given = checkpoint(sac="sk", means=(1.0, 2.0, 3.0, 4.0, 5.0), fov_up_deg=10.0, fov_down_deg=-30.0)
    save_checkpoint(tmp_path / "checkpoint.pt", given)
    manifest = export(tmp_path / "checkpoint.pt", tmp_path / "model", outputs="logits")
    assert [output.name for output in manifest.outputs] == ["logits"]
    assert manifest.normalisation.means == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert (manifest.sensor.fov_up_deg, manifest.sensor.fov_down_deg) == (10.0, -30.0)
    assert manifest.provenance.trained_on == "nothing: random weights"
    assert manifest.parity.passed


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", None])
def test_not_a_checkpoint(tmp_path, content):
    path = tmp_path / "checkpoint.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"checkpoint\.pt"):
        export(path, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_checkpoint_of_something_else(tmp_path):
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(UserError, match="not a checkpoint of SqueezeSegV3"):
        load_checkpoint(tmp_path / "other.pt")


def test_checkpoint_with_other_classes(tmp_path):
    names = tuple(reversed(load_label_table().names))
    save_checkpoint(tmp_path / "checkpoint.pt", checkpoint(label_names=names))
    with pytest.raises(UserError, match=r"its 20 classes \(traffic-sign, .* are not the 20 of"):
        export(tmp_path / "checkpoint.pt", tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_the_command_says_how_far_the_graph_is(exported, tmp_path, capsys, monkeypatch):
    checkpoint, _, manifest = exported
    monkeypatch.setattr(squeezesegv3, "export", lambda *_, **__: manifest)  # it has been exported once
    with pytest.raises(SystemExit) as end:
        main([str(checkpoint), "--out", str(tmp_path)])
    assert end.value.code == 0
    assert f"{tmp_path}: parity passed" in capsys.readouterr().out


def test_mistakes_are_one_line(exported, tmp_path, capsys):
    path = str(exported[0])
    with pytest.raises(SystemExit, match=r"error: --width 100: must be a multiple of 8"):
        main([path, "--out", str(tmp_path), "--width", "100"])
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match=r"error: .*file.*cannot be written"):
        main([path, "--out", str(tmp_path / "file")])
