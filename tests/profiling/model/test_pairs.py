"""Which backends and precisions are profiled; nothing is left out without a word."""

import re

import pytest

from errors import UserError
from inference.auto import BACKENDS, PRECISIONS
from profiling.model.pairs import choose
from tests.support.tiny_models import make_tiny_segmenter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_tiny_segmenter(tmp_path_factory.mktemp("model"), 8, 64)


def test_those_asked_for_in_their_order(folder):
    found = choose(folder, ["openvino", "onnxruntime"], ["fp32"], 1)
    assert [str(pair) for pair in found.pairs] == ["openvino fp32", "onnxruntime fp32"]
    assert [pair.provider for pair in found.pairs] == ["CPU", "CPUExecutionProvider"]
    assert found.left_out == {}


def test_auto_takes_what_works_and_says_of_all_others_why_not(folder):
    found = choose(folder, ["auto"], ["auto"], 1)
    names = [str(pair) for pair in found.pairs]
    assert {"openvino fp32", "onnxruntime fp32"} <= set(names)
    every = {f"{backend} {precision}" for backend in BACKENDS for precision in PRECISIONS[backend]}
    assert {*names, *found.left_out} == every
    assert not set(names) & found.left_out.keys()
    assert all(found.left_out.values())


def test_a_precision_that_one_of_the_backends_does_not_have_is_told(folder):
    found = choose(folder, ["openvino", "onnxruntime"], ["fp32", "auto"], 1)
    assert "was not exported for onnxruntime in fp16" in found.left_out["onnxruntime fp16"]


@pytest.mark.parametrize(
    ("backends", "precisions", "message"),
    [
        (["openvno"], ["fp32"], "--backend 'openvno' is not known; did you mean 'openvino'?"),
        (["openvino"], ["fp64"], "--precision 'fp64' is not known; did you mean"),
        (["onnxruntime"], ["bf16"], "bf16, onnxruntime: nothing to profile (onnxruntime bf16: there is none, it has"),
        (["onnxruntime"], ["fp32", "bf16"], "bf16: nothing to profile (onnxruntime bf16: there is none"),
        (["onnxruntime", "openvino"], ["fp16"], "was not exported for onnxruntime in fp16; run.py export"),
    ],
)
def test_what_cannot_be_had_is_one_line(folder, backends, precisions, message):
    with pytest.raises(UserError, match=re.escape(message)):
        choose(folder, backends, precisions, 1)
