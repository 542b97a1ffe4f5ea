"""Which manifests are a snippet encoder's."""

import msgspec
import pytest

from errors import UserError
from inference.manifest import SnippetProfile, Tensor, load_manifest
from inference.two_stream import describe
from tests.support.tiny_encoder import DIMENSION, PROFILE, make_tiny_encoder
from tests.support.tiny_models import make_tiny_segmenter


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return load_manifest(make_tiny_encoder(tmp_path_factory.mktemp("model")))


def test_it_says_how_a_video_becomes_its_inputs(manifest):
    assert describe("model", manifest) == (PROFILE, DIMENSION)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"family": "bcgnn"}, "is a model of family 'bcgnn', not 'two-stream'"),
        ({"snippet": None}, "give the folder of an exported two-stream model"),
        ({"snippet": SnippetProfile(snippet_s=0.6, frames=4, height=32, width=32)}, "not one snippet's rgb and flow"),
        (
            {"outputs": (Tensor(name="logits", dtype="float32", shape=(1, 7)),)},
            r"gives logits .*, not features \[1, D\]",
        ),
    ],
)
def test_other_models_are_told_apart(manifest, change, what):
    with pytest.raises(UserError, match=what):
        describe("model", msgspec.structs.replace(manifest, **change))


def test_a_segmenter_is_none(tmp_path):
    with pytest.raises(UserError, match="not 'two-stream'"):
        describe(tmp_path, load_manifest(make_tiny_segmenter(tmp_path, height=8, width=16)))


def test_a_profile_without_motion_is_refused():
    with pytest.raises(ValueError, match="give two or more"):
        SnippetProfile(snippet_s=0.6, frames=1, height=32, width=32)
