"""A detector's checkpoint: back as it was, or one clear line."""

import dataclasses

import pytest
import torch

from errors import UserError
from models.detection.build import make_detector
from models.detection.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def checkpoint():
    network = make_detector("retinanet-r18", 2, channels=8, depth=1, ratios=(1.0, 2.0), octaves=1)
    return Checkpoint(
        name="retinanet-r18",
        arguments=network.arguments,
        size=(64, 96),
        fit="letterbox",
        class_names=("car", "person"),
        step=7,
        network=network.state_dict(),
        trained_on="nothing",
    )


def test_what_was_saved_is_restored(tmp_path, checkpoint):
    save_checkpoint(tmp_path / "d.pt", checkpoint)
    loaded = load_checkpoint(tmp_path / "d.pt")
    assert dataclasses.replace(loaded, network={}) == dataclasses.replace(checkpoint, network={})
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        ours, theirs = (c.restore().eval()(image) for c in (checkpoint, loaded))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_names": ("car",)}, "its class names are not those of its network"),
        ({"name": "retinanet-r19"}, "d.pt: damaged: no detector 'retinanet-r19'; there are retinanet-r18, "),
        ({"network": {}}, "Missing key"),
    ],
)
def test_a_damaged_one_is_one_line(tmp_path, checkpoint, change, message):
    save_checkpoint(tmp_path / "d.pt", dataclasses.replace(checkpoint, **change))
    with pytest.raises(UserError, match=message) as caught:
        load_checkpoint(tmp_path / "d.pt")
    assert "\n" not in str(caught.value)
