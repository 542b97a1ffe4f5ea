"""``propose``: from features of whole videos to proposals of actions, as ``evaluate proposals`` scores them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from formats.temporal.annotations import AnnotatedVideo
    from inference.session import Session
    from models.bcgnn.offline import Score

_MOST = 100  # of a rescaled video, as ActivityNet takes
_LEAST_SCORE = 1e-3  # of a video of many windows


def propose(
    features: Annotated[Path, typer.Argument(help="Folder with NAME.npy or NAME.csv per video.")],
    model: Annotated[Path, typer.Option(help="Folder of an exported bcgnn model.")],
    out: Annotated[Path, typer.Option(help="ActivityNet's result JSON, to be written.")],
    annotations: Annotated[
        Path | None, typer.Option(help="Which videos, and how long they are. Default: all features, as they say.")
    ] = None,
    subset: Annotated[str | None, typer.Option(help="Of the annotations, such as validation.")] = None,
    step_s: Annotated[
        float | None,
        typer.Option(min=1e-6, help="Sliding windows: seconds from one snippet to the next. Default: as they say."),
    ] = None,
    stride: Annotated[
        int | None, typer.Option(help="Sliding windows: snippets between windows. Default: half a window.")
    ] = None,
    sigma: Annotated[float, typer.Option(min=1e-6, help="Of Soft-NMS; the smaller, the more an overlap costs.")] = 0.4,
    backend: Annotated[str, typer.Option(help="auto, openvino, onnxruntime, …")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16, …")] = "auto",
) -> None:
    """Propose actions in videos whose features are there, with an exported BC-GNN.

    Whether a video is rescaled to one window, or windows slide over it, is as the model was trained.
    """
    import numpy as np
    from rich.progress import track

    from cli.show import console
    from formats.temporal.annotations import of_subset, read_annotations
    from formats.temporal.feature_writer import snippet_times
    from formats.temporal.features import read_features
    from formats.temporal.results import Proposals, write_results
    from inference.auto import open_session
    from inference.bcgnn import describe, require_step
    from inference.manifest import load_manifest
    from models.bcgnn.offline import rescaled_proposals, video_proposals

    described = describe(model, load_manifest(model))
    rescale = described.windows.style == "rescaled"
    if rescale and (step_s is not None or stride is not None):
        raise UserError(f"--step-s and --stride are for sliding windows, {model} was trained on rescaled ones")
    if stride is not None and not 1 <= stride <= described.length:
        raise UserError(f"--stride {stride}: give 1 to {described.length} snippets, the length of a window")
    if not out.absolute().parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.parent}; make it, or choose another place")
    if annotations is None and subset is not None:
        raise UserError(f"--subset {subset}: is of the annotations; give --annotations FILE too")
    annotated = None if annotations is None else of_subset(read_annotations(annotations), subset, annotations)
    files = _files(features, annotated)
    session = open_session(model, backend=backend, precision=precision)
    score, found = _score(session), {}
    try:
        for name, path in track(files.items(), "proposing", total=len(files), transient=True, console=console):
            values = read_features(path, described.dimension)
            if rescale:
                duration_s = _duration_s(name, path, annotated)
                video = rescaled_proposals(values, duration_s, score, length=described.length, sigma=sigma, most=_MOST)
            else:
                step, snippet_s = snippet_times(path, step_s, "give --step-s SECONDS")
                require_step(model, described.windows, step)
                video = video_proposals(
                    values,
                    snippet_s / 2 + step * np.arange(values.shape[1]),
                    score,
                    length=described.length,
                    stride=stride or max(described.length // 2, 1),
                    sigma=sigma,
                    least_score=_LEAST_SCORE,
                )
            found[name] = Proposals(segments_s=video.segments_s, scores=video.scores)
    finally:
        session.close()
    write_results(out, found)
    total = sum(len(video.scores) for video in found.values())
    console.print(f"{out}: {total:,} proposals of {len(found):,} videos", soft_wrap=True)


def _files(folder: Path, annotated: dict[str, AnnotatedVideo] | None) -> dict[str, Path]:
    """The feature file of each video, by its name. Annotated videos without features are left out, and that is said.

    Raises:
        UserError: no such folder, or nothing in it for these videos.
    """
    from cli.show import console
    from formats.temporal.features import SUFFIXES, feature_file

    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of features")
    there = sorted({path.stem for path in folder.iterdir() if path.suffix in SUFFIXES})
    if not there:
        raise UserError(f"{folder}: no features in it ({', '.join(SUFFIXES)}); make some with run.py features")
    names = there if annotated is None else [name for name in there if name in annotated]
    if not names:
        raise UserError(
            f"{folder}: no features of any annotated video; it has {there[0]}, they {next(iter(annotated))}"
        )
    if annotated is not None and (missing := len(annotated) - len(names)):
        console.print(f"[yellow]{missing:,}[/] of {len(annotated):,} annotated videos have no features: left out")
    return {name: feature_file(folder, name) for name in names}


def _duration_s(name: str, path: Path, annotated: dict[str, AnnotatedVideo] | None) -> float:
    """How long a video is.

    Raises:
        UserError: neither the annotations nor what is beside the features says it.
    """
    from formats.temporal.feature_writer import read_about

    duration_s = annotated[name].duration_s if annotated else None
    if duration_s is None and (about := read_about(path)) is not None:
        duration_s = about.duration_s
    if duration_s is None or not duration_s > 0:
        raise UserError(f"{path}: nothing says how long the video is; give --annotations with its duration")
    return duration_s


def _score(session: Session) -> Score:
    """The network on one window."""

    def score(window: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        outputs = session.infer({"features": window[None]})
        return outputs["start"][0], outputs["end"][0], outputs["content"][0]

    return score
