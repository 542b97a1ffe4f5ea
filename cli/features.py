"""``features``: what a video shows and how it moves, snippet by snippet, as BC-GNN and its like take it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from rich.progress import Progress

    from formats.temporal.feature_writer import About, FeatureWriter
    from inference.session import Session
    from models.two_stream.snippets import Snippet, SnippetSettings

SHIPPED = Path(__file__).resolve().parent.parent / "weights" / "two-stream"


def features(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Video files, drives, folders of pictures.")],
    out: Annotated[Path, typer.Option(help="Folder for NAME.npy [D, L] and NAME.json of each video.")],
    model: Annotated[Path, typer.Option(help="Folder of an exported two-stream model.")] = SHIPPED,
    backend: Annotated[str, typer.Option(help="auto, openvino, onnxruntime, …")] = "auto",
    stride: Annotated[
        float | None, typer.Option(help="Seconds from one snippet to the next. Default: a snippet's length.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make features anew, whatever is there.")] = False,
) -> None:
    """Extract snippet features of videos of any length. Stopped, the same command goes on with the next video."""
    import msgspec

    from cli.show import console
    from inference.auto import open_session
    from inference.manifest import load_manifest
    from inference.two_stream import describe
    from models.two_stream.snippets import SnippetSettings

    described = describe(model, load_manifest(model))
    settings = SnippetSettings(**msgspec.structs.asdict(described.snippet))
    samples = _samples(stride, settings)
    targets = _targets(videos, out)
    session = open_session(model, backend=backend)
    try:
        work = _Work(session, described.dimension, settings, samples)
        missing = {video: target for video, target in targets.items() if force or not work.is_done(video, target)}
        if len(missing) < len(targets):
            console.print(f"{out}: features of {len(targets) - len(missing)} of {len(targets)} videos are there; kept")
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--out {out}: cannot be written: {error.strerror}; give another folder") from error
        with _progress() as progress:
            for video, target in missing.items():
                work.extract(video, target, progress)
    finally:
        session.close()


class _Work:
    """An open encoder, and how it goes through a video: ``stride`` samples from one snippet to the next."""

    def __init__(self, session: Session, dimension: int, settings: SnippetSettings, stride: int) -> None:
        self._session, self._dimension, self._settings, self._stride = session, dimension, settings, stride

    def is_done(self, video: Path, target: Path) -> bool:
        """Whether the features are there already.

        Raises:
            UserError: what is there is of another model, stride or video.
        """
        from formats.temporal.feature_writer import read_about

        if not target.exists():
            return False
        about, wanted = read_about(target), self._identity(video)
        if about is None:
            raise UserError(f"{target}: nothing beside it says what these features are; --force replaces them")
        for key, value in wanted.items():
            if getattr(about, key) != value:
                found = getattr(about, key)
                raise UserError(f"{target}: has features with {key} {found}, not {value}; --force replaces them")
        return True

    def extract(self, video: Path, target: Path, progress: Progress) -> None:
        """Write the features of one video.

        Raises:
            UserError: not a video, damaged, or shorter than a snippet.
        """
        from formats.images_in_time import ImagesInTime
        from formats.temporal.feature_writer import About, FeatureWriter
        from models.two_stream.snippets import Snippeter

        images, snippeter = ImagesInTime(video), Snippeter(self._settings, self._stride)
        frames, time_s, repeated = 0, 0.0, 0
        task = progress.add_task(video.name, total=images.count or None)
        with FeatureWriter(target, self._dimension) as writer:
            try:
                for time_s, image in images:
                    frames += 1
                    repeated += self._encode(snippeter.add(image, time_s), writer)
                    progress.advance(task)
                repeated += self._encode(snippeter.finish(), writer)
            except UserError as error:
                where = "" if str(video) in str(error) else f"{video}: "
                raise UserError(f"{where}{error}") from error
            duration_s = time_s * frames / (frames - 1) if frames > 1 else 0.0
            if not writer.snippets:
                raise UserError(
                    f"{video}: its {frames} frames last {duration_s:.2f} s, less than a snippet of "
                    f"{self._settings.snippet_s:g} s; give a longer video"
                )
            about = About(
                **self._identity(video),
                precision=self._session.precision,
                dimension=self._dimension,
                snippets=writer.snippets,
                snippet_s=self._settings.snippet_s,
                duration_s=duration_s,
                fps=frames / duration_s,
                frames=frames,
                damaged_frames=images.damaged,
                repeated_samples=repeated,
            )
            writer.finish(about)
        progress.update(task, completed=frames, total=frames)
        _say(about, target, images.notes, progress)

    def _encode(self, snippets: Iterable[Snippet], writer: FeatureWriter) -> int:
        """Append the features of ``snippets``; how many of their samples were repeated."""
        repeated = 0
        for snippet in snippets:
            inputs: dict[str, np.ndarray] = {"rgb": snippet.rgb[None], "flow": snippet.flow[None]}
            writer.add(self._session.infer(inputs)["features"][0])
            repeated += snippet.repeated
        return repeated

    def _identity(self, video: Path) -> dict[str, str | int | float]:
        """What makes features these and no others."""
        try:
            size = video.stat().st_size if video.is_file() else 0
        except OSError as error:
            raise UserError(f"{video}: cannot be read: {error.strerror}") from error
        return {
            "video": video.name,
            "video_bytes": size,
            "model_sha256": self._session.manifest.graph_sha256,
            "step_s": round(self._stride * self._settings.sample_s, 9),
        }


def _samples(stride_s: float | None, settings: SnippetSettings) -> int:
    """``--stride`` in samples."""
    if stride_s is None:
        return settings.frames
    samples = round(stride_s / settings.sample_s) if math.isfinite(stride_s) else 0
    if samples < 1 or abs(samples * settings.sample_s - stride_s) > 1e-6:
        raise UserError(
            f"--stride {stride_s:g}: this model samples every {settings.sample_s:g} s; give a multiple of that"
        )
    return samples


def _targets(videos: list[Path], out: Path) -> dict[Path, Path]:
    """The feature file of each video.

    Raises:
        UserError: a video is not there, or two have one name.
    """
    targets: dict[Path, Path] = {}
    for video in videos:
        if not video.exists():
            raise UserError(f"no such file or folder: {video}")
        name = video.stem if video.is_file() else video.resolve().name
        target = out / f"{name}.npy"
        if target in targets.values():
            raise UserError(
                f"{video}: another video is called {name} too; give them one after the other, with two --out"
            )
        targets[video] = target
    return targets


def _progress() -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from cli.show import console

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


def _say(about: About, target: Path, notes: Iterable[str], progress: Progress) -> None:
    """What came of one video, and what was not as it should be."""
    say = progress.console.print
    say(
        f"{target}: {about.dimension} features of {about.snippets:,} snippets, {about.duration_s:.1f} s at "
        f"{about.fps:.4g} frames/s",
        soft_wrap=True,
    )
    for note in notes:
        say(f"[yellow]{note}[/]", soft_wrap=True)
    if about.repeated_samples:
        say(
            f"[yellow]{about.repeated_samples:,}[/] samples show the frame before once more: the video has fewer "
            "frames than samples, or gaps",
            soft_wrap=True,
        )
