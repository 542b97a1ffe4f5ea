"""Fingerprints of every layer, so that whoever runs an exported graph can say which layer is the first to differ.

When a network is exported, the values of each of its layers for one input are boiled down to a few numbers and kept
beside the graph (``layers.json``). A graph that was damaged, a runtime that computes wrongly, a driver that is broken:
each is found later, on any machine, without the network, by comparing the same numbers of what runs there.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

FILE = "layers.json"
_PERIOD = 65_521  # prime, so that no image's width divides it and shifts meet other signs
_PROJECTIONS = 4


class Fingerprint(msgspec.Struct, frozen=True):
    """Of one layer's values: their root mean square, and sums with four fixed patterns of random signs / √size.

    Values that differ by a relative error ε, independent of each other, differ by about ε·``rms`` in each sum.
    """

    name: str
    of: str
    """The module of the network that it comes from, ``backbone.enc1.residual_0``."""
    size: int
    rms: float
    sums: tuple[float, ...]


class Layers(msgspec.Struct, frozen=True):
    """What ``layers.json`` holds: the input, by the name of the seed it was made from, layers in order of computation,
    and the sha256 of each of the graph's weights."""

    fingerprints: tuple[Fingerprint, ...]
    weights: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> Layers:
        """Of an exported model's folder. Raises OSError or msgspec.DecodeError."""
        return msgspec.json.decode((folder / FILE).read_bytes(), type=cls)

    def write(self, folder: Path) -> None:
        (folder / FILE).write_bytes(msgspec.json.encode(self) + b"\n")


class Difference(msgspec.Struct, frozen=True):
    """The first layer that is too far from the network's, and by how much, relative to its values."""

    layer: str
    of: str
    relative: float

    def __str__(self) -> str:
        return f"{self.layer} ({self.of})" if self.of else self.layer


def fingerprint(name: str, of: str, values: np.ndarray) -> Fingerprint:
    """Of an array of any shape."""
    flat = np.ascontiguousarray(values, np.float32).reshape(-1)
    whole = len(flat) // _PERIOD * _PERIOD
    sums = flat[:whole].reshape(-1, _PERIOD).sum(axis=0, dtype=np.float64) @ _signs()
    sums += flat[whole:].astype(np.float64) @ _signs()[: len(flat) - whole]
    size = max(len(flat), 1)
    rms = float(np.sqrt(np.square(flat, dtype=np.float64).sum() / size))
    return Fingerprint(name, of, len(flat), rms, tuple((sums / np.sqrt(size)).tolist()))


def distance(found: Fingerprint, expected: Fingerprint) -> float:
    """How far apart, relative to the values; infinite where either is not finite or they are of another size."""
    numbers = np.array([[found.rms, *found.sums], [expected.rms, *expected.sums]])
    if found.size != expected.size or not np.isfinite(numbers).all():
        return float("inf")
    return float(np.abs(numbers[0] - numbers[1]).max() / max(expected.rms, 1e-12))


def first_difference(
    found: Iterable[tuple[str, np.ndarray]], expected: Sequence[Fingerprint], tolerance: float
) -> Difference | None:
    """The first of ``found`` (name and values, in order of computation) that differs by more than ``tolerance``."""
    by_name = {layer.name: layer for layer in expected}
    for name, values in found:
        layer = by_name[name]
        relative = distance(fingerprint(name, layer.of, values), layer)
        if relative > tolerance:
            return Difference(name, layer.of, relative)
    return None


def chunks(layers: Sequence[Fingerprint], values: int = 50_000_000) -> Iterator[list[str]]:
    """Names of layers, in parts of about so many values: those of all layers at once would be gigabytes."""
    names: list[str] = []
    size = 0
    for layer in layers:
        if names and size + layer.size > values:
            yield names
            names, size = [], 0
        names.append(layer.name)
        size += layer.size
    if names:
        yield names


@functools.cache
def _signs() -> np.ndarray:
    """[period, projections] of ±1, the same on every machine: a multiplicative hash, not a library's generator."""
    index = np.arange(1, _PERIOD * _PROJECTIONS + 1, dtype=np.uint64)
    index = (index ^ (index >> np.uint64(16))) * np.uint64(0x45D9F3B37197344D)
    index = (index ^ (index >> np.uint64(32))) * np.uint64(0x45D9F3B37197344D)
    return np.where(index >> np.uint64(63), 1.0, -1.0).reshape(_PERIOD, _PROJECTIONS)
