"""``run.py import squeezesegv3`` as a user calls it."""

from pathlib import Path

import pytest
import yaml

torch = pytest.importorskip("torch")

from cli.main import main  # noqa: E402
from formats.labels import SEMANTIC_KITTI, load_label_table  # noqa: E402
from models.squeezesegv3.checkpoint import load_checkpoint  # noqa: E402
from models.squeezesegv3.network import SqueezeSegV3  # noqa: E402
from models.squeezesegv3.release import PARTS  # noqa: E402

SENSOR = {
    "fov_up": 3,
    "fov_down": -25,
    "img_prop": {"width": 512, "height": 64},
    "img_means": [-1.04, 10.88, 0.23, 12.12, 0.21],
    "img_stds": [0.86, 11.47, 6.91, 12.32, 0.16],
}


@pytest.fixture(scope="module")
def network() -> SqueezeSegV3:
    torch.manual_seed(0)
    return SqueezeSegV3(21)


@pytest.fixture
def release(network: SqueezeSegV3, tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    for part in PARTS:
        torch.save(network.get_submodule(part).state_dict(), folder / part)
    architecture = {"backbone": {"extra": {"layers": 21}}, "dataset": {"sensor": SENSOR}}
    (folder / "arch_cfg.yaml").write_text(yaml.safe_dump(architecture))
    (folder / "data_cfg.yaml").write_bytes(SEMANTIC_KITTI.read_bytes())
    return folder


def test_release_becomes_a_checkpoint(
    network: SqueezeSegV3, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "imported.pt"
    assert main(["import", "squeezesegv3", str(release), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "SqueezeSegV3-21, 20 classes, range images of 64x512, 3° to -25°" in said
    assert "note: normalised with its own means" in said
    checkpoint = load_checkpoint(out)
    assert checkpoint.label_names == load_label_table().names
    state = network.state_dict()
    assert checkpoint.network.keys() == state.keys()
    assert all(torch.equal(checkpoint.network[name], state[name]) for name in state)

    content = out.read_bytes()
    assert main(["import", "squeezesegv3", str(release), "--out", str(out)]) == 2
    assert "exists; give another name, or --force" in capsys.readouterr().err
    assert main(["import", "squeezesegv3", str(release), "--out", str(out), "--force"]) == 0
    assert out.read_bytes() == content


def test_other_classes_are_refused(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, labels = tmp_path / "imported.pt", yaml.safe_load(SEMANTIC_KITTI.read_text())
    labels["learning_map_inv"][9] = 72
    (release / "data_cfg.yaml").write_text(yaml.safe_dump(labels))
    assert main(["import", "squeezesegv3", str(release), "--out", str(out)]) == 2
    assert "data_cfg.yaml: class 9 is 'terrain', but 'road' in" in capsys.readouterr().err
    del labels["learning_map_inv"][19], labels["learning_map"][81]
    labels["learning_map_inv"][9] = 40
    (release / "data_cfg.yaml").write_text(yaml.safe_dump(labels))
    assert main(["import", "squeezesegv3", str(release), "--out", str(out)]) == 2
    assert "data_cfg.yaml: 19 classes, but 20 in" in capsys.readouterr().err
    assert not out.exists()


def test_incomplete_folder_is_one_line(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (release / "segmentation_head4").unlink()
    assert main(["import", "squeezesegv3", str(release), "--out", str(tmp_path / "imported.pt")]) == 2
    assert (
        capsys.readouterr().err.strip() == f"error: {release}: segmentation_head4 missing; give a whole release folder"
    )
    assert not (tmp_path / "imported.pt").exists()
