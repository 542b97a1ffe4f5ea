"""The annotated video of a drive, drawn from its files alone: a person sees in ten seconds whether it is right."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from formats.mp4 import add_stream
from simulation.folder import PREVIEW, DriveFolder
from simulation.recipe import Recipe


def make_preview(out: Path, recipe: Recipe, *, on_frame: Callable[[int], None] | None = None) -> Path:
    """Write ``preview.mp4`` of the finished drive in ``out``, as fast as it was driven; the file appears when whole.

    Raises :class:`errors.UserError` where the drive cannot be read or the video not be written.
    """
    import av

    from simulation.preview.drive_files import DriveFiles
    from simulation.preview.picture import HEIGHT, WIDTH, draw

    folder = DriveFolder(Path(out), recipe)
    files = DriveFiles(folder)
    period_s = Fraction(recipe.period_s).limit_denominator(10)  # a whole number of tenths
    part = folder.out / f"{PREVIEW}.tmp"
    try:
        with av.open(str(part), "w", format="mp4") as container:
            stream = add_stream(container, WIDTH, HEIGHT, 1 / period_s)
            for k in range(recipe.frames):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(draw(files.frame(k)), format="bgr24")))
                if on_frame is not None:
                    on_frame(k)
            container.mux(stream.encode(None))
        part.replace(folder.out / PREVIEW)
    except OSError as error:
        raise folder.problem(error) from error
    finally:
        part.unlink(missing_ok=True)
    return folder.out / PREVIEW
