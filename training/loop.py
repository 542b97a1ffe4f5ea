"""The training loop, for any :class:`training.task.Task`: from a recipe to ``best.pt`` and ``last.pt``.

A step is a function of the recipe, the state and the step's number alone. So a training that is stopped, even by
SIGKILL, and resumed ends with the same bits as one that never stopped (on a processor, with the same number of threads;
GPUs sum in changing order). Under ``torchrun`` the same batches are shared by the processes.
"""

from __future__ import annotations

import functools
import math
import time
from pathlib import Path
from typing import NoReturn

import msgspec
import torch
import yaml
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from errors import UserError
from training import processes
from training.interruption import stop_asked
from training.logbook import Logbook, SilentLogbook, logbook
from training.optimisation import autocast, check_precision, make_optimiser, rate_at
from training.processes import Process
from training.reading import ahead, make_batch
from training.recipe import Recipe, ValidationSettings, steps_in
from training.state import BEST, LAST, RECIPE, check_folder, load_state, make_folder, save_state, seed_of
from training.task import Task

_LOOK_EVERY_STEPS = 10
"""How often losses are fetched from the device, checked and written down."""


def train(
    task: Task,
    recipe: Recipe,
    validation: ValidationSettings,
    out: Path,
    *,
    resume: bool = False,
    force: bool = False,
    init: Path | None = None,
) -> None:
    """Train ``task`` into the folder ``out``.

    Args:
        resume: go on from ``out/state.pt``.
        force: replace the training that ``out`` holds.
        init: a checkpoint to take the first weights from.

    Raises:
        UserError: recipe, data, device or folder do not fit each other, or the loss is not finite.
        KeyboardInterrupt: stopped by Ctrl-C or SIGTERM, after the state was saved.
    """
    if resume and init:
        raise UserError("--init is where a new training starts; a resumed one has its weights: leave one of them out")
    with processes.joined() as process:
        check_precision(recipe.precision, process.device)
        processes.share(recipe.batch, process)
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        check_folder(out, resume=resume, force=force)
        trainer = _Trainer(task, recipe, validation, out, process)
        if resume:
            trainer.load()
        else:
            if init:
                task.load(trainer.network, init)
            processes.gathered(None)  # all have looked into the folder before it changes
            trainer.begin()
        trainer.run()


class _Trainer:
    """A training's parts, and what it has reached."""

    def __init__(self, task: Task, recipe: Recipe, validation: ValidationSettings, out: Path, process: Process) -> None:
        self.task, self.recipe, self.out, self.process = task, recipe, out, process
        self.steps_per_epoch = task.samples / recipe.batch
        self.total = steps_in(recipe.length, self.steps_per_epoch)
        self.validate_every = max(1, steps_in(validation.every, self.steps_per_epoch)) if task.validation_samples else 0
        self.save_every = max(1, steps_in(recipe.save_every, self.steps_per_epoch))
        self.patience = validation.patience

        torch.manual_seed(seed_of(recipe.seed))
        network = task.network().to(process.device, memory_format=torch.channels_last).train()
        if process.count > 1 and process.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        self.network = network
        self.optimiser = make_optimiser(network, recipe.optimiser)
        self.scaler = torch.amp.GradScaler(process.device.type, enabled=recipe.precision == "fp16")
        self.average = None
        if recipe.ema:
            self.average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
        self.step, self.best, self.worse, self.ended = 0, -math.inf, 0, False
        torch.backends.cudnn.benchmark = True

    def begin(self) -> None:
        """Write the recipe and the first state, so that there is something to resume from at any time."""
        if self.process.first:
            make_folder(self.out)
            text = yaml.safe_dump(msgspec.to_builtins(self.recipe), sort_keys=False)
            (self.out / RECIPE).write_text(text, encoding="utf-8")
        self.save()

    def save(self) -> None:
        """``last.pt``, then the state: beside a state is its checkpoint, or a later one."""
        if not all(parameter.isfinite().all() for parameter in self.network.parameters()):
            self._diverged("weights are", self.step)
        if not self.process.first:
            return
        self.task.save(self._result(), self.out / LAST, self.step)
        save_state(
            self.out,
            {
                "recipe": msgspec.to_builtins(self.recipe),
                "data": self.task.data,
                "step": self.step,
                "best": self.best,
                "worse": self.worse,
                "ended": self.ended,
                "network": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "scaler": self.scaler.state_dict(),
                "average": self.average.state_dict() if self.average else None,
            },
        )

    def load(self) -> None:
        state = load_state(self.out, msgspec.to_builtins(self.recipe), self.task.data)
        self.step, self.best, self.worse = state["step"], state["best"], state["worse"]
        self.ended = state["ended"]
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average:
            self.average.load_state_dict(state["average"])

    def run(self) -> None:
        process, task = self.process, self.task
        model: nn.Module = _Losses(self.network, task)
        if process.count > 1:
            device_ids = [process.device.index] if process.device.type == "cuda" else None
            model = DistributedDataParallel(model, device_ids=device_ids)
        with (
            logbook(self.out, total=self.total, step=self.step, shown=process.first) as book,
            stop_asked() as stop,
        ):
            for text in (self._introduction(), *task.notes):
                book.say(text)
            pending: list[dict[str, Tensor]] = []
            since_s = time.monotonic()
            steps = range(self.step, self.total if not self.ended else self.step)
            make = functools.partial(make_batch, task, self.recipe, process)
            for batch in ahead(make, steps, self.recipe.readers):
                pending.append(self._step(model, batch))
                self.step += 1
                last = self.step == self.total
                saves = last or self.step % self.save_every == 0
                validates = self.validate_every and (last or self.step % self.validate_every == 0)
                if not (saves or validates or self.step % _LOOK_EVERY_STEPS == 0):
                    continue
                losses = self._look(pending)
                book.steps(self.step, losses, self._rate(), (time.monotonic() - since_s) / len(pending))
                pending.clear()
                if validates:
                    self._validate(book)
                stopped = processes.anywhere(bool(stop), process.device)
                if saves or validates or stopped:
                    self.save()
                if self.ended:
                    book.say(f"stopped at step {self.step}: {self.patience} validations were not better than the best")
                    break
                if stopped:
                    book.say(f"stopped after step {self.step}, and saved; --resume goes on")
                    raise KeyboardInterrupt
                since_s = time.monotonic()
            book.say(f"done: {self.out / LAST}" + (f"; the best is {self.out / BEST}" if self.validate_every else ""))

    def _step(self, model: nn.Module, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        device = self.process.device
        batch = tuple(part.to(device, non_blocking=True) for part in batch)
        torch.manual_seed(seed_of(self.recipe.seed, self.step, self.process.rank))  # of dropout
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        with autocast(self.recipe.precision, device):
            losses = model(batch)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(sum(losses.values())).backward()
        if self.recipe.gradient_clip:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.gradient_clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average:
            self.average.update_parameters(self.network)
        return {name: loss.detach() for name, loss in losses.items()}

    def _rate(self) -> float:
        factor = rate_at(min(self.step, self.total - 1), self.total, self.steps_per_epoch, self.recipe.schedule)
        return self.recipe.optimiser.learning_rate * factor

    def _look(self, pending: list[dict[str, Tensor]]) -> dict[str, float]:
        """The mean of each loss over the last steps and all processes. Raises UserError unless all are finite."""
        names = list(pending[0])
        table = processes.mean(torch.stack([torch.stack([losses[name] for name in names]) for losses in pending]))
        finite = table.isfinite().all(dim=1)
        if not finite.all():
            self._diverged("the loss is", self.step - len(pending) + int((~finite).nonzero()[0]) + 1)
        return dict(zip(names, table.mean(dim=0).tolist(), strict=True))

    def _diverged(self, what: str, step: int) -> NoReturn:
        raise UserError(
            f"{what} not finite at step {step}; {self.out} has an earlier state: start anew with a smaller "
            f"optimiser.learning_rate, or with gradient_clip=1"
        )

    def _validate(self, book: Logbook | SilentLogbook) -> None:
        samples, process = self.task.validation_samples, self.process
        network = self._result().eval()
        mine = range(process.rank, samples, process.count)
        with (
            book.validating(len(mine)) as on_sample,
            torch.no_grad(),
            autocast(self.recipe.precision, process.device),
        ):
            part = self.task.validate(network, mine, on_sample)
        self.network.train()
        score = self.task.score(processes.gathered(part))
        better = score.value > self.best
        book.validation(self.step, score, better)
        self.best, self.worse = (score.value, 0) if better else (self.best, self.worse + 1)
        self.ended = self.patience is not None and self.worse >= self.patience
        if better and process.first:
            self.task.save(network, self.out / BEST, self.step)

    def _result(self) -> nn.Module:
        """The network that is validated and saved."""
        return self.average.module if self.average else self.network

    def _introduction(self) -> str:
        process, device = self.process, self.process.device
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
        processes_text = f", {process.count} processes" if process.count > 1 else ""
        parameters = sum(p.numel() for p in self.network.parameters()) / 1e6
        begin = f" from step {self.step}" if self.step else ""
        return (
            f"training {self.recipe.family} ({parameters:.2f} M parameters) on {device.type} ({name}{processes_text}) "
            f"in {self.recipe.precision}{begin}: {self.total} steps of {self.recipe.batch}, "
            f"{self.total / self.steps_per_epoch:.3g} epochs of {self.task.samples} samples; "
            f"validation on {self.task.validation_samples}"
        )


class _Losses(nn.Module):
    """Network and losses in one module: what several processes share are its gradients."""

    def __init__(self, network: nn.Module, task: Task) -> None:
        super().__init__()
        self.network, self._task = network, task

    def forward(self, batch: tuple[Tensor, ...]) -> dict[str, Tensor]:
        return self._task.losses(self.network, batch)
