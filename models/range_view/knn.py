"""Labels from pixels back to points: the k-nearest-neighbour vote of RangeNet++.

Milioto et al., *RangeNet++: Fast and Accurate LiDAR Semantic Segmentation*, IROS 2019, Sec. III-D. Several points
share a pixel, and pixels at the edge of an object mix near and far; so each point asks the pixels around its own, and
those nearest to it in range vote.
"""

from __future__ import annotations

import numba
import numpy as np

from errors import UserError
from models.arrays import read_only

MAX_SEARCH = 15  # a window's pixels are numbered in eight bits
_NO_VOTER = np.int64(2**62)
_AT_ONCE = 64  # points


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
    weights = inverse_gaussian(search, sigma).reshape(-1)
    rows, columns = np.divmod(np.arange(search * search), search)
    outwards = np.argsort((rows - pad) ** 2 + (columns - pad) ** 2, kind="stable")  # the centre comes first
    window = (rows * (label_image.shape[1] + 2 * pad) + columns)[outwards]
    return _refine(
        read_only(label_image, np.uint8), read_only(range_image, np.float32), read_only(point_pixel, np.int32),
        read_only(point_range, np.float32), pad, window, weights[outwards], knn, np.float32(cutoff_m), classes,
    )  # fmt: skip


def inverse_gaussian(search: int, sigma: float) -> np.ndarray:
    """``1 − g``: [search, search] float32, g a Gaussian of ``sigma`` pixels that adds up to 1."""
    offset = np.arange(search) - search // 2
    gaussian = np.exp(-(offset[:, None] ** 2 + offset**2) / (2 * sigma**2))
    return (1 - gaussian / gaussian.sum()).astype(np.float32)


# One call, one thread: to hand half of it to a second thread and to wait for that costs more than it saves.
@numba.njit(nogil=True, cache=True)
def _refine(label_image, range_image, point_pixel, point_range, pad, window, weights, knn, cutoff, classes):
    """Points whose pixel does not decide alone vote, so many at a time."""
    labels, ranges = _padded(label_image, range_image, pad)
    agreed = _agreed_labels(labels, ranges, pad).reshape(-1)
    width, padded_width = label_image.shape[1], labels.shape[1]
    voted = np.zeros(len(point_pixel), np.uint8)
    points, first = np.zeros(_AT_ONCE, np.int64), np.zeros(_AT_ONCE, np.int64)
    own_range = np.zeros(_AT_ONCE, np.float32)
    nearest = np.empty((knn, _AT_ONCE), np.int64)
    votes = np.zeros(classes, np.int64)
    count = 0
    for i in range(len(point_pixel)):
        pixel = point_pixel[i]
        if pixel < 0:
            continue
        if agreed[pixel] > 0:
            voted[i] = agreed[pixel]
            continue
        points[count], own_range[count] = i, point_range[i]
        first[count] = pixel // width * padded_width + pixel % width
        count += 1
        if count == _AT_ONCE:
            _find_nearest(ranges.reshape(-1), first, own_range, window, weights, cutoff, nearest)
            _vote(labels.reshape(-1), first, window, nearest, votes, points, voted)
            count = 0
    _find_nearest(ranges.reshape(-1), first, own_range, window, weights, cutoff, nearest)
    _vote(labels.reshape(-1), first, window, nearest, votes, points[:count], voted)
    return voted


@numba.njit(nogil=True, cache=True)
def _padded(label_image, range_image, pad):
    """Both with ``pad`` pixels of label 0 and range 0 around; a pixel without a point is infinitely far."""
    height, width = label_image.shape
    labels = np.zeros((height + 2 * pad, width + 2 * pad), np.uint8)
    ranges = np.zeros(labels.shape, np.float32)
    for v in range(height):
        labels[v + pad, pad : pad + width] = label_image[v]
        for u in range(width):
            metres = range_image[v, u]
            ranges[v + pad, u + pad] = np.float32(np.inf) if metres < 0 else metres
    return labels, ranges


@numba.njit(nogil=True, cache=True)
def _find_nearest(ranges, first, own_range, window, weights, cutoff, nearest):
    """The smallest keys of each point, rising, into ``nearest`` [knn, _AT_ONCE]. A key is distance and place in the
    window in one number (floats that are not negative are in the order of their bits), _NO_VOTER beyond the cutoff.

    A point's window begins at ``first`` and has its pixels at the offsets ``window``, from the centre outwards. The
    inner loops run over points, without a branch: the compiler vectorises them.
    """
    distances, keys = np.empty(_AT_ONCE, np.float32), np.empty(_AT_ONCE, np.int64)
    bits = distances.view(np.int32)
    nearest[:] = _NO_VOTER
    for j in range(len(window)):
        weight = weights[j] if j > 0 else np.float32(0)  # the centre counts as the point itself
        for n in range(_AT_ONCE):
            metres = ranges[first[n] + window[j]] if j > 0 else own_range[n]
            distances[n] = abs(metres - own_range[n]) * weight
        for n in range(_AT_ONCE):
            keys[n] = np.int64(bits[n]) << 8 | j if distances[n] <= cutoff else _NO_VOTER
        for place in range(len(nearest)):
            row = nearest[place]
            for n in range(_AT_ONCE):
                smaller, larger = min(row[n], keys[n]), max(row[n], keys[n])
                row[n], keys[n] = smaller, larger


@numba.njit(nogil=True, cache=True)
def _vote(labels, first, window, nearest, votes, points, voted):
    """What most of its nearest say, for each of ``points``, into ``voted``. ``votes`` is zero before and after."""
    for n in range(len(points)):
        winner, most = np.uint8(0), 0
        for place in range(len(nearest)):
            if nearest[place, n] != _NO_VOTER:
                label = labels[first[n] + window[nearest[place, n] & 0xFF]]
                votes[label] += 1
        for place in range(len(nearest)):
            if nearest[place, n] != _NO_VOTER:
                label = labels[first[n] + window[nearest[place, n] & 0xFF]]
                if label > 0 and (votes[label] > most or (votes[label] == most and label < winner)):
                    winner, most = label, votes[label]
                votes[label] = 0
        voted[points[n]] = winner


@numba.njit(nogil=True, cache=True)
def _agreed_labels(labels, ranges, pad):
    """Per pixel the one label that can win its vote, whatever the point's range; 0 where there may be several.

    It is that of the centre, which always votes, where no other label but 0 is in the window on a pixel with a point.
    """
    height, width = labels.shape[0] - 2 * pad, labels.shape[1] - 2 * pad
    # Smallest and largest label in the window, first along rows, then along columns. 0 and empty pixels are neutral.
    low, high = np.empty((len(labels), width), np.uint8), np.empty((len(labels), width), np.uint8)
    for v in range(len(labels)):
        empty = (labels[v] == 0) | (ranges[v] == np.inf)
        _reach(np.where(empty, np.uint8(255), labels[v]), np.where(empty, np.uint8(0), labels[v]), low[v], high[v])
    agreed = np.empty((height, width), np.uint8)
    for v in range(height):
        least, most = low[v].copy(), high[v].copy()
        for step in range(1, 2 * pad + 1):
            _narrow(least, low[v + step], most, high[v + step])
        centre = labels[v + pad, pad : pad + width]
        agreed[v] = np.where((least == most) & (least == centre), centre, np.uint8(0))
    return agreed


@numba.njit(nogil=True, cache=True)
def _reach(smallest, largest, low, high):
    """Smallest and largest of each pixel and the ones to its right that are in the window."""
    width = len(low)
    low[:], high[:] = smallest[:width], largest[:width]
    for step in range(1, len(smallest) - width + 1):
        _narrow(low, smallest[step : step + width], high, largest[step : step + width])


@numba.njit(nogil=True, cache=True)
def _narrow(low, smaller, high, larger):
    """Element by element the smaller into ``low``, the larger into ``high``."""
    for u in range(len(low)):
        low[u], high[u] = min(low[u], smaller[u]), max(high[u], larger[u])
