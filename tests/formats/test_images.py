"""Images: what is whole is decoded, what is cut or damaged is refused."""

import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errors import UserError
from formats import DamagedFileError
from formats.images import read_header, read_image

rng = np.random.default_rng(5)
PICTURE = cv2.GaussianBlur(rng.integers(0, 256, (48, 64, 3), np.uint8), (5, 5), 0)
ENCODED = {
    "png": cv2.imencode(".png", PICTURE)[1].tobytes(),
    "jpg": cv2.imencode(".jpg", PICTURE)[1].tobytes(),
    "progressive jpg": cv2.imencode(".jpg", PICTURE, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes(),
    "jpg with restarts": cv2.imencode(".jpg", PICTURE, [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1].tobytes(),
}


@pytest.mark.parametrize("kind", ENCODED)
def test_a_whole_image_is_decoded(tmp_path, kind):
    path = tmp_path / "image"
    path.write_bytes(ENCODED[kind])
    image = read_image(path)
    assert image.shape == (48, 64, 3)
    assert image.dtype == np.uint8
    tolerance = 0 if kind == "png" else 40
    assert np.abs(image.astype(int) - PICTURE).max() <= tolerance


def test_grey_deep_and_transparent_images_become_bgr(tmp_path):
    path = tmp_path / "image.png"
    cv2.imwrite(str(path), PICTURE[:, :, 0])
    assert np.array_equal(read_image(path), np.repeat(PICTURE[:, :, :1], 3, axis=2))
    cv2.imwrite(str(path), PICTURE.astype(np.uint16) * 257)
    assert np.array_equal(read_image(path), PICTURE)
    cv2.imwrite(str(path), np.dstack([PICTURE, np.full((48, 64), 7, np.uint8)]))
    assert np.array_equal(read_image(path), PICTURE)


@pytest.mark.parametrize("kind", ENCODED)
def test_no_truncation_goes_unnoticed(tmp_path, kind):
    data, path = ENCODED[kind], tmp_path / "image"
    # A JPEG that lacks but the two bytes that end it has all its picture.
    for length in {*range(0, len(data) - 2, 41), *range(len(data) - 40, len(data) - 2)}:
        path.write_bytes(data[:length])
        with pytest.raises(DamagedFileError):
            read_image(path)


def test_imread_would_let_a_truncated_jpeg_pass(tmp_path):
    path = tmp_path / "cut.jpg"
    path.write_bytes(ENCODED["jpg"][: len(ENCODED["jpg"]) // 2])
    assert cv2.imread(str(path)) is not None, "images.py need no longer read the bytes itself"
    with pytest.raises(DamagedFileError, match="truncated or damaged"):
        read_image(path)


def test_a_whole_thumbnail_does_not_pass_for_the_image(tmp_path):
    thumbnail, path = ENCODED["jpg"], tmp_path / "a.jpg"
    application = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = thumbnail[:2] + application + thumbnail[2:]
    path.write_bytes(whole)
    assert np.array_equal(read_image(path), cv2.imdecode(np.frombuffer(thumbnail, np.uint8), cv2.IMREAD_COLOR))
    path.write_bytes(whole[:-200])
    with pytest.raises(DamagedFileError):
        read_image(path)


@settings(deadline=None, max_examples=60)
@given(st.integers(8, len(ENCODED["png"]) - 13), st.integers(1, 255))
def test_every_flipped_byte_of_a_png_is_found(tmp_path_factory, at, flip):
    data = bytearray(ENCODED["png"])
    data[at] ^= flip
    path = tmp_path_factory.getbasetemp() / "flipped.png"
    path.write_bytes(data)
    with pytest.raises(DamagedFileError):
        read_image(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"GIF89a" + bytes(100), "neither a PNG nor a JPEG"),
        (ENCODED["png"][:-20], "truncated or damaged"),
        (ENCODED["jpg"][:-20], "truncated or damaged"),
        (b"\xff\xd8\xff\xd9", "truncated or damaged"),
    ],
)
def test_a_bad_image_is_one_line_with_its_path(tmp_path, data, message):
    path = tmp_path / "0000000003.png"
    path.write_bytes(data)
    with pytest.raises(UserError, match=message) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_png_that_claims_to_be_too_large_is_one_line(tmp_path):
    data = bytearray(ENCODED["png"])
    data[16:24] = (2**30).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"a\.png: (cannot be decoded|truncated or damaged)") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_image(tmp_path / "absent.png")


def test_real_images(shared_data, tmp_path):
    for folder, suffix in (("coco_val2017_subset/images", "jpg"), ("nuscenes_demo", "jpg"), ("kitti_raw", "png")):
        paths = sorted((shared_data / folder).rglob(f"*.{suffix}"))[:4]
        assert paths
        for path in paths:
            assert read_image(path).std() > 20
            cut = tmp_path / path.name
            cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            with pytest.raises(DamagedFileError, match="truncated or damaged"):
                read_image(cut)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize(("shape", "channels"), [((5, 9, 3), 3), ((5, 9), 1)])
def test_the_header_says_what_decoding_would(tmp_path, suffix: str, shape: tuple[int, ...], channels: int) -> None:
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), np.zeros(shape, np.uint8))
    assert read_header(path) == (9, 5, channels)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(DamagedFileError, match=f"a{suffix}"):
        read_header(path)
