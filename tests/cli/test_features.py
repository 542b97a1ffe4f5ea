"""``run.py features`` as a user calls it: what is written, what is kept, and every mistake in one line."""

import json

import av
import numpy as np
import pytest

from cli.main import main
from formats.images_in_time import ImagesInTime
from formats.temporal.features import read_features
from models.two_stream.snippets import Snippeter, SnippetSettings
from tests.formats.test_video import write_video
from tests.support.tiny_encoder import DIMENSION, make_tiny_encoder, tiny_features
from tests.support.tiny_models import make_tiny_segmenter

SETTINGS = SnippetSettings(height=32, width=32)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def video(tmp_path):
    """Three seconds."""
    write_video(tmp_path / "clip.mkv", list(range(0, 3000, 40)))
    return tmp_path / "clip.mkv"


def run(*arguments, model, out, backend="onnxruntime"):
    return main(["features", *map(str, arguments), "--model", str(model), "--out", str(out), "--backend", backend])


def expected(video, stride=None):
    snippeter, found = Snippeter(SETTINGS, stride), []
    for time_s, image in ImagesInTime(video):
        found += snippeter.add(image, time_s)
    return np.stack([tiny_features(snippet) for snippet in found + snippeter.finish()], axis=1)


def test_a_column_per_snippet_and_what_it_is(model, video, tmp_path):
    assert run(video, model=model, out=tmp_path / "out") == 0
    features = read_features(tmp_path / "out" / "clip.npy", DIMENSION)
    assert features.shape == (DIMENSION, 5)
    np.testing.assert_allclose(features, expected(video), atol=1e-5)
    about = json.loads((tmp_path / "out" / "clip.json").read_text())
    assert (about["video"], about["video_bytes"]) == ("clip.mkv", video.stat().st_size)
    assert (about["snippets"], about["frames"], about["snippet_s"], about["step_s"]) == (5, 75, 0.6, 0.6)
    assert (about["duration_s"], about["fps"]) == (pytest.approx(3), pytest.approx(25))
    assert about["model_sha256"] == json.loads((model / "model.json").read_text())["graph_sha256"]


def test_snippets_may_overlap(model, video, tmp_path):
    assert run(video, "--stride", 0.2, model=model, out=tmp_path / "out") == 0
    features = read_features(tmp_path / "out" / "clip.npy", DIMENSION)
    assert features.shape == (DIMENSION, 13)
    np.testing.assert_allclose(features, expected(video, stride=1), atol=1e-5)


def test_what_is_there_is_kept_and_what_is_of_another_model_is_refused(model, video, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(video, model=model, out=out) == 0
    before = (out / "clip.npy").stat().st_mtime_ns
    write_video(tmp_path / "second.mkv", list(range(0, 1000, 40)))
    assert run(video, tmp_path / "second.mkv", model=model, out=out) == 0
    assert "features of 1 of 2 videos are there; kept" in capsys.readouterr().out
    assert (out / "clip.npy").stat().st_mtime_ns == before
    assert (out / "second.npy").exists()
    other = make_tiny_encoder(tmp_path / "other", trained_on="something else")
    assert run(video, model=other, out=out) == 2
    assert "has features with model_sha256" in capsys.readouterr().err
    assert run(video, "--stride", "0.2", model=model, out=out) == 2
    assert "clip.npy: has features with step_s 0.6, not 0.2; --force replaces them" in capsys.readouterr().err
    assert run(video, "--force", model=other, out=out) == 0
    assert (out / "clip.npy").stat().st_mtime_ns > before
    (out / "clip.json").unlink()
    assert run(video, model=other, out=out) == 2
    assert "nothing beside it says what these features are" in capsys.readouterr().err


def test_a_folder_of_pictures_is_a_video_too(model, tmp_path):
    import cv2

    folder = tmp_path / "drive" / "image_2"
    folder.mkdir(parents=True)
    for k in range(8):
        cv2.imwrite(str(folder / f"{k:06d}.png"), np.full((40, 60, 3), 10 * k, np.uint8))
    assert run(tmp_path / "drive", model=model, out=tmp_path / "out") == 0
    assert read_features(tmp_path / "out" / "drive.npy", DIMENSION).shape == (DIMENSION, 1)


def test_mistakes_are_one_line_each_and_leave_nothing(model, video, tmp_path, capsys):
    short, text, sound = tmp_path / "short.mkv", tmp_path / "notes.mp4", tmp_path / "sound.wav"
    write_video(short, [0, 40, 80])
    text.write_text("no video\n")
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    (tmp_path / "clip.avi").write_bytes(b"")
    segmenter = make_tiny_segmenter(tmp_path / "segmenter", height=8, width=16)
    out = tmp_path / "out"
    for arguments, how, what in [
        ([short], {}, "short.mkv: its 3 frames last 0.12 s, less than a snippet of 0.6 s; give a longer video"),
        ([text], {}, "notes.mp4: cannot be opened as a video"),
        ([sound], {}, "sound.wav: no video in it"),
        ([tmp_path / "gone.mp4"], {}, "no such file or folder"),
        ([video, tmp_path / "clip.avi"], {}, "another video is called clip too"),
        ([video, "--stride", 0.3], {}, "--stride 0.3: this model samples every 0.2 s; give a multiple of that"),
        ([video, "--stride", "nan"], {}, "--stride nan"),
        ([video], {"model": segmenter}, "not 'two-stream'; give the folder of an exported two-stream model"),
        ([video], {"model": tmp_path / "none"}, "no such folder"),
        ([video], {"backend": "cudnn"}, "cudnn"),
        ([video], {"out": text / "under-a-file"}, "cannot be written"),
    ]:
        assert run(*arguments, **{"model": model, "out": out, **how}) == 2
        error = capsys.readouterr().err
        assert what in error
        assert error.count("\n") == 1
        assert not out.exists() or not list(out.iterdir())
