"""A checkpoint gives the same network back, and a file that is none is one clear line."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from errors import UserError  # noqa: E402
from models.bcgnn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint  # noqa: E402
from models.bcgnn.network import BCGNN  # noqa: E402


def checkpoint(**changes):
    torch.manual_seed(0)
    network = BCGNN(5, 12, 7, variant="directed", base_dim=6, node_dim=4, content_dim=3, samples=4)
    usual = {"arguments": network.arguments, "step": 3, "network": network.state_dict(), "trained_on": "noise"}
    usual |= {"style": "sliding", "step_s": 0.6}
    return Checkpoint(**(usual | changes))


def test_the_network_comes_back(tmp_path):
    made = checkpoint()
    save_checkpoint(tmp_path / "best.pt", made)
    found = load_checkpoint(tmp_path / "best.pt")
    assert (found.arguments, found.step, found.trained_on) == (made.arguments, 3, "noise")
    assert (found.style, found.step_s) == ("sliding", 0.6)
    assert (found.arguments["length"], found.arguments["max_duration"]) == (12, 7)
    features = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 5, 12)).astype(np.float32))
    with torch.no_grad():
        for ours, theirs in zip(found.restore()(features), made.restore()(features), strict=True):
            assert torch.equal(ours, theirs)
    assert list(tmp_path.iterdir()) == [tmp_path / "best.pt"]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "no such checkpoint"),
        (b"", "not a checkpoint, or damaged"),
        (b"nothing of the kind", "not a checkpoint, or damaged"),
        ({"weights": torch.zeros(3)}, "not a checkpoint of bcgnn; give one that run.py train"),
        ({"family": "squeezesegv3", "step": 1}, "not a checkpoint of bcgnn"),
        (
            {"family": "bcgnn", "step": 1},
            r"a checkpoint of another version of Rangecast \(arguments, network, step_s, style, trained_on\)",
        ),
        ({"family": "bcgnn", **vars(checkpoint(network={}))}, "damaged: Error.s. in loading state_dict"),
        ({"family": "bcgnn", **vars(checkpoint(arguments={"length": 12}))}, "damaged: .*feature_dim"),
    ],
)
def test_what_is_no_checkpoint_is_one_clear_line(tmp_path, content, what):
    path = tmp_path / "best.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(UserError, match=rf"best\.pt: {what}") as raised:
        load_checkpoint(path)
    assert "\n" not in str(raised.value)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot be written: No such file or directory"):
        save_checkpoint(tmp_path / "nowhere" / "best.pt", checkpoint())
