"""Which backends work on this machine: for ``run.py doctor``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import numpy as np

from errors import UserError
from inference.auto import bf16_instructions, open_engine, package_folder
from inference.manifest import Manifest, Provenance, Tensor, write_manifest
from inference.openvino_backend import import_openvino, openvino_core
from inference.ort import import_onnxruntime

# The smallest ONNX graph that computes: y = x + x, float32[4] (IR version 8, opset 13).
_DOUBLER = bytes.fromhex(
    "08083a350a0e0a01780a017812017922034164641201675a0f0a0178120a0a08080112040a020804"
    "620f0a0179120a0a08080112040a02080442040a00100d"
)


class BackendStatus(msgspec.Struct, frozen=True, kw_only=True):
    """``devices`` as the library names them. ``works``: it gave the right answer for a tiny model; else ``problem``."""

    name: str
    installed: bool
    works: bool
    version: str = ""
    devices: tuple[str, ...] = ()
    problem: str = ""


def backends_report() -> list[BackendStatus]:
    """Try each library on a tiny model and say whether it works here, and why not. Imports what is installed."""
    return [_status(name) for name in ("openvino", "onnxruntime")]


def _status(name: str) -> BackendStatus:
    if package_folder(name) is None:
        return BackendStatus(name=name, installed=False, works=False, problem=f"not installed: pip install {name}")
    version = ""
    devices: tuple[str, ...] = ()
    try:
        version, devices = _openvino_devices() if name == "openvino" else _onnxruntime_devices()
        problem = _try_tiny_model(name)
    except (ImportError, OSError, RuntimeError, UserError) as error:
        problem = str(error)
    return BackendStatus(
        name=name, installed=True, works=not problem, version=version, devices=devices, problem=problem
    )


def _openvino_devices() -> tuple[str, tuple[str, ...]]:
    openvino = import_openvino()
    core = openvino_core()
    instructions = bf16_instructions()
    names = [f"{device}: {core.get_property(device, 'FULL_DEVICE_NAME')}" for device in core.available_devices]
    return openvino.__version__, (*names, f"bf16: {instructions or 'no instructions for it'}")


def _onnxruntime_devices() -> tuple[str, tuple[str, ...]]:
    onnxruntime = import_onnxruntime()
    return onnxruntime.__version__, tuple(onnxruntime.get_available_providers())


def _try_tiny_model(name: str) -> str:
    """What is wrong with a backend; empty: nothing."""
    with tempfile.TemporaryDirectory(prefix="rangecast-") as folder:
        Path(folder, "model.onnx").write_bytes(_DOUBLER)
        manifest = write_manifest(
            folder,
            Manifest(
                family="doubler",
                inputs=(Tensor(name="x", dtype="float32", shape=(4,)),),
                outputs=(Tensor(name="y", dtype="float32", shape=(4,)),),
                precision="fp32",
                provenance=Provenance(trained_on="", weights_sha256=""),
            ),
        )
        engine = open_engine(Path(folder), manifest, name, "auto", threads=1)
        try:
            y = engine.run([np.arange(4, dtype=np.float32)])[0]
            return "" if y.tolist() == [0, 2, 4, 6] else f"gave {y.tolist()} for 2 * [0, 1, 2, 3]"
        finally:
            engine.close()
