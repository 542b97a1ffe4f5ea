"""Optimiser, learning rate and number format of a training, as its recipe has them."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager

import torch
from torch import nn

from errors import UserError
from training.recipe import OptimiserSettings, ScheduleSettings, steps_in

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def make_optimiser(network: nn.Module, settings: OptimiserSettings) -> torch.optim.Optimizer:
    """SGD with momentum, or AdamW, over all parameters."""
    parameters, rate, decay = network.parameters(), settings.learning_rate, settings.weight_decay
    if settings.name == "sgd":
        return torch.optim.SGD(parameters, lr=rate, momentum=settings.momentum, weight_decay=decay)
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)


def rate_at(step: int, steps: int, steps_per_epoch: float, schedule: ScheduleSettings) -> float:
    """The factor of the learning rate in ``step`` (from 0) of ``steps``."""
    warm_up = steps_in(schedule.warm_up, steps_per_epoch)
    if step < warm_up:
        return (step + 1) / warm_up
    match schedule.decay:
        case "exponential":
            return schedule.factor ** int((step - warm_up) / steps_per_epoch)
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))
        case "wsd":
            final = max(1.0, schedule.final_share * steps)
            return min(1.0, (steps - step) / final)
    return 1.0


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """Where the network computes in ``precision``; what is summed stays float32 (torch.autocast)."""
    if precision == "fp32":
        return torch.autocast(device.type, enabled=False)
    return torch.autocast(device.type, _DTYPES[precision])


def check_precision(precision: str, device: torch.device) -> None:
    """Raises UserError where the device cannot train in ``precision``."""
    if precision == "fp16" and device.type == "cpu":
        raise UserError("precision: fp16 needs a GPU; on a processor give --set precision=bf16, or fp32")
    if precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise UserError("precision: this GPU has no bfloat16; give --set precision=fp16")
