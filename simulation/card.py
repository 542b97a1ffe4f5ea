"""``drive.json``: what a drive was made from and what came of it, so that it can be made again and judged unseen."""

from __future__ import annotations

import platform
from collections import Counter
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np

from simulation import rig
from simulation.actors import Action
from simulation.folder import DriveFolder
from simulation.lidar.profile import load_profile
from simulation.scene import import_open3d
from simulation.street import Street


def card(
    folder: DriveFolder, street: Street, actions: tuple[Action, ...], points_per_label: Counter[str]
) -> dict[str, Any]:
    """The card of a drive whose frames are all there. ``points_per_label``: of all frames, by raw label."""
    recipe = folder.recipe
    optics = recipe.settings.camera.optics
    return {
        "parameters": recipe.parameters(),
        "recording": folder.root.relative_to(folder.out).as_posix(),
        "period_s": recipe.period_s,
        "sensors": {
            "lidar": {**msgspec.to_builtins(load_profile(recipe.settings.sensor)), "height_m": rig.LIDAR_HEIGHT_M},
            "cameras": {
                "width": optics.width, "height": optics.height, "focal_px": optics.focal_px, "x_m": rig.CAMERA_X_M,
            },
        },
        "street": asdict(street.plan),
        "weather": asdict(street.weather),
        "points": {
            "total": points_per_label.total(),
            "per_label": {label: points_per_label[label] for label in sorted(points_per_label, key=int)},
        },
        "actions": dict(sorted(Counter(action.label for action in actions).items())),
        "versions": {
            "python": platform.python_version(), "numpy": np.__version__, "open3d": import_open3d().__version__,
        },
    }  # fmt: skip
