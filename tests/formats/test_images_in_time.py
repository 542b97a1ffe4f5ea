"""Pictures in time: from video files and folders, counted from the first, with what was left out."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from errors import UserError
from formats.images_in_time import ImagesInTime
from tests.formats.test_video import SIZE, bar, write_video


def test_a_video_starts_at_zero_whatever_its_clock_says(tmp_path):
    write_video(tmp_path / "a.mkv", [1400, 1440, 1500, 1510])
    images = ImagesInTime(tmp_path / "a.mkv")
    found = list(images)
    assert [time_s for time_s, _ in found] == [0, 0.04, 0.1, 0.11]
    assert [bar(image) for _, image in found] == [0, 1, 2, 3]
    assert (images.damaged, images.notes) == (0, [])


def test_a_folder_of_pictures_with_a_damaged_one(tmp_path):
    for k in range(4):
        cv2.imwrite(str(tmp_path / f"{k:06d}.png"), np.full((*SIZE, 3), k, np.uint8))
    (tmp_path / "times.txt").write_text("3.0\n3.2\n3.4\n3.6\n")
    (tmp_path / "000001.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    images = ImagesInTime(tmp_path)
    found = list(images)
    assert images.count == 4
    np.testing.assert_allclose([time_s for time_s, _ in found], [0, 0.4, 0.6])
    assert [image[0, 0, 0] for _, image in found] == [0, 2, 3]
    assert images.damaged == 1
    assert "1 frames are damaged" in images.notes[-1]


def test_a_video_that_is_cut_short_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "a.avi"
    write_video(path, list(range(60)), time_base=Fraction(1, 25))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    images = ImagesInTime(path)
    assert 5 < len(list(images)) < 60
    assert any("cut short or damaged" in note for note in images.notes)


def test_nothing_to_see_is_one_line(tmp_path):
    (tmp_path / "000000.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UserError, match="none of its 1 frames can be decoded"):
        list(ImagesInTime(tmp_path))
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(UserError, match=r"a\.mp4: cannot be opened as a video"):
        ImagesInTime(tmp_path / "a.mp4")
