"""Table 3 of BC-GNN's paper on the synthetic benchmark, with BMN and sliding windows beside it.

    python -m training.proposals.ablation --out DIR [--seeds N]

makes the benchmark, trains every method by ``configs/training/bcgnn-synthetic.yaml`` once per seed, with the same
number of steps for all, scores each once at its end on the subset ``validation``, and writes ``DIR/table.md``. What is
done is not done again: stopped, the same command goes on.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from errors import UserError
from training.proposals.recipe import ProposalRecipe
from training.proposals.synthetic import write_benchmark
from training.proposals.task import ProposalTask
from training.variants import Scores, spread, train_variants
from whole_files import write_whole

RECIPE = Path(__file__).resolve().parents[2] / "configs" / "training" / "bcgnn-synthetic.yaml"
BENCHMARK_SEED = 1
"""Not the one that the benchmark was tuned on."""

METHODS = {
    "sliding windows": ["family=sliding-window"],
    "BMN, compact": ["family=bmn"],
    "GCN": ["model.variant=gcn"],
    "undirected": ["model.variant=undirected"],
    "directed": ["model.variant=directed"],
    "undirected, edge update": ["model.variant=undirected+edges"],
    "directed, edge update": ["model.variant=directed+edges"],
}
"""What each differs in from the recipe."""
PAPER = {
    "BMN, compact": (75.01, 67.10),
    "GCN": (75.57, 66.88),
    "undirected": (76.18, 67.36),
    "directed": (76.15, 67.53),
    "undirected, edge update": (76.40, 67.79),
    "directed, edge update": (76.73, 68.05),
}
"""AR@100 and AUC on ActivityNet-1.3: Tables 1 and 3."""


def ablation(out: Path, seeds: Sequence[int], overrides: Sequence[str] = ()) -> dict[str, list[Scores]]:
    """Train and score what is not done yet, and write ``out/table.md`` anew after each.

    Args:
        overrides: of the recipe, for all methods.

    Returns:
        By method, the scores of each seed.

    Raises:
        UserError: ``out`` cannot be written.
    """
    data = out / "benchmark"
    if not (data / "annotations.json").is_file():
        shutil.rmtree(data, ignore_errors=True)  # what was stopped
        write_benchmark(data, seed=BENCHMARK_SEED)
    found: dict[str, list[Scores]] = {}
    for found in train_variants(
        METHODS, RECIPE, ProposalRecipe, lambda recipe: ProposalTask(recipe, [data]), out, seeds, overrides
    ):
        write_whole(out / "table.md", table(found).encode())
    return found


def table(found: Mapping[str, Sequence[Scores]]) -> str:
    """Markdown: mean and standard deviation over the seeds, in %."""
    lines = [
        "| | seeds | AR@10 | AR@100 | AUC | paper: AR@100 | paper: AUC |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for method, runs in found.items():
        ours = [spread([100 * run[key] for run in runs]) for key in ("ar_at_10", "ar_at_100", "auc")]
        paper = [f"{value:.2f}" for value in PAPER.get(method, ())] or ["", ""]
        lines.append(f"| {' | '.join([method, str(len(runs)), *ours, *paper])} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.proposals.ablation", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="a folder, made where it is missing")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    try:
        print(table(ablation(given.out, range(given.seeds))), end="")
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
