"""The streaming encoder gives what the encoder gives for the snippets of the whole video."""

import cv2
import numpy as np
import pytest

from errors import UserError
from models.two_stream.snippets import Snippeter, SnippetSettings
from nodes.snippet_features import SnippetEncoder
from pipeline.messages import CameraFrame, Header
from tests.support.tiny_bcgnn import make_tiny_bcgnn
from tests.support.tiny_encoder import make_tiny_encoder, tiny_features

BEGIN_NS = 1_317_013_342_000_000_000


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(make_tiny_encoder(tmp_path_factory.mktemp("encoder")))


@pytest.fixture
def encoder(model):
    node = SnippetEncoder(model, backend="onnxruntime")
    node.open()
    yield node
    node.close()


def image(number):
    """A disc that moves over a ground of noise."""
    picture = np.random.default_rng(0).integers(0, 80, (48, 64, 3), np.uint8)
    return cv2.circle(picture, (10 + 2 * number, 20), 8, (200, 150, 100), -1)


def frame(number, time_s):
    return CameraFrame(
        header=Header(stamp_ns=BEGIN_NS + round(time_s * 1e9), name=f"{number:06d}"), image=image(number)
    )


def test_the_same_features_as_of_the_whole_video(encoder):
    times_s = [n / 10 for n in range(20)]
    found = [m for n, t in enumerate(times_s) for m in encoder.process(frame(n, t))]
    found += encoder.finish()
    snippeter = Snippeter(SnippetSettings(snippet_s=0.6, frames=3, height=32, width=32))
    snippets = [s for n, t in enumerate(times_s) for s in snippeter.add(image(n), t)] + snippeter.finish()
    assert [(m.start_s, m.end_s) for m in found] == [(s.start_s, s.end_s) for s in snippets]
    assert len(found) == 3
    np.testing.assert_allclose([m.features for m in found], [tiny_features(s) for s in snippets], rtol=1e-4, atol=1e-5)
    assert {m.begin_ns for m in found} == {BEGIN_NS}
    assert all(m.header.stamp_ns < BEGIN_NS + m.end_s * 1e9 for m in found)  # its last sample is before its end


def test_after_a_long_gap_the_snippets_begin_anew(encoder, caplog):
    times_s = [*(n / 10 for n in range(8)), *(20.05 + n / 10 for n in range(8))]
    found = [m for n, t in enumerate(times_s) for m in encoder.process(frame(n, t))]
    assert [m.start_s for m in found] == pytest.approx([0.0, 20.05])
    assert encoder.counters["gaps"] == 1
    assert "no frame for 19.4 s before 000008" in caplog.text


def test_a_video_shorter_than_a_snippet_is_told(encoder, caplog):
    for n in range(3):
        assert encoder.process(frame(n, n / 10)) == []
    assert list(encoder.finish()) == []
    assert "the video ended after 0.20 s, before its first snippet of 0.6 s was complete" in caplog.text


def test_check_refuses(model, tmp_path):
    SnippetEncoder.check(model)
    with pytest.raises(UserError, match="threads is -1"):
        SnippetEncoder.check(model, threads=-1)
    with pytest.raises(UserError, match="not 'two-stream'; give the folder of an exported two-stream model"):
        SnippetEncoder.check(str(make_tiny_bcgnn(tmp_path)))
