"""Labels from pixels back to points: the k-nearest-neighbour vote of RangeNet++.

Milioto et al., *RangeNet++: Fast and Accurate LiDAR Semantic Segmentation*, IROS 2019, Sec. III-D. Several points
share a pixel, and pixels at the edge of an object mix near and far; so each point asks the pixels around its own, and
those nearest to it in range vote.
"""

from __future__ import annotations

import numba
import numpy as np

from errors import UserError
from models.arrays import on_two_cores, read_only

MAX_SEARCH = 15  # a window's pixels are numbered in eight bits
_NO_VOTER = np.int64(2**62)


def refine(
    label_image: np.ndarray,
    range_image: np.ndarray,
    point_pixel: np.ndarray,
    point_range: np.ndarray,
    *,
    knn: int = 5,
    search: int = 5,
    sigma: float = 1.0,
    cutoff_m: float = 1.0,
    classes: int = 20,
) -> np.ndarray:
    """The class of each point: [N] uint8.

    For a point of range r whose pixel is the centre of a window of ``search`` × ``search`` pixels, in float32:

    1. Each pixel of the window with range r_i has the distance ``|r_i − r| · (1 − g_i)``, where g is a Gaussian of
       ``sigma`` pixels around the centre that adds up to 1. The centre counts as the point itself (distance 0). A
       pixel without a point (range < 0) is infinitely far. Outside the image range and label are 0.
    2. The ``knn`` smallest distances are chosen; of equal ones the nearer to the centre, then the first in row order.
    3. Each chosen one that is not beyond ``cutoff_m`` votes for its label. Votes for class 0 do not count. The most
       votes win; of equal ones the lowest class.

    A point without any vote gets 0 (RangeNet++ gives it class 1), and so does a point that has no pixel.

    Args:
        label_image: [H, W] uint8, below ``classes``.
        range_image: [H, W] float32 in metres, negative where there is no point.
        point_pixel: [N] int32, ``row * W + column``, or −1.
        point_range: [N] float32, metres.

    Raises:
        UserError: a parameter out of its range.
        ValueError: arrays that do not fit together, or labels that are not below ``classes``.
    """
    if not 1 <= search <= MAX_SEARCH or search % 2 == 0:
        raise UserError(f"KNN search window {search}: must be an odd number of pixels, 1 to {MAX_SEARCH}")
    if not 1 <= knn <= search * search:
        raise UserError(f"knn={knn}: must be from 1 to {search * search}, the pixels of a {search}×{search} window")
    if not cutoff_m > 0 or not sigma > 0:
        raise UserError(f"KNN cutoff_m={cutoff_m}, sigma={sigma}: both must be above 0")
    if label_image.shape != range_image.shape or point_pixel.shape != point_range.shape:
        raise ValueError(
            f"label image {label_image.shape} and range image {range_image.shape}, point pixels {point_pixel.shape} "
            f"and ranges {point_range.shape}: must agree"
        )
    if label_image.max(initial=0) >= classes or point_pixel.max(initial=-1) >= label_image.size:
        raise ValueError("a label is not below classes, or a point's pixel is outside the image")

    pad = search // 2
    labels = np.pad(np.asarray(label_image, np.uint8), pad)
    ranges = np.pad(np.asarray(range_image, np.float32), pad)
    ranges[ranges < 0] = np.inf
    weights = inverse_gaussian(search, sigma).reshape(-1)
    rows, columns = np.divmod(np.arange(search * search), search)
    outwards = np.argsort((rows - pad) ** 2 + (columns - pad) ** 2, kind="stable")  # the centre comes first
    window = (rows * labels.shape[1] + columns)[outwards]
    pixels, distances = read_only(point_pixel, np.int32), read_only(point_range, np.float32)
    agreed = _agreed_labels(labels, ranges, search)
    voted = np.zeros(len(pixels), np.uint8)

    def vote(part: slice) -> None:
        _vote(
            labels, ranges, agreed, pixels[part], distances[part], window, weights[outwards], knn, np.float32(cutoff_m),
            classes, voted[part],
        )  # fmt: skip

    on_two_cores(vote, len(pixels))
    return voted


def inverse_gaussian(search: int, sigma: float) -> np.ndarray:
    """``1 − g``: [search, search] float32, g a Gaussian of ``sigma`` pixels that adds up to 1."""
    offset = np.arange(search) - search // 2
    gaussian = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * sigma**2))
    return (1 - gaussian / gaussian.sum()).astype(np.float32)


@numba.njit(nogil=True, cache=True)
def _vote(labels, ranges, agreed, point_pixel, point_range, window, weights, knn, cutoff, classes, voted):
    """``labels`` and ``ranges`` are padded by half a window: that of pixel (v, u) begins at [v, u] and has its pixels
    at the offsets ``window``, from the centre outwards, each with its weight. Writes into ``voted``."""
    padded_width, width = labels.shape[1], agreed.shape[1]
    flat_labels, flat_ranges, flat_agreed = labels.reshape(-1), ranges.reshape(-1), agreed.reshape(-1)
    size = len(window)
    near_ranges, near_labels = np.empty(size, np.float32), np.empty(size, np.uint8)
    differs = np.empty(size, np.int32)
    votes = np.empty(classes, np.int32)
    # Distance and place in one number: floats that are not negative are in the order of their bits.
    keys = np.empty(size, np.int64)
    distances = np.empty(size, np.float32)
    distance_bits = distances.view(np.int32)
    gathered = -1

    for i in range(len(point_pixel)):
        pixel = point_pixel[i]
        if pixel < 0:
            continue
        if flat_agreed[pixel] > 0:
            voted[i] = flat_agreed[pixel]
            continue
        if pixel != gathered:  # neighbours in a scan often share their pixel, and so the window
            gathered = pixel
            first = pixel // width * padded_width + pixel % width
            for j in range(size):
                near_ranges[j] = flat_ranges[first + window[j]]
                near_labels[j] = flat_labels[first + window[j]]
                differs[j] = near_labels[j] != near_labels[0]

        own_range, centre = point_range[i], near_labels[0]
        near_ranges[0] = own_range  # the centre counts as the point itself
        found, others = np.int32(0), np.int32(0)
        for j in range(size):
            distances[j] = abs(near_ranges[j] - own_range) * weights[j]
            within = np.int32(distances[j] <= cutoff)
            found += within
            others += within & differs[j]
        if 2 * others < min(found, knn) and centre > 0:
            voted[i] = centre  # most of any knn of them
            continue

        votes[:] = 0
        for j in range(size):
            keys[j] = np.int64(distance_bits[j]) << 8 | j if distances[j] <= cutoff else _NO_VOTER
        for _ in range(min(found, knn)):
            smallest = _NO_VOTER
            for j in range(size):
                smallest = min(smallest, keys[j])
            chosen = smallest & 0xFF
            votes[near_labels[chosen]] += 1
            keys[chosen] = _NO_VOTER
        votes[0] = 0
        voted[i] = np.argmax(votes)


@numba.njit(nogil=True, cache=True)
def _agreed_labels(labels, ranges, search):
    """Per pixel the one label that can win its vote, whatever the point's range; 0 where there may be several.

    It is that of the centre, which always votes, where no other label but 0 is in the window on a pixel with a point.
    """
    height, width = labels.shape[0] - search + 1, labels.shape[1] - search + 1
    pad = search // 2
    # Smallest and largest label in the window, first along rows, then along columns. 0 and empty pixels are neutral.
    low, high = labels.copy(), labels.copy()
    for v in range(labels.shape[0]):
        for u in range(labels.shape[1]):
            if labels[v, u] == 0 or ranges[v, u] == np.inf:
                low[v, u], high[v, u] = 255, 0
    row_low, row_high = low[:, :width].copy(), high[:, :width].copy()
    for step in range(1, search):
        row_low = np.minimum(row_low, low[:, step : step + width])
        row_high = np.maximum(row_high, high[:, step : step + width])
    low, high = row_low[:height].copy(), row_high[:height].copy()
    for step in range(1, search):
        low = np.minimum(low, row_low[step : step + height])
        high = np.maximum(high, row_high[step : step + height])
    centre = labels[pad : pad + height, pad : pad + width]
    return np.where((low == high) & (low == centre), centre, np.uint8(0))
