"""BC-GNN as exported: the graph against the network, its manifest, and the mistakes of those who export it."""

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxslim")

from errors import UserError  # noqa: E402
from export.cache import StepCache  # noqa: E402
from export.families import Request, find  # noqa: E402
from export.families.bcgnn import INPUT  # noqa: E402
from export.request import Build, ExportRequest  # noqa: E402
from export.steps import Export  # noqa: E402
from export.to_onnx_options import ONE, Batch  # noqa: E402
from inference.manifest import WindowProfile, load_manifest  # noqa: E402
from inference.ort import import_onnxruntime  # noqa: E402
from models.bcgnn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from models.bcgnn.network import BCGNN  # noqa: E402

CHANNELS = 6


def save(path, length=128, max_duration=64, **sizes):
    """A small network's checkpoint."""
    torch.manual_seed(0)
    small = {"base_dim": 16, "node_dim": 8, "content_dim": 8, "samples": 6}
    network = BCGNN(CHANNELS, length, max_duration, **(small | sizes))
    save_checkpoint(
        path,
        Checkpoint(
            arguments=network.arguments,
            step=7,
            network=network.state_dict(),
            style="sliding",
            step_s=0.6,
            trained_on="noise",
        ),
    )
    return path


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A checkpoint, the folder it was exported to, and the manifest; of any batch up to four."""
    folder = tmp_path_factory.mktemp("export")
    weights = save(folder / "best.pt", base_dim=64)
    request = ExportRequest(
        model="bcgnn-128",
        weights=weights,
        builds=(Build("onnx", "fp32"), Build("openvino", "fp32"), Build("onnx", "fp16")),
        batch=Batch(1, 1, 4),
    )
    return weights, folder / "model", Export(request, folder / "model", StepCache(folder / "cache")).run()


@pytest.mark.parametrize("batch", [1, 3])
def test_graph_gives_what_the_network_gives(exported, batch):
    path, folder, _ = exported
    features = np.random.default_rng(1).normal(size=(batch, CHANNELS, 128)).astype(np.float32)
    with torch.no_grad():
        expected = [
            torch.sigmoid(v).numpy() for v in load_checkpoint(path).restore().eval()(torch.from_numpy(features))
        ]
    session = import_onnxruntime().InferenceSession(folder / "model.onnx")
    found = session.run(["start", "end", "content"], {"features": features})
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-3)  # convolutions' weights were rounded to float16
    i, j = np.indices((128, 128))
    np.testing.assert_array_equal(found[2] > 0, np.broadcast_to((i < j) & (j - i <= 64), found[2].shape))


def test_manifest_describes_the_graph(exported):
    _, folder, manifest = exported
    assert load_manifest(folder) == manifest
    assert [str(t) for t in manifest.inputs] == [f"features float32[batch, {CHANNELS}, 128]"]
    assert [str(t) for t in manifest.outputs] == [
        "start float32[batch, 128]",
        "end float32[batch, 128]",
        "content float32[batch, 128, 128]",
    ]
    assert (manifest.family, manifest.model, manifest.precision) == ("bcgnn", "bcgnn-128", "fp16 weights")
    assert manifest.provenance.trained_on == "noise"
    assert manifest.windows == WindowProfile(style="sliding", step_s=0.6)
    assert manifest.sensor is None
    assert manifest.labels is None


def test_every_stage_agrees_with_the_network(exported):
    stages = {stage.name: stage for stage in exported[2].parity.stages}
    assert 0 < stages["stored weights"].measures["relative_max"] < 5e-3
    for name in ("onnx", "openvino fp32"):
        assert stages[name].passed
        assert stages[name].measures["relative_max"] < 1e-4
        assert stages[name].measures["adversarial_relative_max"] < 1e-4
        assert stages[name].measures["same_proposals"] > 0.999
    assert stages["onnx fp16"].measures["finite"] == 1
    assert exported[2].parity.inputs == {"made up": 1, "adversarial": 4}


def test_the_graph_has_no_loop_and_no_operator_of_its_own(exported):
    graph = onnx.load(exported[1] / "model.onnx").graph
    assert not {node.op_type for node in graph.node} & {"Loop", "Scan", "If"}
    assert {node.domain for node in graph.node} == {""}


def load(name, path, **changes):
    wanted = {"height": None, "width": None, "batch": ONE, "outputs": None, "storage": "fp32", "opset": 20}
    return find(name).load(Request(path, trained_on=None, **(wanted | changes)))


def test_both_models_with_random_weights_have_the_paper_s_sizes():
    for name, longest in (("bcgnn-100", 99), ("bcgnn-128", 64)):
        network = load(name, None).exact.network
        assert (f"bcgnn-{network.length}", network.arguments["max_duration"]) == (name, longest)
        assert [network.arguments[f"{of}_dim"] for of in ("base", "node", "content")] == [256, 128, 128]


def test_a_size_makes_no_sense_here():
    with pytest.raises(UserError, match="--size: bcgnn-100 takes windows of 100 snippets"):
        load("bcgnn-100", None, height=64, width=512)


def test_weights_of_another_window(tmp_path):
    save(tmp_path / "best.pt")
    with pytest.raises(UserError, match=r"best\.pt: was trained on windows of 128 snippets with segments up to 64"):
        load("bcgnn-100", tmp_path / "best.pt")


def test_real_features_are_read_and_cut_to_windows(exported, tmp_path):
    manifest, rng = exported[2], np.random.default_rng(0)
    features = {f"v{n}": rng.random((CHANNELS, 150 + n), np.float32) for n in range(5)}
    for name, values in features.items():
        np.save(tmp_path / f"{name}.npy", values)
    samples = find("bcgnn-128").real(manifest, tmp_path, 2)
    assert [(sample.name, sample.kind) for sample in samples] == [("v0", "videos"), ("v2", "videos")]
    np.testing.assert_array_equal(samples[0].inputs[INPUT][0, :, :86], features["v0"][:, 64:])
    assert not samples[0].inputs[INPUT][0, :, 86:].any()
    rescaled = msgspec.structs.replace(manifest, windows=WindowProfile(style="rescaled"))
    whole = find("bcgnn-100").real(rescaled, tmp_path, 9)
    assert len(whole) == 5
    assert whole[0].inputs[INPUT].shape == (1, CHANNELS, 100)
    with pytest.raises(UserError, match="no feature files"):
        find("bcgnn-128").real(manifest, exported[1], 2)


def test_same_proposals_by_hand():
    """Two locations apart in one of two proposals: an overlap of 8 of 10."""

    def outputs(ends):
        start, end, content = np.zeros((1, 20)), np.zeros((1, 20)), np.zeros((1, 20, 20))
        start[0, 0] = start[0, 12] = 1
        for begin, finish in zip((0, 12), ends, strict=True):
            end[0, finish] = 1
            content[0, begin, finish] = 0.5
        return {"start": start, "end": end, "content": content}

    family = find("bcgnn-100")
    theirs = outputs((10, 19))
    assert family.measure(None, [theirs], [theirs], [None]) == {"same_proposals": 1.0}
    assert family.measure(None, [outputs((8, 19))], [theirs], [None])["same_proposals"] == pytest.approx((0.8 + 1) / 2)
