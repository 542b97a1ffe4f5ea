"""The segmentation node, and the way from a scan to its labels, against plain NumPy."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from errors import UserError
from inference.manifest import Tensor, load_manifest, write_manifest
from nodes.projection import Projection
from nodes.segmentation import Segmentation
from pipeline.messages import Header, LidarScan, RangeImage, SemanticScan, check_arrays
from pipeline.node import node_signature
from tests.support.tiny_models import CLASS_NAMES, EDGES_M, make_tiny_segmenter, tiny_labels

HEIGHT, WIDTH = 16, 64


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("models")
    outputs = ("logits", "labels")
    return {output: str(make_tiny_segmenter(root / output, HEIGHT, WIDTH, output)) for output in outputs}


def make(model: str, **params: object) -> Segmentation:
    params = {"precision": "fp32", "threads": 1} | params
    Segmentation.check(model, **params)  # type: ignore[arg-type]
    node = Segmentation(model, **params)  # type: ignore[arg-type]
    node.open()
    return node


def scan(points: int = 3000, seed: int = 0) -> LidarScan:
    """Points all round the sensor, 1 to 60 m away, none within 1 mm of a band's edge; some cannot be projected."""
    random = np.random.default_rng(seed)
    azimuth, elevation = random.uniform(-np.pi, np.pi, points), np.radians(random.uniform(-25, 3, points))
    range_m = random.uniform(1, 60, points)
    range_m = range_m[:, None]
    ground = np.cos(elevation)
    directions = np.column_stack([ground * np.cos(azimuth), ground * np.sin(azimuth), np.sin(elevation)])
    cloud = np.column_stack([range_m * directions, random.uniform(0, 1, points)]).astype(np.float32)
    near_an_edge = np.abs(range_m - np.array(EDGES_M)).min(axis=1) < 1e-3
    cloud = cloud[~near_an_edge]
    cloud[::100, random.integers(3)] = np.nan
    cloud[50::100, :3] = 0
    return LidarScan(header=Header(name="000003", seq=3, stamp_ns=300), points=cloud)


def project_slowly(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Range per pixel (-1: empty), pixel per point (-1: none), range per point; nearest wins. One point at a time."""
    seen = np.full(HEIGHT * WIDTH, -1.0)
    pixels, ranges = np.full(len(points), -1), np.zeros(len(points))
    for i, (x, y, z, _) in enumerate(points.astype(np.float64)):
        r = np.sqrt(x * x + y * y + z * z)
        if not (np.isfinite(r) and r > 0):
            continue
        u = 0.5 * (1 - np.arctan2(y, x) / np.pi) * WIDTH
        v = (1 - (np.arcsin(z / r) + np.radians(25)) / np.radians(28)) * HEIGHT
        pixel = min(max(int(np.floor(v)), 0), HEIGHT - 1) * WIDTH + min(max(int(np.floor(u)), 0), WIDTH - 1)
        pixels[i], ranges[i] = pixel, np.float32(r)
        if seen[pixel] < 0 or ranges[i] < seen[pixel]:
            seen[pixel] = ranges[i]
    return seen.astype(np.float32), pixels, ranges.astype(np.float32)


def test_signature() -> None:
    signature = node_signature(Segmentation)
    assert [(i.name, i.type) for i in signature.inputs] == [("range_image", RangeImage)]
    assert signature.output is SemanticScan


@pytest.mark.parametrize("output", ["logits", "labels"])
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_from_scan_to_labels_as_numpy_does_it(models: dict[str, str], output: str, backend: str) -> None:
    """Without voting a point has the band of the nearest point in its pixel."""
    projection = Projection(height=HEIGHT, width=WIDTH)
    projection.open()
    segmentation = make(models[output], backend=backend, knn=0)
    for seed in range(2):
        one = scan(seed=seed)
        seen, pixels, _ = project_slowly(one.points)
        result = segmentation.process(projection.process(one))
        check_arrays(result)
        np.testing.assert_array_equal(result.labels, np.where(pixels < 0, 0, tiny_labels(seen[pixels])))
        assert (pixels < 0).any()
        assert len(set(result.labels.tolist())) == len(CLASS_NAMES)
        assert result.header.name == "000003"
        assert result.class_names == CLASS_NAMES
        assert len(result.class_colors) == len(CLASS_NAMES)
    segmentation.close()


def vote_slowly(
    label_image: np.ndarray, range_image: np.ndarray, pixels: np.ndarray, ranges: np.ndarray, knn: int, search: int
) -> list[set[int]]:
    """RangeNet++'s vote, one point at a time: every class with the most votes of the ``knn`` nearest neighbours."""
    half = search // 2
    offsets = np.arange(-half, half + 1)
    gauss = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / 2.0)
    weight = 1 - gauss / gauss.sum()
    padded_labels = np.pad(label_image, half)
    padded_ranges = np.pad(range_image.astype(np.float64), half)
    winners = []
    for pixel, range_m in zip(pixels, ranges, strict=True):
        if pixel < 0:
            winners.append({0})
            continue
        row, column = divmod(int(pixel), WIDTH)
        window = padded_ranges[row : row + search, column : column + search].copy()
        window[window < 0] = np.inf
        window[half, half] = range_m
        distance = (np.abs(window - range_m) * weight).ravel()
        order = np.argsort(distance, kind="stable")[:knn]
        voters = padded_labels[row : row + search, column : column + search].ravel()[order]
        votes = np.bincount(voters[distance[order] <= 1.0], minlength=len(CLASS_NAMES))
        votes[0] = 0
        winners.append(set(np.flatnonzero(votes == votes.max()).tolist()))
    return winners


def test_voting_corrects_what_hides_behind_a_nearer_point(models: dict[str, str]) -> None:
    one = scan(6000, seed=5)
    projection = Projection(height=HEIGHT, width=WIDTH)
    projection.open()
    projected = projection.process(one)
    direct = make(models["labels"], knn=0).process(projected).labels
    voted = make(models["labels"], knn=5).process(projected).labels
    seen, pixels, ranges = project_slowly(one.points)
    winners = vote_slowly(
        tiny_labels(seen).reshape(HEIGHT, WIDTH), seen.reshape(HEIGHT, WIDTH), pixels, ranges, knn=5, search=5
    )
    agree = [label in allowed for label, allowed in zip(voted.tolist(), winners, strict=True)]
    assert np.mean(agree) > 0.999, "only rounding at the cut-off may differ"
    truth = np.where(pixels < 0, 0, tiny_labels(ranges))
    assert (voted == truth).mean() > (direct == truth).mean() + 0.05
    assert (voted[pixels < 0] == 0).all()


def test_results_do_not_change_with_the_next_scan(models: dict[str, str]) -> None:
    """A session reuses its memory; a message must not."""
    projection, segmentation = Projection(HEIGHT, WIDTH), make(models["labels"], knn=0)
    projection.open()
    first = segmentation.process(projection.process(scan(seed=1)))
    kept = first.labels.copy()
    segmentation.process(projection.process(scan(seed=2)))
    np.testing.assert_array_equal(first.labels, kept)


def test_read_only_messages_and_empty_scans(models: dict[str, str]) -> None:
    projection, segmentation = Projection(HEIGHT, WIDTH), make(models["logits"])
    projection.open()
    one = projection.process(scan())
    for array in (one.image, one.point_pixel, one.point_range):
        array.flags.writeable = False
    assert len(segmentation.process(one).labels) == len(one.point_pixel)
    empty = projection.process(LidarScan(points=np.empty((0, 4), np.float32)))
    result = segmentation.process(empty)
    check_arrays(result)
    assert len(result.labels) == 0


def test_another_size_than_the_models_names_both(models: dict[str, str]) -> None:
    segmentation, projection = make(models["labels"]), Projection(height=HEIGHT, width=2 * WIDTH)
    projection.open()
    with pytest.raises(UserError, match=r"is 16x128 pixels, but .* 16x64: set the projection's height and width"):
        segmentation.process(projection.process(scan()))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"backend": "onnx"}, "did you mean 'onnxruntime'|choose one of"),
        ({"precision": "half"}, "precision 'half' is not known"),
        ({"threads": -1}, "threads is -1"),
        ({"knn": -1}, "knn is -1"),
        ({"knn": 10, "knn_search": 3}, "has 9 pixels: give 0 .* to 9"),
        ({"knn_search": 4}, "give an odd number"),
        ({"knn_search": 0}, "give an odd number"),
        ({"knn_sigma": 0.0}, "must be above 0"),
        ({"knn_cutoff_m": float("nan")}, "must be above 0"),
    ],
)
def test_checks_of_parameters(models: dict[str, str], params: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Segmentation.check(models["labels"], **params)  # type: ignore[arg-type]


def test_check_refuses_a_damaged_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        Segmentation.check(str(tmp_path / "absent"))
    folder = make_tiny_segmenter(tmp_path / "model")
    (folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(UserError, match="is not the file"):
        Segmentation.check(str(folder))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": None}, "no normalisation, no labels or no sensor"),
        (
            {"inputs": (Tensor(name="x", dtype="uint8", shape=(1, 5, HEIGHT, WIDTH)),)},
            "does not take one float32 image",
        ),
        ({"inputs": (Tensor(name="x", dtype="float32", shape=(1, 3, 416, 416)),)}, "not \\[1, 5, 16, 64\\]"),
        ({"outputs": (Tensor(name="boxes", dtype="float32", shape=(1, 4)),)}, "gives boxes, neither labels nor logits"),
        ({"outputs": (Tensor(name="labels", dtype="uint8", shape=(1, 4)),)}, "not \\[1, 16, 64\\]"),
        (
            {"outputs": (Tensor(name="logits", dtype="float32", shape=(1, 20, HEIGHT, WIDTH)),)},
            "not \\[1, 6, 16, 64\\] for its 6 labels",
        ),
    ],
)
def test_check_refuses_a_model_of_another_kind(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    folder = make_tiny_segmenter(tmp_path, HEIGHT, WIDTH)
    write_manifest(folder, msgspec.structs.replace(load_manifest(folder), **changes))
    with pytest.raises(UserError, match=said):
        Segmentation.check(str(folder))


def test_real_scans_end_to_end(models: dict[str, str], shared_data: Path) -> None:
    """Each point of a real scan is in the band of its own range, but for pixels at the edge of an object."""
    path = sorted((shared_data / "semantickitti" / "sequences" / "00" / "velodyne").glob("*.bin"))[0]
    points = np.fromfile(path, np.float32).reshape(-1, 4)
    projection, segmentation = Projection(HEIGHT, WIDTH), make(models["labels"], knn=5)
    projection.open()
    result = segmentation.process(projection.process(LidarScan(points=points)))
    check_arrays(result)
    truth = tiny_labels(np.linalg.norm(points[:, :3], axis=1))
    assert (result.labels == truth).mean() > 0.8
