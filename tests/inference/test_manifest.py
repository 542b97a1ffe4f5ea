"""The manifest: what is written is read back; whatever is wrong with a folder is one clear line."""

import hashlib
import json
from pathlib import Path

import pytest

from errors import UserError
from inference.manifest import Labels, Manifest, Normalisation, Provenance, Tensor, load_manifest, write_manifest
from tests.support.tiny_models import make_tiny_segmenter


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_tiny_segmenter(tmp_path / "model", height=4, width=8)


def edit(folder: Path, **changes: object) -> None:
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_manifest(folder)
    text = str(caught.value)
    assert "\n" not in text
    assert str(folder) in text
    return text


def test_written_manifest_is_read_back_with_the_graphs_sha256(folder: Path) -> None:
    manifest = load_manifest(folder)
    assert manifest.graph_sha256 == hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert write_manifest(folder, manifest) == load_manifest(folder) == manifest
    assert manifest.inputs[0].shape == (1, 5, 4, 8)
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.onnx"]


def test_sizes_may_be_numbers_names_or_open(folder: Path) -> None:
    tensor = Tensor(name="x", dtype="float32", shape=(1, "N", None))
    manifest = Manifest(
        family="any",
        inputs=(tensor,),
        outputs=(tensor,),
        precision="fp32",
        provenance=Provenance(trained_on="", weights_sha256=""),
    )
    write_manifest(folder, manifest)
    assert load_manifest(folder).inputs == (tensor,)
    assert not tensor.is_static
    assert str(tensor) == "x float32[1, N, ?]"


def test_missing_folder_and_file(folder: Path, tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "absent")
    (folder / "model.json").unlink()
    assert "not found" in refused(folder)


def test_missing_and_changed_graph(folder: Path) -> None:
    graph = folder / "model.onnx"
    graph.write_bytes(graph.read_bytes() + b"\0")
    assert "is not the file" in refused(folder)
    graph.unlink()
    assert "cannot be read" in refused(folder)
    with pytest.raises(UserError, match=r"model\.onnx: No such file"):
        write_manifest(folder, load_manifest(make_tiny_segmenter(folder / "other")))


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\x00", b"{1, 2", b'{"family": "\xff"}', b"\0" * 100])
def test_what_is_not_json(folder: Path, text: bytes) -> None:
    (folder / "model.json").write_bytes(text)
    assert "not JSON" in refused(folder)


def test_an_unknown_key_is_refused_with_the_nearest_name(folder: Path) -> None:
    sensor = json.loads((folder / "model.json").read_text())["sensor"]
    edit(folder, sensor=sensor | {"widht": 512})
    text = refused(folder)
    assert "`widht`" in text
    assert "did you mean 'width'?" in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"family": None}, "Expected `str`"),
        ({"inputs": []}, "at least one input"),
        ({"inputs": [{"name": "x", "dtype": "float", "shape": []}]}, "'float' is not the name of a NumPy dtype"),
        ({"outputs": [{"name": "x", "dtype": "float32", "shape": [1.5]}]}, "outputs"),
        ({"graph": "../other/model.onnx"}, "own folder"),
        ({"graph": ""}, "cannot be read"),
        ({"format_version": 9}, "format 9"),
        ({"format_version": "1"}, "Expected `int`"),
        ({"normalisation": {"means": [0.0], "stds": [0.0]}}, "above 0"),
        ({"normalisation": {"means": [0.0], "stds": [1.0, 1.0]}}, "1 means but 2 stds"),
        ({"labels": {"names": ["a"], "colors": []}}, "one colour per name"),
        ({"labels": {"names": ["a"], "colors": [[0, 0, 256]]}}, "0..255"),
        ({"sensor": {"name": "", "height": 0, "width": 1, "fov_up_deg": 3, "fov_down_deg": -25}}, "no pixels"),
    ],
)
def test_wrong_values(folder: Path, changes: dict[str, object], said: str) -> None:
    edit(folder, **changes)
    assert said in refused(folder)


def test_a_later_format_is_named_even_where_its_keys_are_unknown(folder: Path) -> None:
    edit(folder, format_version=9, quantisation={"bits": 4})
    assert "manifest format 9" in refused(folder)


def test_values_are_checked_in_python_too() -> None:
    with pytest.raises(ValueError, match="stds"):
        Normalisation(means=(0.0,), stds=(float("nan"),))
    with pytest.raises(ValueError, match="one colour per name"):
        Labels(names=(), colors=())


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / "model.json").read_bytes()
    manifest = load_manifest(folder)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="No space left"):
        write_manifest(folder, manifest)
    assert (folder / "model.json").read_bytes() == before
    assert len(list(folder.iterdir())) == 2
