"""An export from its request to the folder that a session opens, with a model that takes a second."""

import logging
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from cli.main import main  # noqa: E402
from errors import UserError  # noqa: E402
from export.cache import StepCache  # noqa: E402
from export.request import Build, ExportRequest  # noqa: E402
from export.steps import Export  # noqa: E402
from export.to_onnx_options import Batch  # noqa: E402
from inference.auto import bf16_instructions, open_session  # noqa: E402
from inference.manifest import load_manifest, read_manifest, sha256_of, write_manifest  # noqa: E402
from tests.support.tiny_family import INPUT, TinyNetwork  # noqa: E402

ONNX, OPENVINO = Build("onnx", "fp32"), Build("openvino", "fp32")


def checkpoint(folder: Path, seed: int = 1) -> Path:
    torch.manual_seed(seed)
    torch.save(TinyNetwork().state_dict(), folder / "weights.pt")
    return folder / "weights.pt"


def export(out: Path, *builds: Build, watched: list | None = None, **options):
    """Export; ``watched`` gets what became of each step."""
    request = ExportRequest(model="tiny", builds=builds or (ONNX, OPENVINO), **({"weights": None} | options))
    watched = [] if watched is None else watched
    return Export(request, out, StepCache(), watch=lambda _: watched.append).run()


def perturb(graph: Path, weight: str) -> None:
    """Change one number of one weight of the graph."""
    model = onnx.load(graph)
    tensor = next(each for each in model.graph.initializer if each.name.startswith(weight))
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.reshape(-1)[7] += 0.5
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, graph)


def test_what_is_exported_computes_what_the_network_computes(tiny, tmp_path):
    path = checkpoint(tmp_path)
    manifest = export(tmp_path / "out", weights=path, storage="fp32")
    assert load_manifest(tmp_path / "out") == manifest
    assert manifest.parity.passed
    assert [stage.name for stage in manifest.parity.stages][:3] == ["stored weights", "onnx", "openvino fp32"]
    network = TinyNetwork().eval()
    network.load_state_dict(torch.load(path))
    image = np.random.default_rng(0).normal(size=(1, 3, 16, 24)).astype(np.float32)
    with torch.no_grad():
        scores, labels = network(torch.from_numpy(image))
    for backend in ("onnxruntime", "openvino"):
        with open_session(tmp_path / "out", backend=backend, precision="fp32") as session:
            found = session.infer({INPUT: image})
            np.testing.assert_allclose(found["scores"], scores.numpy(), atol=1e-5)
            assert (found["labels"] == labels.numpy()).mean() > 0.999


def test_the_second_time_nothing_is_made_again(tiny, tmp_path):
    first, second, other = [], [], []
    export(tmp_path / "out", watched=first)
    export(tmp_path / "again", watched=second)
    assert [done.result.hit for done in first] == [False, False, False]
    assert [done.result.hit for done in second] == [True, True, True]
    assert sha256_of(tmp_path / "out" / "model.onnx") == sha256_of(tmp_path / "again" / "model.onnx")
    export(tmp_path / "wider", height=16, width=32, watched=other)
    assert [done.result.hit for done in other] == [False, False, False]


@pytest.mark.parametrize(
    "changed",
    [{"storage": "fp32"}, {"opset": 19}, {"height": 8, "width": 24}, {"batch": Batch(2, 2, 2)}, {"trained_on": "x"}],
)
def test_whatever_the_graph_depends_on_is_in_its_key(tiny, tmp_path, changed):
    export(tmp_path / "out", ONNX)
    steps = []
    export(tmp_path / "other", ONNX, watched=steps, **changed)
    assert not steps[0].result.hit


def test_other_weights_are_another_graph(tiny, tmp_path):
    export(tmp_path / "out", ONNX, weights=checkpoint(tmp_path, seed=1))
    steps = []
    export(tmp_path / "other", ONNX, weights=checkpoint(tmp_path, seed=2), watched=steps)
    assert not steps[0].result.hit


def test_a_damaged_result_in_the_cache_is_made_again(tiny, tmp_path):
    export(tmp_path / "out", ONNX)
    graph = next((tmp_path / "cache").glob("graph-*/model.onnx"))
    graph.write_bytes(graph.read_bytes()[:-1])
    steps = []
    export(tmp_path / "other", ONNX, watched=steps)
    assert not steps[0].result.hit
    assert load_manifest(tmp_path / "other").parity.passed


def test_precisions_are_files_of_their_own(tiny, tmp_path):
    manifest = export(tmp_path / "out", ONNX, Build("onnx", "fp16"), OPENVINO, Build("openvino", "bf16"))
    assert {(a.backend, a.precision) for a in manifest.artifacts} == {("onnxruntime", "fp16"), ("openvino", "fp32")}
    stages = {stage.name: stage for stage in manifest.parity.stages}
    assert stages["onnx fp16"].passed
    assert 0 < stages["onnx fp16"].measures["relative_max"] < 5e-3
    with open_session(tmp_path / "out", backend="onnxruntime", precision="fp16") as session:
        assert session.precision == "fp16"
        assert session.infer({INPUT: np.zeros((1, 3, 16, 24), np.float32)})["scores"].dtype == np.float32
    if bf16_instructions() is None:
        assert stages["openvino bf16"].passed is None
        assert "no bf16 instructions" in stages["openvino bf16"].note


def test_int8_is_calibrated_on_real_inputs_and_states_what_it_costs(tiny, tmp_path):
    (tmp_path / "data").mkdir()
    for i in range(3):
        image = np.random.default_rng(i).normal(size=(1, 3, 16, 24)).astype(np.float32)
        np.save(tmp_path / "data" / f"{i}.npy", image)
    manifest = export(
        tmp_path / "out", ONNX, Build("onnx", "int8"), calibration=tmp_path / "data", data=tmp_path / "data"
    )
    stage = manifest.parity.of("onnxruntime", "int8")
    assert stage.passed
    assert stage.bound == ""
    assert 0.8 < stage.measures["same_label"] <= 1
    assert 1e-3 < stage.measures["relative_max"] < 0.2
    assert manifest.parity.inputs == {"made up": 1, "adversarial": 1, "scans": 3}


def test_a_batch_that_varies(tiny, tmp_path):
    manifest = export(tmp_path / "out", batch=Batch(1, 2, 4))
    assert manifest.inputs[0].shape == ("batch", 3, 16, 24)
    assert manifest.parity.passed
    with open_session(tmp_path / "out", backend="onnxruntime") as session:
        for count in (1, 3, 4):
            assert session.infer({INPUT: np.zeros((count, 3, 16, 24), np.float32)})["labels"].shape == (count, 16, 24)


def test_from_an_exported_folder_what_was_measured_is_kept(tiny, tmp_path):
    export(tmp_path / "first", ONNX, weights=checkpoint(tmp_path))
    manifest = export(tmp_path / "second", OPENVINO, weights=tmp_path / "first")
    assert [stage.name for stage in manifest.parity.stages] == ["stored weights", "onnx", "openvino fp32"]
    assert manifest.parity.passed
    assert sha256_of(tmp_path / "first" / "model.onnx") == sha256_of(tmp_path / "second" / "model.onnx")


def test_a_graph_that_differs_from_its_network_fails_and_the_layer_is_named(tiny, tmp_path, monkeypatch):
    from export import weights

    def wrongly(graph, storage, fewest=0):
        tensor = next(each for each in graph.initializer if each.name == "third.weight")
        values = onnx.numpy_helper.to_array(tensor).copy()
        values[3] *= 1.2
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))

    monkeypatch.setattr(weights, "store_weights", wrongly)
    manifest = export(tmp_path / "out")
    assert not manifest.parity.passed
    stage = manifest.parity.of("onnxruntime", "fp32")
    assert stage.first_difference == "conv2d_2 (third)"
    assert manifest.parity.of("openvino", "fp32").first_difference == "conv2d_2 (third)"
    with pytest.raises(UserError, match=r"onnx differs too much .*relative_max.* from layer conv2d_2 \(third\) on"):
        open_session(tmp_path / "out", backend="onnxruntime")
    with pytest.raises(UserError, match="differs too much"):  # what is made of a wrong graph is as wrong
        open_session(tmp_path / "out", backend="openvino", precision="fp32")
    with open_session(tmp_path / "out", backend="onnxruntime", allow_failed_parity=True) as session:
        assert session.precision == "fp32"


def test_what_a_session_would_choose_is_measured_too(tiny, tmp_path, caplog):
    manifest = export(tmp_path / "out", ONNX)
    expected = ["stored weights", "onnx", "openvino fp32", *(["openvino bf16"] if bf16_instructions() else [])]
    assert [stage.name for stage in manifest.parity.stages] == expected
    caplog.clear()
    open_session(tmp_path / "out").close()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_backend_that_was_never_measured_is_warned_of(tiny, tmp_path, caplog):
    export(tmp_path / "out", OPENVINO)
    with caplog.at_level(logging.WARNING), open_session(tmp_path / "out", backend="openvino", precision="bf16"):
        assert "parity of openvino in bf16 was never measured" in caplog.text


@pytest.mark.parametrize("weight", ["first.weight", "second.weight", "third.weight", "head.weight"])
def test_verify_names_the_layer_that_was_changed(tiny, tmp_path, capsys, weight):
    export(tmp_path / "out")
    perturb(tmp_path / "out" / "model.onnx", weight)
    assert main(["export", "verify", str(tmp_path / "out")]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "differs: model.onnx: is not the file that was exported" in said
    assert f"weight {weight} is not the one that was exported" in said.replace(".half", "")
    layer = {"first": "conv2d", "second": "conv2d_1", "third": "conv2d_2"}.get(weight.split(".")[0], "scores")
    if layer != "scores":
        assert f"layer {layer} ({weight.split('.')[0]}) is the first that does not compute" in said


def test_verify_of_a_good_export_says_so(tiny, tmp_path, capsys):
    export(tmp_path / "out")
    assert main(["export", "verify", str(tmp_path / "out")]) == 0
    assert "is what was exported, and computes it here" in " ".join(capsys.readouterr().out.split())


def test_verify_finds_a_layer_that_is_wrong_though_no_file_was_changed_since(tiny, tmp_path, capsys):
    """The manifest agrees with the graph: only what the layers compute tells."""
    export(tmp_path / "out", ONNX)
    perturb(tmp_path / "out" / "model.onnx", "second.weight")
    manifest = read_manifest(tmp_path / "out")
    write_manifest(tmp_path / "out", msgspec.structs.replace(manifest))
    assert main(["export", "verify", str(tmp_path / "out")]) == 1
    assert "layer conv2d_1 (second) is the first" in " ".join(capsys.readouterr().out.split())


def test_inspect_tells_what_is_computed_in_what(tiny, tmp_path, capsys):
    export(tmp_path / "out", ONNX, Build("onnx", "fp16"), OPENVINO)
    assert main(["export", "inspect", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    for what in (
        "model.onnx",
        "model.fp16.onnx",
        "model.xml",
        "custom operators: none",
        "Conv 4",
        "parity, onnx: passed",
    ):
        assert what in said


def test_an_export_replaces_its_own_files_and_no_others(tiny, tmp_path):
    out = tmp_path / "out"
    export(out, ONNX, OPENVINO)
    (out / "CARD.md").write_text("mine")
    export(out, ONNX)
    assert sorted(path.name for path in out.iterdir()) == ["CARD.md", "layers.json", "model.json", "model.onnx"]


def test_an_export_that_fails_leaves_what_was_there(tiny, tmp_path):
    out = tmp_path / "out"
    export(out, ONNX)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(UserError, match="the width must be even"):
        export(out, ONNX, height=16, width=23)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert not list(tmp_path.glob(".out.partial*"))


def test_engines_for_gpus_that_are_not_here(tiny, tmp_path):
    pytest.importorskip("tensorrt_rtx_bindings")
    manifest = export(tmp_path / "out", Build("tensorrt-rtx", "fp16"), capabilities=("SM86", "SM120"))
    artifact = manifest.artifact("tensorrt-rtx", "fp16")
    assert artifact.entry == "tensorrt-rtx-fp16.engine"
    assert artifact.built_for["compute_capabilities"] == "SM120, SM86"
    stage = manifest.parity.of("tensorrt-rtx", "fp16")
    assert stage.passed is None  # no GPU
    assert stage.note
    assert manifest.parity.passed
    with pytest.raises(UserError):
        open_session(tmp_path / "out", backend="tensorrt-rtx")


def test_the_cache_is_listed_and_pruned(tiny, tmp_path, capsys):
    export(tmp_path / "out", ONNX)
    assert main(["export", "cache", "list"]) == 0
    assert "2 results" in capsys.readouterr().out
    assert main(["export", "cache", "prune", "--older-than-days", "0"]) == 0
    assert "removed 2 results" in capsys.readouterr().out
    assert StepCache().entries() == []
    shutil.rmtree(tmp_path / "cache")
    assert main(["export", "cache", "list"]) == 0
