"""A task of a few numbers: a network without batch norm, so that several processes compute what one does.

Started as a script it trains as one process of several: ``toy.py OUT``, with torchrun's environment set.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from training.loop import train
from training.losses import multi_layer_cross_entropy
from training.recipe import OptimiserSettings, Recipe, ScheduleSettings, ValidationSettings
from training.task import Score

CLASSES = 4


class ToyTask:
    samples, validation_samples = 5, 3
    data = {"scans": 5}  # noqa: RUF012
    notes = ()
    scores = ()
    """What the validations give, one after the other; without them the score is the number of validated samples."""
    broken_at = None
    """The number of the sample that is not a number."""
    drawn = 0

    def network(self):
        return nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.Dropout2d(0.0), nn.Conv2d(8, CLASSES, 1))

    def load(self, network, checkpoint):
        network.load_state_dict(torch.load(checkpoint, weights_only=True)["network"])

    def sample(self, index, rng):
        labels = np.random.default_rng(index).integers(0, CLASSES, (4, 6))
        labels[: index % 3] = 0  # not equally many labelled pixels in each sample
        image = np.stack([labels, labels**2]).astype(np.float32) + rng.normal(0, 0.1, (2, 4, 6)).astype(np.float32)
        if self.drawn == self.broken_at:
            image[0, 0] = np.nan
        self.drawn += 1
        return image, labels

    def losses(self, network, batch):
        image, labels = batch
        terms = multi_layer_cross_entropy([network(image)], labels, torch.tensor([0.0, 1.0, 2.0, 3.0]))
        return {"main": terms[0]}

    def validate(self, network, indices, on_sample):
        assert not network.training
        return len(indices)

    def score(self, parts):
        if self.scores:
            value, *self.scores = self.scores
        else:
            value = float(sum(parts))
        return Score(value, {"toy": value})

    def save(self, network, path, step):
        torch.save({"network": network.state_dict(), "step": step}, path)


def recipe(**changes):
    values = {
        "family": "toy",
        "length": "6 steps",
        "batch": 2,
        "optimiser": OptimiserSettings(name="sgd", learning_rate=0.05),
        "schedule": ScheduleSettings(decay="cosine", warm_up="2 steps"),
        "precision": "fp32",
        "save_every": "2 steps",
        "threads": 1,
    }
    return Recipe(**(values | changes))


VALIDATION = ValidationSettings(every="3 steps")


if __name__ == "__main__":
    train(ToyTask(), recipe(ema=0.9), VALIDATION, Path(sys.argv[1]))
