"""Train SqueezeSegV3 on labelled LiDAR drives in SemanticKITTI's layout.

    python -m training.segmentation --data DRIVE [DRIVE ...] --out checkpoint.pt --steps 2000
    python -m training.segmentation --data DRIVE [DRIVE ...] --out checkpoint.pt --score

The loss is the paper's; the schedule is made for a CPU and an hour, not for 150 epochs on GPUs: AdamW, one warm-up,
cosine decay over ``--steps``, random windows of the image, bfloat16 where the processor has it. An interrupted training
goes on from its checkpoint with ``--resume``.

A training step allocates and frees gigabytes. On Linux two settings of glibc keep it from handing them back to the
kernel each time, which is up to ten times faster (one thread where the processors have other work as well):

    GLIBC_TUNABLES=glibc.malloc.hugetlb=1 MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=20000000000 \
        MALLOC_TOP_PAD_=500000000 OMP_NUM_THREADS=1 python -m training.segmentation …
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from errors import UserError
from formats.labels import LabelTable, load_label_table
from models.range_view.knn import refine
from models.squeezesegv3.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from models.squeezesegv3.inference import inference_form
from models.squeezesegv3.network import SqueezeSegV3
from training.losses import inverse_frequency_weights, inverse_log_weights, multi_layer_cross_entropy
from training.metrics import confusion, intersection_over_union
from training.scans import class_frequencies, evaluation_sample, find_scans, read_scan, training_sample

CLASS_WEIGHTS = {"inverse": inverse_frequency_weights, "log": inverse_log_weights}
WARM_UP_STEPS = 50
SAVE_EVERY_STEPS = 100


def train(
    drives: Sequence[Path],
    out: Path,
    *,
    steps: int,
    batch: int = 4,
    height: int = 64,
    width: int = 512,
    crop_width: int = 128,
    learning_rate: float = 2e-3,
    layers: int = 21,
    class_weights: Literal["inverse", "log"] = "inverse",
    seed: int = 0,
    resume: bool = False,
) -> None:
    """Train on ``drives`` and write the checkpoint ``out`` every 100 steps and at the end.

    A step takes ``batch`` windows of ``height`` × ``crop_width`` pixels out of range images of ``height`` × ``width``.
    ``class_weights``: ``inverse`` frequency as in the release, or inverse ``log`` frequency as in the paper, which
    suits short trainings.

    Raises:
        UserError: the drives cannot be used, or the checkpoint to resume is not one of such a training.
    """
    if crop_width % 8 or not 8 <= crop_width <= width:
        raise UserError(f"crop width {crop_width}: must be a multiple of 8 and at most the width ({width})")
    table = load_label_table()
    pairs = find_scans(drives)
    weights = CLASS_WEIGHTS[class_weights](class_frequencies(pairs, table))

    torch.manual_seed(seed)
    network = SqueezeSegV3(layers, classes=len(table.names)).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-2)
    first = 0
    if resume:
        checkpoint = load_checkpoint(out)
        if checkpoint.layers != layers:
            raise UserError(
                f"{out}: is of SqueezeSegV3-{checkpoint.layers}, not -{layers}; give --layers {checkpoint.layers}"
            )
        network.load_state_dict(checkpoint.network)
        optimizer.load_state_dict(torch.load(out.with_suffix(".optimizer"), weights_only=True))
        first = checkpoint.step

    def samples(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        # Seeded per step: a resumed training sees what an uninterrupted one would have seen.
        rng = np.random.default_rng((seed, step))
        chosen = [read_scan(pairs[i], table) for i in rng.integers(len(pairs), size=batch)]
        images, labels = zip(*(training_sample(scan, rng, height, width, crop_width) for scan in chosen), strict=True)
        image_batch = torch.from_numpy(np.stack(images)).to(memory_format=torch.channels_last)
        return image_batch, torch.from_numpy(np.stack(labels)).long()

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress, ThreadPoolExecutor(1) as reader:
        task = progress.add_task("training", total=steps, completed=first)
        recent_loss = None
        upcoming = reader.submit(samples, first)
        for step in range(first, steps):
            images, labels = upcoming.result()
            upcoming = reader.submit(samples, step + 1)  # made while the network computes
            torch.manual_seed(hash((seed, step)))
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * _schedule(step, steps)
            with torch.autocast("cpu", torch.bfloat16):
                outputs = network.side_outputs(images)
            loss = multi_layer_cross_entropy(outputs, labels, weights)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()

            recent_loss = loss.item() if recent_loss is None else 0.95 * recent_loss + 0.05 * loss.item()
            progress.update(task, completed=step + 1, description=f"loss {recent_loss:.3f}")
            if (step + 1) % SAVE_EVERY_STEPS == 0 or step + 1 == steps:
                torch.save(optimizer.state_dict(), out.with_suffix(".optimizer"))
                save_checkpoint(
                    out,
                    Checkpoint(
                        layers=layers,
                        classes=network.classes,
                        sac="isk",
                        height=height,
                        width=width,
                        step=step + 1,
                        network=network.state_dict(),
                        label_names=table.names,
                        trained_on=f"{len(pairs)} scans of {len(drives)} drives",
                    ),
                )
                progress.console.print(f"step {step + 1}: loss {recent_loss:.3f}")


def _schedule(step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine to 0."""
    return min(1.0, (step + 1) / WARM_UP_STEPS) * 0.5 * (1 + math.cos(math.pi * step / steps))


def score(network: SqueezeSegV3, drives: Sequence[Path], *, height: int, width: int, knn: int = 5) -> np.ndarray:
    """Confusion counts [classes, classes] over the points of all scans, KNN-refined, in float32."""
    table = load_label_table()
    counts = np.zeros((network.classes, network.classes), np.int64)
    fast = inference_form(network)
    for pair in find_scans(drives):
        scan = read_scan(pair, table)
        image, projection = evaluation_sample(scan, height, width)
        with torch.no_grad():
            pixels = fast(torch.from_numpy(image)[None])[0].argmax(0).to(torch.uint8).numpy()
        points = refine(pixels, projection.image[0], projection.point_pixel, projection.point_range, knn=knn)
        counts += confusion(scan.labels, points, network.classes)
    return counts


def score_table(counts: np.ndarray, table: LabelTable) -> str:
    """IoU per class that the drives have, and their mean."""
    iou = intersection_over_union(counts)
    present = counts[1:].sum(1) > 0
    lines = [
        f"{name:14s} {value:6.1%}" for name, value, here in zip(table.names[1:], iou[1:], present, strict=True) if here
    ]
    return "\n".join([*lines, f"{'mIoU':14s} {iou[1:][present].mean():6.1%}  over {present.sum()} classes"])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m training.segmentation", description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="drives: folders with velodyne/ and labels/"
    )
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint")
    parser.add_argument("--score", action="store_true", help="train nothing: score the checkpoint on the drives")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--height", type=int, default=64)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--crop-width", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--layers", type=int, choices=(21, 53), default=21)
    parser.add_argument("--class-weights", choices=tuple(CLASS_WEIGHTS), default="inverse")
    parser.add_argument("--seed", type=int, default=0)
    given = vars(parser.parse_args(arguments))
    drives, out, only_score = given.pop("data"), given.pop("out"), given.pop("score")
    try:
        if only_score:
            checkpoint = load_checkpoint(out)
            counts = score(checkpoint.restore(), drives, height=checkpoint.height, width=checkpoint.width)
            print(score_table(counts, load_label_table()))
        else:
            train(drives, out, **given)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
