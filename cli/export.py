"""Export models to ONNX, OpenVINO, TensorRT and TensorRT-RTX, and prove that they compute the same."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errors import UserError, require_known

if TYPE_CHECKING:
    from rich.progress import Progress

    from export.request import ExportRequest
    from export.steps import Done
    from inference.manifest import Parity

MODEL_VERB = "model"
"""``run.py export squeezesegv3-21`` is short for ``run.py export model squeezesegv3-21``."""
_MEASURES = {
    "relative_max": "{:.1e}",
    "adversarial_relative_max": "{:.1e}",
    "same_label": "{:.3%}",
    "same_proposals": "{:.2%}",
    "same_boxes": "{:.2%}",
    "box_error": "{:.1e}",
    "score_error": "{:.1e}",
    "least_cosine": "{:.4f}",
    "miou": "{:.1%}",
    "miou_change": "{:+.2%}",
}


def model(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="See: run.py export list. Or an exported folder.")],
    weights: Annotated[
        str | None, typer.Option(help="Checkpoint, exported folder, or random. Default: what the project ships.")
    ] = None,
    to: Annotated[str, typer.Option(help="onnx, openvino, tensorrt, tensorrt-rtx; several: onnx,openvino.")] = "onnx",
    precision: Annotated[str, typer.Option(help="fp32, fp16, bf16, int8; several: fp32,bf16.")] = "fp32",
    size: Annotated[str | None, typer.Option(help="HxW of the input. Default: as trained.")] = None,
    batch: Annotated[str, typer.Option(help="N, or MIN:OPT:MAX.")] = "1",
    opset: Annotated[int | None, typer.Option(help="Of the ONNX graph.")] = None,
    outputs: Annotated[
        str | None,
        typer.Option(help="squeezesegv3: both, logits, labels. Detectors: boxes, detections (NMS in the graph), raw."),
    ] = None,
    store: Annotated[str, typer.Option(help="How the file stores weights: fp16, int8, fp32.")] = "fp16",
    trained_on: Annotated[str | None, typer.Option(help="What the weights learnt from, in a line.")] = None,
    gpus: Annotated[str | None, typer.Option(help="TensorRT-RTX: SM80,SM86,… Default: SM80,SM86,SM89,SM120.")] = None,
    version_compatible: Annotated[
        bool, typer.Option("--version-compatible", help="TensorRT: later versions run the engine too.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Recordings to measure parity on. Default: made-up inputs.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="How many of their scans or frames.")] = 9,
    calibrate: Annotated[Path | None, typer.Option(help="Recordings that int8 finds its scales on.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder. Default: out/export/MODEL.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace what an export left in --out.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made, and make nothing.")] = False,
) -> int:
    """Make a model's graph and engines, prove each stage, and leave a folder that the pipeline runs."""
    from export import folder as folders
    from export.cache import StepCache
    from export.families import choose_outputs, find
    from export.prove import GRAPH, STORED
    from export.request import DEFAULT_CAPABILITIES, ExportRequest, builds, parse_batch, parse_size
    from export.steps import Export, request_key

    model_name, source = _source(name, weights)
    height, width = parse_size(size) if size else (None, None)
    require_known("--store", store, ("fp16", "int8", "fp32"))
    made = builds(_names(to), _names(precision))
    if gpus and all(build.target != "tensorrt-rtx" for build in made):
        raise UserError("--gpus is for --to tensorrt-rtx; leave it out")
    request = ExportRequest(
        model=model_name,
        weights=source,
        builds=made,
        height=height,
        width=width,
        batch=parse_batch(batch),
        opset=opset,
        outputs=outputs,
        storage=store,
        trained_on=trained_on,
        capabilities=tuple(_names(gpus)) if gpus else DEFAULT_CAPABILITIES,
        version_compatible=version_compatible,
        data=data,
        samples=samples,
        calibration=calibrate,
    )
    if request.is_from_folder:
        _refuse_graph_options(size, batch, opset, outputs, store, trained_on, source)
    else:
        choose_outputs(find(model_name), outputs)
    for what, path in (("--data", data), ("--calibrate", calibrate)):
        if path is not None and not path.is_dir():
            raise UserError(f"{what} {path}: no such folder; give a folder of recordings")
    out = out or Path("out/export") / model_name
    same = folders.is_same(out, request_key(request))
    if not same:
        folders.require_free(out, force)
    _require_packages(request)
    if dry_run:
        return _dry_run(request, out)
    with _watching() as (watch, on_progress):
        manifest = Export(request, out, StepCache(), watch=watch, on_progress=on_progress).run()
    assert manifest.parity is not None
    _print_parity(manifest.parity)
    _print(f"{out}: {_files(out)}")
    asked = {STORED, GRAPH, *map(str, made)}
    failed = {stage.name for stage in manifest.parity.stages if stage.passed is False}
    if failed & asked:
        _print("parity FAILED: the pipeline refuses this model, or the backend of the stage that failed", style="red")
    elif failed:
        _print(f"{', '.join(sorted(failed))}: not asked for; the pipeline will not choose it by itself", style="yellow")
    return 1 if failed & asked else 0


def list_() -> None:
    """Models, targets and precisions, and what works on this machine."""
    from rich.table import Table

    from cli.show import console
    from export.available import problem
    from export.families import MODELS
    from export.request import PRECISIONS

    table = Table("model", *PRECISIONS, box=None, pad_edge=False)
    for name in MODELS:
        table.add_row(name, *(", ".join(precisions) for precisions in PRECISIONS.values()))
    console.print(table)
    for target in PRECISIONS:
        what = problem(target)
        _print(f"{target}: {what or 'works here'}")


def verify(
    folder: Annotated[Path, typer.Argument(help="An exported model.")],
    data: Annotated[Path | None, typer.Option(help="Recordings to measure on. Default: made-up inputs.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="How many of their scans or frames.")] = 9,
) -> int:
    """Check an exported model: its files, every layer, every backend, on this machine. Exit code 1: it differs."""
    from export.verify import verify as run

    with _watching() as (watch, on_progress):
        tell = watch("verify")
        found = run(folder, data=data, count=samples, on_progress=on_progress)
        tell(None)
    if found.parity is not None:
        _print_parity(found.parity)
    for problem in found.problems:
        _print(f"differs: {problem}", style="red")
    if not found.problems:
        _print(f"{folder}: is what was exported, and computes it here")
    return 1 if found.problems else 0


def inspect(folder: Annotated[Path, typer.Argument(help="An exported model.")]) -> None:
    """What is in an exported model: layers, precisions really used, memory, operators that no runtime has."""
    from export.inspect import describe

    for line in describe(folder):
        _print(line)


def cache(
    action: Annotated[str, typer.Argument(metavar="list|prune")],
    older_than_days: Annotated[float, typer.Option(min=0, help="Prune: not used for so long.")] = 30.0,
) -> None:
    """What earlier exports left in the cache: list it, or remove what was not used of late."""
    import time

    from export.cache import StepCache

    require_known("export cache", action, ("list", "prune"))
    store = StepCache()
    entries = store.entries() if action == "list" else store.prune(older_than_days)
    for entry in entries:
        days = (time.time() - entry.used_s) / 86_400
        key = ", ".join(f"{k} {v[:16]}" for k, v in entry.key.items() if k in ("model", "precision", "version", "size"))
        _print(f"{entry.step:16} {entry.size_bytes / 1e6:8.1f} MB  used {days:5.1f} days ago  {key}")
    total = sum(entry.size_bytes for entry in entries) / 1e6
    _print(f"{store.folder}: {'' if action == 'list' else 'removed '}{len(entries)} results, {total:.1f} MB")


def _source(name: str, weights: str | None) -> tuple[str, Path | None]:
    """The model's name and where its weights come from; None: random."""
    from export.families import find
    from export.request import RANDOM
    from inference.manifest import read_manifest

    if Path(name).is_dir():
        if weights is not None:
            raise UserError(f"export {name}: an exported folder has its weights; leave --weights out")
        manifest = read_manifest(name)
        if not manifest.model:
            raise UserError(f"{name}: was not made by run.py export; give a model's name and --weights")
        return manifest.model, Path(name)
    family = find(name)
    if weights == RANDOM:
        return name, None
    if weights is not None:
        if not Path(weights).exists():
            raise UserError(f"--weights {weights}: no such file; give a checkpoint, an exported folder, or random")
        return name, Path(weights)
    if family.shipped is None:
        raise UserError(f"export {name}: the project ships no weights of it; give --weights CHECKPOINT, or random")
    return name, family.shipped


def _refuse_graph_options(
    size: str | None,
    batch: str,
    opset: int | None,
    outputs: str | None,
    store: str,
    trained_on: str | None,
    source: Path | None,
) -> None:
    given = {
        "--size": size is not None,
        "--batch": batch != "1",
        "--opset": opset is not None,
        "--outputs": outputs is not None,
        "--store": store != "fp16",
        "--trained-on": trained_on is not None,
    }
    wrong = [option for option, is_given in given.items() if is_given]
    if wrong:
        raise UserError(f"{', '.join(wrong)}: the graph in {source} is made already; give --weights CHECKPOINT")


def _require_packages(request: ExportRequest) -> None:
    """What is missing is said before anything is made."""
    from export.available import problem

    for target in dict.fromkeys(build.target for build in request.builds):
        if what := problem(target):
            raise UserError(f"--to {target}: {what}")
    if not request.is_from_folder and (what := problem("checkpoint")):
        raise UserError(f"export {request.model}: {what}")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _dry_run(request: ExportRequest, out: Path) -> int:
    weights = request.weights or "random weights"
    _print(f"{request.model} from {weights} to {out}:")
    for build in request.builds:
        gpus = f" for {', '.join(request.capabilities)}" if build.target == "tensorrt-rtx" else ""
        _print(f"  {build}{gpus}")
    _print(f"  parity on {request.data or 'made-up inputs'}")
    return 0


@contextlib.contextmanager
def _watching() -> Iterator[tuple[Callable[[str], Callable[[Done | None], None]], Callable[[str, float], None]]]:
    """A line for each step, with a bar while it is worked on."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from cli.show import console

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=1.0)
        step = ""

        def watch(name: str) -> Callable[[Done | None], None]:
            nonlocal step
            step = name
            progress.reset(task, total=1.0, description=step)
            return lambda done: _tell(progress, done)

        def on_progress(what: str, share: float) -> None:
            progress.update(task, completed=share, description=f"{step}: {what}")

        yield watch, on_progress


def _tell(progress: Progress, done: Done | None) -> None:
    if done is None:
        return
    how = "found in the cache" if done.result.hit else f"{done.result.seconds:.1f} s"
    progress.console.print(f"{done.name:24} {done.size_bytes / 1e6:7.1f} MB  {how}", soft_wrap=True)


def _print_parity(parity: Parity) -> None:
    from rich.table import Table

    from cli.show import console

    names = [name for name in _MEASURES if any(name in stage.measures for stage in parity.stages)]
    table = Table("stage", "parity", *(name.replace("_", " ") for name in names), box=None, pad_edge=False)
    for stage in parity.stages:
        verdict = {True: "passed", False: "[red]FAILED[/]", None: "[yellow]not run[/]"}[stage.passed]
        cells = [_MEASURES[name].format(stage.measures[name]) if name in stage.measures else "" for name in names]
        table.add_row(stage.name, verdict, *cells)
    console.print(table)
    for stage in parity.stages:
        if stage.passed is False:
            where = f", from layer {stage.first_difference} on" if stage.first_difference else ""
            _print(f"{stage.name}: must be {stage.bound or 'finite'}{where}", style="red")
        elif stage.passed is None:
            _print(f"{stage.name} was not run: {stage.note}", style="yellow")
    inputs = ", ".join(f"{count} {kind}" for kind, count in parity.inputs.items())
    _print(f"measured on: {inputs}")


def _files(out: Path) -> str:
    return ", ".join(f"{f.name} {f.stat().st_size / 1e6:.1f} MB" for f in sorted(out.iterdir()) if f.is_file())


def _print(text: str, style: str | None = None) -> None:
    from cli.show import console

    console.print(text, soft_wrap=True, highlight=False, markup=False, style=style)
