"""The authors' release of SqueezeSegV3: a folder of plain state dicts, one per part of the network, and two YAML files.

    backbone  segmentation_decoder  segmentation_head1 … segmentation_head5  arch_cfg.yaml  data_cfg.yaml

The network here has the release's names, each prefixed with its file's, so that importing is reading and checking.
Means and stds are the folder's own: published configurations differ (that of SqueezeSegV3-53 has range and z swapped),
and weights only work with those that they were trained with.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch
import yaml
from torch import Tensor

from errors import UserError
from models.range_view.normalize import HDL64_MEANS, HDL64_STDS
from models.squeezesegv3.checkpoint import Checkpoint
from models.squeezesegv3.network import BLOCKS, SqueezeSegV3

PARTS = ("backbone", "segmentation_decoder", *(f"segmentation_head{i}" for i in range(1, 6)))
ARCHITECTURE = "arch_cfg.yaml"
LABELS = "data_cfg.yaml"

_Channels = tuple[float, float, float, float, float]


class Release(NamedTuple):
    """What a folder holds. ``notes``: what of it somebody may not expect, a line each."""

    checkpoint: Checkpoint
    notes: list[str]


def read_release(folder: Path, label_names: Sequence[str]) -> Release:
    """Read a release folder. Nothing in it is run: tensors and plain values only.

    ``label_names``: of the classes, in the order of the logits. Whether they are those of ``data_cfg.yaml`` is for the
    caller to check.

    Raises:
        UserError: a file or a tensor is missing, unexpected, damaged or of another shape; the YAML contradicts them.
    """
    _check_files(folder)
    notes: list[str] = []
    parts = {name: _read_part(folder / name, notes) for name in PARTS}
    layers = _recognise(parts["backbone"])
    with torch.device("meta"):
        expected = SqueezeSegV3(layers, len(label_names)).state_dict()
    state = {}
    for name, tensors in parts.items():
        prefix = f"{name}."
        wanted = {key.removeprefix(prefix): value for key, value in expected.items() if key.startswith(prefix)}
        _check_tensors(folder / name, tensors, wanted, layers)
        state |= {prefix + key: tensors.get(key, torch.tensor(0)) for key in wanted}  # old releases count no batches

    sensor = _read_sensor(folder / ARCHITECTURE, layers)
    if (sensor.img_means, sensor.img_stds) != (HDL64_MEANS, HDL64_STDS):
        notes.append(f"normalised with its own means {sensor.img_means} and stds {sensor.img_stds}, not the usual ones")
    if unread := sorted(path.name for path in folder.iterdir() if path.name not in {*PARTS, ARCHITECTURE, LABELS}):
        notes.append(f"not read: {_some(unread)}")
    checkpoint = Checkpoint(
        layers=layers,
        classes=len(label_names),
        sac="isk",
        height=sensor.img_prop.height,
        width=sensor.img_prop.width,
        step=0,
        network=state,
        label_names=tuple(label_names),
        trained_on=f"imported from the release folder {folder.resolve().name}",
        fov_up_deg=sensor.fov_up,
        fov_down_deg=-abs(sensor.fov_down),  # the release's projection takes either sign
        means=sensor.img_means,
        stds=sensor.img_stds,
    )
    return Release(checkpoint, notes)


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the release's folder, which has the files {', '.join(PARTS)}")
    if missing := [name for name in (*PARTS, ARCHITECTURE, LABELS) if not (folder / name).is_file()]:
        raise UserError(f"{folder}: {', '.join(missing)} missing; give a whole release folder")


def _read_part(path: Path, notes: list[str]) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        if "global" in str(error).lower():
            raise UserError(
                f"{path}: needs code to be run to read it, which is refused; save its plain state_dict()"
            ) from error
        raise UserError(f"{path}: not a file of torch.save, or damaged; copy it again") from error
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path}: not a plain state dict (names and tensors); save the network's state_dict()")
    if all(name.startswith("module.") for name in state):
        notes.append(f"{path.name}: the prefix 'module.' of DataParallel was taken off")
        state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    return state


def _recognise(backbone: Iterable[str]) -> int:
    """21 or 53, from the number of SAC blocks."""
    blocks = {tuple(name.split(".")[:2]) for name in backbone if ".residual_" in name}
    return 53 if len(blocks) > sum(BLOCKS[21]) else 21


def _check_tensors(path: Path, found: dict[str, Tensor], wanted: dict[str, Tensor], layers: int) -> None:
    problems = []
    if missing := [key for key in wanted if key not in found and not key.endswith("num_batches_tracked")]:
        problems.append(f"missing {_some(missing)}")
    if unexpected := [key for key in found if key not in wanted]:
        problems.append(f"unexpected {_some(unexpected)}")
    both = [key for key in wanted if key in found]
    if reshaped := [
        f"{key} has shape {list(found[key].shape)} instead of {list(wanted[key].shape)}"
        for key in both
        if found[key].shape != wanted[key].shape
    ]:
        problems.append(_some(reshaped))
    elif broken := [key for key in both if not torch.isfinite(found[key]).all()]:
        problems.append(f"not finite: {_some(broken)}")
    if problems:
        raise UserError(f"{path}: not the tensors of SqueezeSegV3-{layers}: {'; '.join(problems)}")


def _some(items: Sequence[str], shown: int = 3) -> str:
    rest = f" and {len(items) - shown} more" if len(items) > shown else ""
    return ", ".join(items[:shown]) + rest


class _ImageSize(msgspec.Struct):
    width: int
    height: int


class _Sensor(msgspec.Struct):
    fov_up: float
    fov_down: float
    img_prop: _ImageSize
    img_means: _Channels
    img_stds: _Channels


class _Dataset(msgspec.Struct):
    sensor: _Sensor


class _Extra(msgspec.Struct):
    layers: int | None = None


class _Backbone(msgspec.Struct, rename={"output_stride": "OS"}):
    output_stride: int = 8
    extra: _Extra | bool = False


class _Architecture(msgspec.Struct):
    """What of ``arch_cfg.yaml`` matters after training."""

    dataset: _Dataset
    backbone: _Backbone


def _read_sensor(path: Path, layers: int) -> _Sensor:
    try:
        architecture = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), _Architecture)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {error}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    sensor, backbone = architecture.dataset.sensor, architecture.backbone
    if isinstance(backbone.extra, _Extra) and backbone.extra.layers not in (None, layers):
        raise UserError(
            f"{path}: says {backbone.extra.layers} layers, but backbone has the tensors of SqueezeSegV3-{layers}"
        )
    if backbone.output_stride != 8:
        raise UserError(f"{path}: output stride (OS) {backbone.output_stride}; this network's is 8")
    if sensor.img_prop.height < 1 or sensor.img_prop.width < 8 or sensor.img_prop.width % 8:
        size = f"{sensor.img_prop.height}x{sensor.img_prop.width}"
        raise UserError(f"{path}: range images of {size}; the width must be a multiple of 8")
    if min(sensor.img_stds) <= 0:
        raise UserError(f"{path}: img_stds {sensor.img_stds} must be above 0")
    return sensor
