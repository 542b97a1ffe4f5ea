"""Training learns, stops, goes on, and scores; on drives of a few points."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from errors import UserError  # noqa: E402
from formats.labels import load_label_table, write_labels  # noqa: E402
from models.squeezesegv3.checkpoint import load_checkpoint  # noqa: E402
from training import segmentation  # noqa: E402
from training.segmentation import main, score, score_table, train  # noqa: E402

SMALL = {"batch": 2, "height": 8, "width": 64, "crop_width": 32}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """On images this small two threads mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """Two scans: road below, building around."""
    folder, table = tmp_path_factory.mktemp("drive"), load_label_table()
    for name in ("velodyne", "labels"):
        (folder / name).mkdir()
    for i in range(2):
        rng = np.random.default_rng(i)
        azimuth, elevation = rng.uniform(-np.pi, np.pi, 6000), np.radians(rng.uniform(-24, 2, 6000))
        road = elevation < np.radians(-8)
        distance = np.where(road, 1.7 / np.sin(np.abs(elevation) + 1e-6), 14)
        xyz = np.stack([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
        points = np.vstack([xyz * distance, np.where(road, 0.2, 0.5)]).T.astype("<f4")
        points.tofile(folder / "velodyne" / f"{i:06d}.bin")
        write_labels(folder / "labels" / f"{i:06d}.label", table.to_raw(np.where(road, 9, 13)))
    return folder


@pytest.fixture(scope="module")
def trained(drive, tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "checkpoint.pt"
    train([drive], path, steps=25, **SMALL)
    return path


def test_it_learns(drive, trained):
    checkpoint = load_checkpoint(trained)
    assert checkpoint.step == 25
    counts = score(checkpoint.restore(), [drive], height=8, width=64)
    assert counts.sum() == 12_000
    assert np.trace(counts) > 0.8 * counts.sum()
    assert "mIoU" in score_table(counts, load_label_table())


def test_resumed_is_the_same_as_uninterrupted(drive, tmp_path, monkeypatch):
    monkeypatch.setattr(segmentation, "SAVE_EVERY_STEPS", 2)
    train([drive], tmp_path / "whole.pt", steps=4, **SMALL)

    calls, sample = [], segmentation.training_sample

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) > 5:  # two windows a step: in the third step
            raise KeyboardInterrupt
        return sample(*arguments)

    monkeypatch.setattr(segmentation, "training_sample", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train([drive], tmp_path / "parts.pt", steps=4, **SMALL)
    monkeypatch.setattr(segmentation, "training_sample", sample)
    assert load_checkpoint(tmp_path / "parts.pt").step == 2
    train([drive], tmp_path / "parts.pt", steps=4, resume=True, **SMALL)

    whole, parts = (load_checkpoint(tmp_path / f"{name}.pt").network for name in ("whole", "parts"))
    for name, tensor in whole.items():
        torch.testing.assert_close(parts[name], tensor, rtol=1e-3, atol=1e-4, msg=name)


def test_resuming_nothing_or_another_network(drive, trained, tmp_path):
    with pytest.raises(UserError, match="no such checkpoint"):
        train([drive], tmp_path / "none.pt", steps=1, resume=True, **SMALL)
    with pytest.raises(UserError, match="give --layers 21"):
        train([drive], trained, steps=1, resume=True, layers=53, **SMALL)


def test_command_line(drive, trained, tmp_path, capsys):
    main(["--score", "--data", str(drive), "--out", str(trained)])
    assert "road" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="error: crop width 30: must be a multiple of 8"):
        main(["--data", str(drive), "--out", str(tmp_path / "x.pt"), "--crop-width", "30"])
    with pytest.raises(SystemExit, match=r"error: .*no velodyne"):
        main(["--data", str(tmp_path), "--out", str(tmp_path / "x.pt")])
