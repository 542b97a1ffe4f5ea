"""The snippet encoder as exported: the graph against the network, its manifest, and mistakes of who exports it."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxslim")

from errors import UserError  # noqa: E402
from export.cache import StepCache  # noqa: E402
from export.families import Request, choose_outputs, find  # noqa: E402
from export.request import Build, ExportRequest  # noqa: E402
from export.steps import Export  # noqa: E402
from export.to_onnx_options import ONE  # noqa: E402
from inference.manifest import load_manifest  # noqa: E402
from inference.ort import import_onnxruntime  # noqa: E402
from inference.two_stream import describe  # noqa: E402
from models.two_stream.checkpoint import Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from models.two_stream.network import TwoStream  # noqa: E402
from models.two_stream.snippets import SnippetSettings  # noqa: E402
from tests.formats.test_video import write_video  # noqa: E402
from tests.models.two_stream.settled import settled  # noqa: E402
from tests.support.networks import as_if_trained  # noqa: E402

SETTINGS = SnippetSettings(snippet_s=0.4, frames=2, height=32, width=32)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    network = as_if_trained(settled(TwoStream(SETTINGS.flow_channels, classes=2, stream_dim=8)))
    path = tmp_path_factory.mktemp("weights") / "best.pt"
    save_checkpoint(
        path,
        Checkpoint(
            arguments=network.arguments,
            snippet=dataclasses.asdict(SETTINGS),
            step=7,
            network=network.state_dict(),
            label_names=("waves", "no action"),
            trained_on="noise",
        ),
    )
    return path


@pytest.fixture(scope="module")
def exported(weights, tmp_path_factory):
    """The folder it was exported to, and the manifest; proven on a small video."""
    folder = tmp_path_factory.mktemp("export")
    (folder / "videos").mkdir()
    write_video(folder / "videos" / "a.mkv", list(range(0, 2000, 40)))
    request = ExportRequest(
        model="two-stream", weights=weights, builds=(Build("onnx", "fp32"),), data=folder / "videos", samples=3
    )
    return folder / "model", Export(request, folder / "model", StepCache(folder / "cache")).run()


def test_graph_gives_what_the_network_gives(weights, exported):
    rng = np.random.default_rng(1)
    rgb, flow = (rng.normal(size=(1, channels, 32, 32)).astype(np.float32) for channels in (3, 2))
    with torch.no_grad():
        expected = load_checkpoint(weights).restore().eval().features(torch.from_numpy(rgb), torch.from_numpy(flow))
    session = import_onnxruntime().InferenceSession(exported[0] / "model.onnx")
    (found,) = session.run(["features"], {"rgb": rgb, "flow": flow})
    np.testing.assert_allclose(found, expected, atol=1e-2 * float(expected.abs().max()))  # weights in float16


def test_manifest_says_how_a_video_becomes_its_inputs(exported):
    folder, manifest = exported
    assert load_manifest(folder) == manifest
    profile, dimension = describe(folder, manifest)
    assert dimension == 16
    assert SnippetSettings(**{name: getattr(profile, name) for name in profile.__struct_fields__}) == SETTINGS
    assert (manifest.model, manifest.precision) == ("two-stream", "fp16 weights")
    assert manifest.provenance.trained_on == "noise"


def test_every_stage_agrees_with_the_network_on_real_snippets(exported):
    parity = exported[1].parity
    assert parity.inputs == {"made up": 1, "adversarial": 3, "videos": 3}
    (onnx_stage,) = [stage for stage in parity.stages if stage.name == "onnx"]
    assert onnx_stage.passed
    assert onnx_stage.measures["relative_max"] < 1e-4
    assert onnx_stage.measures["least_cosine"] > 0.99999


def test_cosine_of_known_angles():
    same, turned = np.array([[3.0, 0.0]]), np.array([[1.0, 1.0]])
    measure = find("two-stream").measure
    assert measure(None, [{"features": same}], [{"features": 2 * same}], []) == {"least_cosine": pytest.approx(1)}
    both = measure(None, [{"features": same}, {"features": turned}], [{"features": same}, {"features": same}], [])
    assert both["least_cosine"] == pytest.approx(np.sqrt(0.5))


def test_options_that_make_no_sense_here(weights):
    usual = {"batch": ONE, "outputs": None, "storage": "fp32", "opset": 20}
    with pytest.raises(UserError, match="--size: two-stream takes snippets of the size"):
        find("two-stream").load(Request(weights, trained_on=None, height=64, width=64, **usual))
    with pytest.raises(UserError, match="--outputs labels: two-stream gives but one kind"):
        choose_outputs(find("two-stream"), "labels")


def test_a_folder_without_videos(exported, tmp_path):
    with pytest.raises(UserError, match="no videos"):
        find("two-stream").real(exported[1], tmp_path, 3)
    write_video(tmp_path / "short.mkv", [0, 40])
    with pytest.raises(UserError, match="all shorter than a snippet"):
        find("two-stream").real(exported[1], tmp_path, 3)
