"""``import squeezesegv3``: the authors' release as a checkpoint of this project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from errors import UserError


def squeezesegv3(
    release: Annotated[Path, typer.Argument(help="The authors' checkpoint folder: backbone, …, arch_cfg.yaml.")],
    out: Annotated[Path, typer.Option(help="The checkpoint to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
) -> None:
    """Import a released SqueezeSegV3 (21 or 53): it gives the same logits here."""
    from formats.labels import load_label_table
    from models.squeezesegv3.checkpoint import save_checkpoint
    from models.squeezesegv3.release import LABELS, read_release

    if out.exists() and not force:
        raise UserError(f"--out {out}: exists; give another name, or --force to replace it")
    table = load_label_table()
    checkpoint, notes = read_release(release, table.names)
    theirs = load_label_table(release / LABELS)
    if theirs.names != table.names:
        wrong = next((c for c, (a, b) in enumerate(zip(theirs.names, table.names, strict=False)) if a != b), None)
        what = f"{len(theirs.names)} classes" if wrong is None else f"class {wrong} is {theirs.names[wrong]!r}"
        ours = f"{len(table.names)}" if wrong is None else repr(table.names[wrong])
        raise UserError(f"{release / LABELS}: {what}, but {ours} in configs/labels/semantic-kitti.yaml")
    save_checkpoint(out, checkpoint)
    for note in notes:
        print(f"note: {note}")
    print(
        f"{out}: SqueezeSegV3-{checkpoint.layers}, {checkpoint.classes} classes, range images of "
        f"{checkpoint.height}x{checkpoint.width}, {checkpoint.fov_up_deg:g}° to {checkpoint.fov_down_deg:g}°"
    )
