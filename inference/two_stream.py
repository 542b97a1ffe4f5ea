"""What the manifest of a snippet encoder must say: whoever makes features with one asks here."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from errors import UserError
from inference.manifest import Manifest, SnippetProfile

FAMILY = "two-stream"


class TwoStreamModel(NamedTuple):
    """How a video becomes the graph's inputs (``SnippetSettings`` has the same fields), and how many features come."""

    snippet: SnippetProfile
    dimension: int


def describe(folder: str | Path, manifest: Manifest) -> TwoStreamModel:
    """What is needed of ``manifest`` to make features with the model in ``folder``.

    The graph takes ``rgb`` [1, 3, h, w] and ``flow`` [1, 2·(frames − 1), h, w] and gives ``features`` [1, D], float32.

    Raises:
        UserError: the model is of another kind.
    """

    def wrong(what: str) -> UserError:
        return UserError(f"{folder}: {what}; give the folder of an exported two-stream model")

    snippet, output = manifest.snippet, manifest.output("features")
    if manifest.family != FAMILY or snippet is None:
        raise wrong(f"is a model of family {manifest.family!r}, not {FAMILY!r}")
    size = (snippet.height, snippet.width)
    expected = {"rgb": (1, 3, *size), "flow": (1, 2 * (snippet.frames - 1), *size)}
    if {tensor.name: tensor.shape for tensor in manifest.inputs} != expected:
        raise wrong(
            f"takes {', '.join(map(str, manifest.inputs))}, not one snippet's rgb and flow as its manifest says"
        )
    if output is None or len(output.shape) != 2 or not isinstance(output.shape[1], int):
        raise wrong(f"gives {', '.join(map(str, manifest.outputs))}, not features [1, D]")
    return TwoStreamModel(snippet, output.shape[1])
