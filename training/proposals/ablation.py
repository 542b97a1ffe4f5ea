"""Table 3 of BC-GNN's paper on the synthetic benchmark, with BMN and sliding windows beside it.

    python -m training.proposals.ablation --out DIR [--seeds N]

makes the benchmark, trains every method by ``configs/training/bcgnn-synthetic.yaml`` once per seed, with the same
number of steps for all, scores each once at its end on the subset ``validation``, and writes ``DIR/table.md``. What is
done is not done again: stopped, the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

from errors import UserError
from training.loop import train
from training.proposals.recipe import ProposalRecipe
from training.proposals.synthetic import write_benchmark
from training.proposals.task import ProposalTask
from training.recipe import check_recipe, read_recipe
from training.state import LOG, STATE
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

Scores = Mapping[str, float]


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
    for seed in seeds:
        for method, differs in METHODS.items():
            name = f"{method.replace(', ', '-').replace(' ', '-').lower()}-{seed}"
            result = out / "results" / f"{name}.json"
            if not result.is_file():
                scores = _train(out / "runs" / name, data, [*overrides, *differs, f"seed={seed}"])
                _write(result, json.dumps(scores, indent=1) + "\n")
            found.setdefault(method, []).append(json.loads(result.read_text(encoding="utf-8")))
            _write(out / "table.md", table(found))
    return found


def _train(out: Path, data: Path, overrides: Sequence[str]) -> dict[str, float]:
    values = read_recipe(RECIPE, overrides)
    values["validation"]["every"] = values["length"]  # nothing is chosen by its score
    recipe = check_recipe(values, ProposalRecipe, RECIPE)
    train(ProposalTask(recipe, [data]), recipe, recipe.validation, out, resume=(out / STATE).is_file())
    last = json.loads((out / LOG).read_text(encoding="utf-8").splitlines()[-1])
    return {key.removeprefix("validation/"): value for key, value in last.items() if key.startswith("validation/")}


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    write_whole(path, text.encode())


def table(found: Mapping[str, Sequence[Scores]]) -> str:
    """Markdown: mean and standard deviation over the seeds, in %."""
    lines = [
        "| | seeds | AR@10 | AR@100 | AUC | paper: AR@100 | paper: AUC |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for method, runs in found.items():
        ours = [_spread([100 * run[key] for run in runs]) for key in ("ar_at_10", "ar_at_100", "auc")]
        paper = [f"{value:.2f}" for value in PAPER.get(method, ())] or ["", ""]
        lines.append(f"| {' | '.join([method, str(len(runs)), *ours, *paper])} |")
    return "\n".join(lines) + "\n"


def _spread(values: Sequence[float]) -> str:
    return f"{mean(values):.1f} ± {stdev(values):.1f}" if len(values) > 1 else f"{values[0]:.1f}"


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
