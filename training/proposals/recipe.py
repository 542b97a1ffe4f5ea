"""The recipe of a training of proposals."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from errors import UserError
from models.bcgnn.network import Variant
from training.recipe import Count, Positive, Recipe, Settings, ValidationSettings


class ModelSettings(Settings, kw_only=True):
    """``feature_dim``: D, values of a snippet's features. ``max_duration``: the longest segment in snippets; None: the
    whole window. ``dim``: channels of nodes, edges and content. ``samples``: of a segment's content. ``variant``: of
    BC-GNN's graph, see :data:`models.bcgnn.network.VARIANTS`."""

    feature_dim: Count
    max_duration: Count | None = None
    variant: Variant = "directed+edges"
    base_dim: Count = 256
    dim: Count = 128
    samples: Annotated[int, msgspec.Meta(ge=2)] = 32


class WindowSettings(Settings, kw_only=True):
    """How a video becomes windows of ``length`` snippets.

    ``rescaled``: the whole video is one window (ActivityNet). ``sliding``: windows of the snippets as they are, each
    ``stride`` later, None: half a window (THUMOS). ``step_s``, of sliding windows: seconds from one snippet to the
    next; None: as ``run.py features`` wrote beside the features.
    """

    style: Literal["rescaled", "sliding"]
    length: Annotated[int, msgspec.Meta(ge=2)]
    stride: Count | None = None
    step_s: Positive | None = None


class VideoSettings(Settings, kw_only=True):
    """In the folder ``--data``: the folder of ``features`` (``NAME.npy`` or ``.csv`` per video), the file of
    ``annotations`` (ActivityNet's, BMN's or THUMOS' JSON), and which of its subsets are for what; validation None: no
    validation."""

    features: str = "features"
    annotations: str = "annotations.json"
    training: str = "training"
    validation: str | None = "validation"


class ProposalValidation(ValidationSettings, kw_only=True):
    """``protocol``: of :data:`evaluation.proposals.protocol.PROTOCOLS`. ``sigma``: of Soft-NMS, the smaller the more an
    overlap with a better proposal costs."""

    protocol: Literal["activitynet", "thumos"] = "activitynet"
    sigma: Positive = 0.4


class ProposalRecipe(Recipe, kw_only=True):
    """The recipe of a BC-GNN, or of what it is compared with."""

    family: Literal["bcgnn", "bmn", "sliding-window"]
    model: ModelSettings
    windows: WindowSettings
    data: VideoSettings = VideoSettings()
    validation: ProposalValidation


def check(recipe: ProposalRecipe) -> None:
    """Raise UserError where keys do not fit each other."""
    windows, model = recipe.windows, recipe.model
    if windows.style == "rescaled" and (windows.stride or windows.step_s):
        raise UserError("windows: stride and step_s are for style sliding; leave them out, or change the style")
    if windows.stride is not None and windows.stride > windows.length:
        raise UserError(f"windows.stride: {windows.stride} leaves snippets out; give at most {windows.length}")
    if model.max_duration is not None and model.max_duration >= windows.length:
        raise UserError(
            f"model.max_duration: {model.max_duration} does not fit into a window of {windows.length}; "
            f"give at most {windows.length - 1}"
        )
    if recipe.family != "bcgnn" and model.variant != "directed+edges":
        raise UserError(f"model.variant: {model.variant} is of BC-GNN's graph; leave it out for {recipe.family}")
