"""``import detector``: anybody's ONNX detector as a model folder that nodes, ``detect`` and ``evaluate`` take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from errors import UserError, require_known

if TYPE_CHECKING:
    from inference.manifest import Normalisation

CHANNELS = ("rgb", "bgr")


def detector(
    graph: Annotated[Path, typer.Argument(metavar="ONNX", help="The detector's graph, with its weights.")],
    decoding: Annotated[str, typer.Option(help="What its outputs mean: yolox, ssd, detr, … (docs/detectors.md).")],
    names: Annotated[Path, typer.Option(help="Text file with the name of a class per line, in the graph's order.")],
    channels: Annotated[str, typer.Option(help="rgb or bgr: the order in which it takes colours.")],
    fit: Annotated[str, typer.Option(help="letterbox, letterbox-corner or stretch: a picture into the input.")],
    out: Annotated[Path, typer.Option(help="The model folder to write.")],
    mean: Annotated[
        str | None, typer.Option(help="Of values 0..255: one number or three, in its order of colours. Default: 0.")
    ] = None,
    std: Annotated[str | None, typer.Option(help="The same: it takes (value - mean) / std. Default: 1.")] = None,
    pad: Annotated[int, typer.Option(min=0, max=255, help="Value of what a letterbox leaves over.")] = 114,
    size: Annotated[str | None, typer.Option(help="HxW of the input, where the graph leaves it open.")] = None,
    background: Annotated[str | None, typer.Option(help="The one of --names that is the background.")] = None,
    number: Annotated[
        list[str] | None, typer.Option(help="One of the decoding's own: strides=[8,16,32]. May be repeated.")
    ] = None,
    output: Annotated[
        list[str] | None, typer.Option(help="Which output is which: boxes=NAME_IN_GRAPH. May be repeated.")
    ] = None,
    score: Annotated[float, typer.Option(min=0, max=1, help="What scores less is no object.")] = 0.3,
    nms_iou: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Overlap above which the better one stays. Default: 0.5, or none if not needed."
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Objects of a picture.")] = 100,
    trained_on: Annotated[str, typer.Option(help="What it was trained on, and its licence: kept in the folder.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a model that is there.")] = False,
) -> None:
    """Make a model folder of anybody's ONNX detector, and run it once."""
    from typing import get_args

    from export.foreign_detector import Foreign, import_detector
    from export.request import parse_size
    from models.detection.decoding import DECODINGS
    from models.detection.fitting import Fit

    require_known("--decoding", decoding, DECODINGS)
    require_known("--channels", channels, CHANNELS)
    require_known("--fit", fit, get_args(Fit))
    foreign = Foreign(
        graph=graph,
        names=_names(names, background),
        decoding=decoding,
        numbers={key: _value(key, text) for key, text in _pairs("--number", number)},
        size=parse_size(size) if size else None,
        channels=channels,
        normalisation=_normalisation(mean, std),
        fit=fit,
        pad_value=pad,
        outputs=dict(_pairs("--output", output)),
        score_threshold=score,
        nms_iou=nms_iou,
        max_detections=most,
        trained_on=trained_on,
    )
    imported = import_detector(foreign, out, force=force)
    profile = imported.manifest.detector
    assert profile is not None
    values = "0..255 as they are" if foreign.normalisation is None else f"(0..255 - {mean or 0}) / {std or 1}"
    print(f"{out}: {decoding}, {len(foreign.names)} classes, {profile.height}x{profile.width} px {channels}, {values}")
    print(f"outputs: {', '.join(f'{role} is {name}' for role, name in imported.outputs.items())}")
    assert imported.manifest.parity is not None
    ran = [
        stage.backend + (" (differs too much)" if stage.passed is False else "")
        for stage in imported.manifest.parity.stages
    ]
    print(f"ran in {' and '.join(ran)}; now look at what it finds: run.py detect {out} PICTURES --out DIR")


def _names(path: Path, background: str | None) -> tuple[str, ...]:
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise UserError(f"--names {path}: {why}; give a text file with the name of a class per line") from error
    while names and not names[-1]:
        names.pop()
    if not names or "" in names:
        where = f"line {names.index('') + 1} is empty" if names else "is empty"
        raise UserError(f"--names {path}: {where}; give the name of a class per line")
    if background is not None:
        require_known(f"--background (a name in {path})", background, names)
        names.remove(background)
    return tuple(names)


def _pairs(option: str, given: list[str] | None) -> list[tuple[str, str]]:
    pairs = [tuple(each.partition("=")[::2]) for each in given or []]
    for (key, value), each in zip(pairs, given or [], strict=True):
        if not key or not value:
            raise UserError(f"{option} {each!r}: give NAME=VALUE")
    return pairs


def _value(key: str, text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(
            f"--number {key}={text}: cannot be read; give a number, a word, or a list as [8,16,32]"
        ) from error


def _normalisation(mean: str | None, std: str | None) -> Normalisation | None:
    from inference.manifest import Normalisation

    if mean is None and std is None:
        return None
    try:
        return Normalisation(means=_three(mean or "0"), stds=_three(std or "1"))
    except ValueError as error:
        raise UserError(f"--mean {mean or 0} --std {std or 1}: {error}; give one number or three, as 127.5") from error


def _three(text: str) -> tuple[float, ...]:
    values = tuple(float(part) for part in text.split(","))
    if len(values) not in (1, 3):
        raise ValueError(f"{len(values)} numbers")
    return values * (3 if len(values) == 1 else 1)
