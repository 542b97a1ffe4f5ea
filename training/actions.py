"""The two-stream snippet encoder as a :class:`training.task.Task`: which actions happen in a snippet of a drive."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor

from errors import UserError
from formats.labelled_scans import find_recordings
from models.checkpoint_file import read_values
from models.two_stream.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from models.two_stream.network import TwoStream
from models.two_stream.snippets import SnippetSettings, network_inputs
from training.action_snippets import (
    ACTIONS,
    NO_ACTION,
    FilmedDrive,
    augmented,
    happening,
    is_filmed,
    mirrored,
    read_drive,
    twin_classes,
)
from training.drives import DataSettings, split
from training.recipe import Count, Positive, Recipe, Settings, ValidationSettings
from training.task import Score

_LARGEST_WEIGHT = 10.0


class ModelSettings(Settings, kw_only=True):
    """``stream_dim``: features of each stream. ``imagenet``: a file with MobileNetV2's ImageNet weights, which the RGB
    stream takes and keeps (its head alone learns); None: all of it learns, from nothing."""

    stream_dim: Count = 128
    imagenet: str | None = None


class SnippetRecipe(Settings, kw_only=True):
    """Of :class:`models.two_stream.snippets.SnippetSettings`."""

    snippet_s: Positive = 0.6
    frames: Count = 3
    height: Count = 96
    width: Count = 160


class ActionRecipe(Recipe, kw_only=True):
    """The recipe of a snippet encoder."""

    model: ModelSettings = ModelSettings()
    snippet: SnippetRecipe = SnippetRecipe()
    data: DataSettings
    validation: ValidationSettings


class _Place(NamedTuple):
    """A snippet: the drive it is of, and its first sample."""

    drive: FilmedDrive
    first: int


class ActionTask:
    """See :class:`training.task.Task`. A snippet begins at every sample of the drives that are trained on; those that
    are validated on are cut into snippets without overlap.

    Raises:
        UserError: no filmed drives with actions, or patterns that no drive matches.
    """

    def __init__(self, recipe: ActionRecipe, folders: Sequence[Path]) -> None:
        try:
            self._settings = SnippetSettings(**msgspec.structs.asdict(recipe.snippet))
        except ValueError as error:
            raise UserError(f"snippet: {error}") from error
        self._recipe = recipe
        found = [recording for folder in folders for recording in find_recordings(folder, need_labels=False)]
        filmed = [recording for recording in found if is_filmed(recording)]
        if not filmed:
            raise UserError(
                f"--data {folders[0]}: no drive with {ACTIONS} and pictures; simulate some with --camera left"
            )
        chosen, held_out = split(filmed, recipe.data.training, recipe.data.validation)
        shown = track(
            [*chosen, *held_out], "reading pictures", transient=True, disable=os.environ.get("RANK", "0") != "0"
        )
        drives = [read_drive(recording, self._settings) for recording in shown]
        training, validation = drives[: len(chosen)], drives[len(chosen) :]
        self._classes = (*sorted({label for drive in training for label in drive.labels}), NO_ACTION)
        self._twins = twin_classes(self._classes)
        self._places = [place for drive in training for place in self._snippets(drive, stride=1)]
        self._validation = [p for drive in validation for p in self._snippets(drive, stride=self._settings.frames)]
        if not self._places:
            raise UserError(
                f"--data {folders[0]}: every drive is shorter than a snippet, {self._settings.snippet_s:g} s"
            )
        share = np.mean([self._truth(place) for place in self._places], axis=0)
        self._weights = torch.from_numpy(np.clip(np.sqrt((1 - share) / np.maximum(share, 1e-6)), 1, _LARGEST_WEIGHT))
        self.samples, self.validation_samples = len(self._places), len(self._validation)
        self.data = {
            "training": [drive.name for drive in training],
            "snippets": self.samples,
            "classes": list(self._classes),
            "validation": [drive.name for drive in validation],
            "validation_snippets": self.validation_samples,
        }
        unknown = sorted({label for drive in validation for label in drive.labels} - set(self._classes))
        self.notes = [f"left out, no {ACTIONS} or no pictures: {r.name}" for r in found if r not in filmed]
        self.notes += (
            [f"only in drives that are validated on, so never learnt: {', '.join(unknown)}"] if unknown else []
        )

    def network(self) -> TwoStream:
        model = self._recipe.model
        network = TwoStream(self._settings.flow_channels, len(self._classes), model.stream_dim)
        if model.imagenet is not None:
            state = read_values(Path(model.imagenet))
            try:
                network.rgb.load_imagenet(state)
            except (AttributeError, ValueError) as error:
                raise UserError(f"model.imagenet: {model.imagenet}: not the weights of MobileNetV2") from error
            network.rgb.requires_grad_(False)
        return network

    def load(self, network: TwoStream, checkpoint: Path) -> None:
        found = load_checkpoint(checkpoint)
        if found.settings != self._settings or found.label_names != self._classes:
            raise UserError(
                f"--init {checkpoint}: was trained on other snippets or labels than this recipe and data have"
            )
        if found.arguments != network.arguments:
            raise UserError(f"--init {checkpoint}: has {found.arguments}, the recipe {network.arguments}")
        network.load_state_dict(found.network)

    def sample(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        images, truth = augmented(self._images(self._places[index]), rng), self._truth(self._places[index])
        if rng.random() < 0.5:
            images, truth = mirrored(images, truth, self._twins)
        return (*network_inputs(list(images)), truth)

    def losses(self, network: TwoStream, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        rgb, flow, truth = batch
        if self._recipe.model.imagenet is not None:
            network.rgb.eval()  # what it keeps includes the statistics of its batch norms
        logits = network(*(part.to(memory_format=torch.channels_last) for part in (rgb, flow))).float()
        weights = self._weights.to(logits)
        return {"actions": F.binary_cross_entropy_with_logits(logits, truth, pos_weight=weights)}

    def validate(
        self, network: TwoStream, indices: Sequence[int], on_sample: Callable[[], None]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores and truth [S, C] of some validation snippets."""
        device = next(network.parameters()).device
        scores, truths = [], []
        for i in indices:
            place = self._validation[i]
            inputs = network_inputs(list(self._images(place)))
            logits = network(*(torch.from_numpy(part)[None].to(device) for part in inputs))
            scores.append(logits[0].float().cpu().numpy())
            truths.append(self._truth(place))
            on_sample()
        shape = (-1, len(self._classes))
        return np.reshape(scores, shape), np.reshape(truths, shape)

    def score(self, parts: Sequence[Any]) -> Score:
        """The mean of the labels' average precision, of those that the validation snippets have."""
        scores, truth = (np.concatenate([part[i] for part in parts]) for i in range(2))
        found = {
            name: average_precision(scores[:, c], truth[:, c] > 0)
            for c, name in enumerate(self._classes)
            if truth[:, c].any()
        }
        mean = float(np.mean(list(found.values())))
        by_chance = float(np.mean([truth[:, c].mean() for c in range(truth.shape[1]) if truth[:, c].any()]))
        details = {"mean_ap": mean, "mean_ap_by_chance": by_chance} | {f"ap/{name}": ap for name, ap in found.items()}
        return Score(mean, details)

    def save(self, network: TwoStream, path: Path, step: int) -> None:
        data = self.data
        save_checkpoint(
            path,
            Checkpoint(
                arguments=network.arguments,
                snippet=msgspec.structs.asdict(self._recipe.snippet),
                step=step,
                network=network.state_dict(),
                label_names=self._classes,
                trained_on=f"{data['snippets']} snippets of {len(data['training'])} simulated drives",
            ),
        )

    def _snippets(self, drive: FilmedDrive, stride: int) -> list[_Place]:
        last = len(drive.images_bgr) - self._settings.frames
        return [_Place(drive, first) for first in range(0, last + 1, stride)]

    def _images(self, place: _Place) -> np.ndarray:
        return place.drive.images_bgr[place.first : place.first + self._settings.frames]

    def _truth(self, place: _Place) -> np.ndarray:
        start_s = place.first * self._settings.sample_s
        return happening(place.drive, self._classes, start_s, start_s + self._settings.snippet_s)


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """The mean, over those that are true, of the precision among what scores at least as high.

    Args:
        scores: [S].
        truth: [S] bool, at least one of them true.
    """
    order = np.argsort(-scores, kind="stable")
    scores, truth = scores[order], truth[order]
    last_of_equals = np.searchsorted(-scores, -scores, side="right") - 1
    found = np.cumsum(truth)[last_of_equals]
    return float((found / (last_of_equals + 1))[truth].mean())
