"""Actions end to end, in real processes: a video in, proposals and an annotated video out."""

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import yaml

from formats.images_in_time import ImagesInTime
from formats.temporal.results import read_results
from inference import bcgnn, two_stream
from inference.manifest import load_manifest
from models.bcgnn.offline import video_proposals
from models.two_stream.snippets import Snippeter, SnippetSettings
from tests.support.runs import ROOT, remove, run_py, short_folder
from tests.support.tiny_bcgnn import LENGTH, make_tiny_bcgnn, tiny_score
from tests.support.tiny_encoder import make_tiny_encoder, tiny_features

CONFIG = ROOT / "configs" / "pipelines" / "video.yaml"


@pytest.fixture
def here() -> Iterator[Path]:
    folder = short_folder()
    yield folder
    remove(folder)


def write_video(path: Path, frames: int) -> Path:
    """Ten frames a second: the light goes on and off, and while it is on a disc moves."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            on = number // 40 % 2
            image = np.full((48, 64, 3), 200 if on else 40, np.uint8)
            cv2.circle(image, (8 + on * (number % 40), 24), 6, (90, 160, 220), -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def play(video: Path, out: Path, encoder: Path, bcgnn: Path, *more: str):
    settings = {
        "features.params.model": encoder,
        "features.params.precision": "fp32",
        "proposals.params.model": bcgnn,
        "proposals.params.precision": "fp32",
        "proposals.params.stride": 2,
        "video.params.width": 640,
    }
    pairs = [text for name, value in settings.items() for text in ("--set", f"nodes.{name}={value}")]
    return run_py("play", str(CONFIG), "--data", str(video), "--rate", "max", "--out", str(out), *pairs, *more)


def test_a_video_becomes_proposals_and_an_annotated_video(here):
    video = write_video(here / "clip.mp4", 200)
    encoder, bcgnn = make_tiny_encoder(here / "encoder"), make_tiny_bcgnn(here / "bcgnn")
    done = play(video, here / "out", encoder, bcgnn, "--strict")
    assert done.returncode == 0, done.stdout + done.stderr

    snippeter = Snippeter(SnippetSettings(snippet_s=0.6, frames=3, height=32, width=32))
    snippets = [s for time_s, image in ImagesInTime(video) for s in snippeter.add(image, time_s)] + snippeter.finish()
    expected = video_proposals(
        np.float32([tiny_features(snippet) for snippet in snippets]).T,
        np.array([(snippet.start_s + snippet.end_s) / 2 for snippet in snippets]),
        tiny_score,
        length=LENGTH,
        stride=2,
        sigma=0.4,
        least_score=0.05,
    )
    found = read_results(here / "out" / "proposals.json")["clip"]
    assert len(found.scores) == len(expected.scores) > 20
    order = [np.lexsort(p.segments_s.T.round(6)) for p in (found, expected)]
    np.testing.assert_allclose(found.segments_s[order[0]], expected.segments_s[order[1]], atol=1e-6)
    np.testing.assert_allclose(found.scores[order[0]], expected.scores[order[1]], rtol=1e-3)

    with av.open(str(here / "out" / "video.mp4")) as annotated:
        times_s = [float(frame.pts * frame.time_base) for frame in annotated.decode(video=0)]
    np.testing.assert_allclose(times_s, np.arange(200) / 10, atol=1e-3)


def test_features_of_another_model_are_one_line(here):
    video = write_video(here / "clip.mp4", 30)
    encoder, bcgnn = make_tiny_encoder(here / "encoder"), make_tiny_bcgnn(here / "bcgnn", dimension=9)
    done = play(video, here / "out", encoder, bcgnn)
    assert done.returncode == 2
    said = " ".join(done.stdout.split())
    assert f"the snippets have 7 features, but {bcgnn} takes 9: use the features that it was trained on" in said
    assert "Traceback" not in done.stdout + done.stderr
    assert not (here / "out" / "proposals.json").exists()


def test_the_shipped_weights_go_together():
    """What the shipped graphs join: the encoder's features, at its pace, are those that the proposals are made of."""
    folders = [ROOT / "weights" / name for name in ("two-stream", "bcgnn-100")]
    encoder = two_stream.describe(folders[0], load_manifest(folders[0]))
    proposer = bcgnn.describe(folders[1], load_manifest(folders[1]))
    assert encoder.dimension == proposer.dimension
    assert (proposer.windows.style, proposer.windows.step_s) == ("sliding", encoder.snippet.snippet_s)
    for name in ("video", "demo"):
        nodes = yaml.safe_load((CONFIG.parent / f"{name}.yaml").read_text())["nodes"]
        models = [Path(nodes[node]["params"]["model"]).name for node in ("features", "proposals")]
        assert models == [folder.name for folder in folders]
