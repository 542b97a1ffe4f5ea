"""Proposals as a :class:`training.task.Task`: videos' features and annotated actions, AR@AN and AUC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from errors import UserError, hint
from evaluation.proposals.protocol import PROTOCOLS, recall_curve
from formats.temporal.annotations import AnnotatedVideo, read_annotations
from models.bcgnn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from models.bcgnn.network import BCGNN
from models.bcgnn.offline import rescaled_proposals, video_proposals
from models.bcgnn.windows import firsts, window_from
from models.checkpoint_file import read_values, write_values
from training.proposals.methods import METHODS
from training.proposals.recipe import ProposalRecipe, check
from training.proposals.videos import Video, read_videos
from training.task import Score

_LEAST_SCORE = 1e-3
"""In a video of many windows, what scores less is not proposed: Soft-NMS goes through all that is left."""
_NAMED = 3
_SAME_STEP = 0.1


class ProposalTask:
    """See :class:`training.task.Task`. A sample is a window; a validation sample is a video.

    Raises:
        UserError: keys that do not fit each other, no such subset, no features, or files that are wrong.
    """

    def __init__(self, recipe: ProposalRecipe, folders: Sequence[Path]) -> None:
        check(recipe)
        if len(folders) > 1:
            raise UserError("--data: give one folder, with the features and the annotations of all videos in it")
        self._recipe, self._method, self._length = recipe, METHODS[recipe.family](recipe), recipe.windows.length
        self._annotations = folders[0] / recipe.data.annotations
        self.notes: list[str] = []
        annotated, features = read_annotations(self._annotations), folders[0] / recipe.data.features
        training = self._videos(annotated, features, "training")
        self._validation = self._videos(annotated, features, "validation") if recipe.data.validation else []
        self._step_s = _common_step_s(training) if recipe.windows.style == "sliding" else None
        self._windows = [
            (video, first)
            for video in training
            for first in firsts(len(video.times_s), self._length, recipe.windows.stride).tolist()
        ]
        if not any(len(video.actions_s) for video in training):
            raise UserError(f"{self._annotations}: no action in subset {recipe.data.training} to learn from")
        if recipe.data.validation and not any(len(video.annotated_s) for video in self._validation):
            raise UserError(f"{self._annotations}: no action in subset {recipe.data.validation} to validate on")
        self.samples, self.validation_samples = len(self._windows), len(self._validation)
        self.data = {
            "videos": len(training),
            "windows": len(self._windows),
            "actions": sum(len(video.annotated_s) for video in training),
            "validation": len(self._validation),
        }

    def network(self) -> nn.Module:
        return self._method.network()

    def load(self, network: nn.Module, checkpoint: Path) -> None:
        if isinstance(network, BCGNN):
            found = load_checkpoint(checkpoint)
            if found.arguments != network.arguments:
                raise UserError(f"--init {checkpoint}: has {found.arguments}, the recipe {network.arguments}")
            network.load_state_dict(found.network)
            return
        values, family = read_values(checkpoint), self._recipe.family
        if not isinstance(values, dict) or values.get("family") != family:
            raise UserError(f"--init {checkpoint}: not a checkpoint of {family}; give one that run.py train wrote")
        try:
            network.load_state_dict(values["network"])
        except (KeyError, RuntimeError) as error:
            raise UserError(f"--init {checkpoint}: its network has other sizes than the recipe's model") from error

    def sample(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        video, first = self._windows[index]
        times_s = video.times_s[first] + video.step_s * np.arange(self._length)
        features = window_from(video.features, first, self._length)
        return (features, *self._method.truth(video.actions_s, times_s, video.step_s))

    def losses(self, network: nn.Module, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        features, *truth = batch
        return self._method.losses(network, features, tuple(truth))

    def validate(
        self, network: nn.Module, indices: Sequence[int], on_sample: Callable[[], None]
    ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Truth [G, 2] and proposals [K, 2] of some validation videos, by name."""
        found = {}
        for i in indices:
            video = self._validation[i]
            found[video.name] = video.annotated_s, self._propose(network, video)
            on_sample()
        return found

    def score(self, parts: Sequence[Any]) -> Score:
        """AUC; AR at the numbers of proposals that papers list."""
        protocol = PROTOCOLS[self._recipe.validation.protocol]
        videos = {name: video for part in parts for name, video in part.items()}
        if not any(len(proposals) for _, proposals in videos.values()):
            return Score(0.0, {"auc": 0.0})
        truths, proposals = ({name: video[i] for name, video in videos.items()} for i in range(2))
        curve = recall_curve(truths, proposals, protocol)
        recall = {f"ar_at_{number}": float(curve.at(number).mean()) for number in protocol.listed}
        return Score(curve.auc, {"auc": curve.auc, **recall})

    def save(self, network: nn.Module, path: Path, step: int) -> None:
        trained_on = f"{self.data['videos']} videos of {self._annotations.name}, subset {self._recipe.data.training}"
        if isinstance(network, BCGNN):
            values = {"arguments": network.arguments, "step": step, "network": network.state_dict()}
            windows = {"style": self._recipe.windows.style, "step_s": self._step_s}
            save_checkpoint(path, Checkpoint(**values, **windows, trained_on=trained_on))
        else:
            values = {"family": self._recipe.family, "step": step, "network": network.state_dict()}
            write_values(path, values | {"trained_on": trained_on})

    def _videos(self, annotated: dict[str, AnnotatedVideo], features: Path, purpose: str) -> list[Video]:
        """The videos of the subset for a purpose, a key of ``data``; those without features are noted."""
        recipe, subset = self._recipe, getattr(self._recipe.data, purpose)
        chosen = {name: video for name, video in annotated.items() if video.subset == subset}
        if not chosen:
            there = sorted({video.subset for video in annotated.values() if video.subset is not None})
            raise UserError(
                f"data.{purpose}: {self._annotations} has no subset {subset!r}"
                + (f"; {hint(subset, there)}" if there else "")
            )
        if not features.is_dir():
            raise UserError(f"{features}: no such folder of features; give --data DIR, or --set data.features=NAME")
        videos, missing = read_videos(chosen, features, recipe.model.feature_dim, recipe.windows)
        if not videos:
            raise UserError(f"{features}: no features of any video of subset {subset}, such as {next(iter(chosen))}")
        if missing:
            names = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
            self.notes.append(f"left out, {len(missing):,} of {len(chosen):,} {subset} without features: {names}")
        return videos

    def _propose(self, network: nn.Module, video: Video) -> np.ndarray:
        """[K, 2] seconds, best first."""
        windows, validation = self._recipe.windows, self._recipe.validation
        device = next(network.parameters()).device

        def score(window: np.ndarray) -> tuple[np.ndarray, ...]:
            found = self._method.probabilities(network, torch.from_numpy(window)[None].to(device))
            return tuple(part.cpu().numpy() for part in found)

        if windows.style == "rescaled":
            duration_s, most = self._length * video.step_s, PROTOCOLS[validation.protocol].most
            how = {"length": self._length, "sigma": validation.sigma, "most": most}
            return rescaled_proposals(video.features, duration_s, score, **how).segments_s
        stride = windows.stride or max(self._length // 2, 1)
        how = {"length": self._length, "stride": stride, "sigma": validation.sigma, "least_score": _LEAST_SCORE}
        return video_proposals(video.features, video.times_s, score, **how).segments_s


def _common_step_s(videos: Sequence[Video]) -> float:
    """How far apart the snippets of all videos are.

    Raises:
        UserError: one video's are more than a tenth nearer or farther than the first one's.
    """
    first = videos[0]
    for video in videos:
        if abs(video.step_s / first.step_s - 1) > _SAME_STEP:
            raise UserError(
                f"a snippet every {first.step_s:g} s in {first.name}, every {video.step_s:g} s in {video.name}: a "
                "model learns one step; make the features anew with one --stride"
            )
    return first.step_s
