"""A torch module becomes an ONNX graph, with the fingerprint of every layer on the way."""

from __future__ import annotations

import hashlib
import logging
import warnings
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx
import onnxslim
import torch
from torch import Tensor, fx, nn

from export.layers import Fingerprint, Layers, fingerprint
from export.onnx_operators import TRANSLATIONS, Translations
from export.to_onnx_options import DEFAULT_OPSET, ONE, Batch
from inference.manifest import Tensor as TensorDescription


def to_onnx(
    network: nn.Module,
    inputs: Sequence[TensorDescription],
    outputs: Sequence[str],
    example: Mapping[str, np.ndarray],
    *,
    batch: Batch = ONE,
    opset: int = DEFAULT_OPSET,
    operators: Translations = TRANSLATIONS,
) -> tuple[onnx.ModelProto, list[Fingerprint]]:
    """The graph of ``network``, simplified and checked, and what each of its layers makes of ``example``.

    Args:
        network: takes its inputs by position and gives a tuple of outputs; eval mode.
        inputs: names, dtypes and shapes; the first size is the batch.
        outputs: names.
        operators: how those of :mod:`models.detection.onnx_operators` are written.
        example: an array for each input, of batch size 1; repeated where the graph has another.

    The graph's layers keep the names of the exporter's (``conv2d_12``), and so do the fingerprints. Layers that
    simplification merges have none.
    """
    usual = 2 if not batch.is_fixed and batch.usual == 1 else batch.usual  # an example of 1 would fix the size
    shown = {t.name: torch.from_numpy(np.repeat(example[t.name], usual, axis=0)) for t in inputs}
    dynamic = None
    if not batch.is_fixed:
        axis = torch.export.Dim("batch", min=batch.least, max=batch.most)
        dynamic = tuple({0: axis} for _ in inputs)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is not there
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's exporter, of torch's own functions
        program = torch.onnx.export(
            network.eval(),
            tuple(shown.values()),
            input_names=list(shown),
            output_names=list(outputs),
            opset_version=opset,
            dynamic_shapes=dynamic,
            custom_translation_table=dict(operators),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = onnxslim.slim(program.model_proto)
    for node in model.graph.node:  # the exporter's traces: paths of this machine, and most of the graph's size
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    kept = {name for node in model.graph.node for name in node.output}
    exported = program.exported_program
    times = batch.least if batch.is_fixed else 1
    shown_to_layers = [torch.from_numpy(np.repeat(example[t.name], times, axis=0)) for t in inputs]
    return model, _fingerprints(exported.module(), shown_to_layers, kept)


def with_weights(model: onnx.ModelProto, fingerprints: Sequence[Fingerprint]) -> Layers:
    """The fingerprints, and the sha256 of each weight of the graph as it is."""
    weights = {
        w.name: hashlib.sha256(onnx.numpy_helper.to_array(w).tobytes()).hexdigest() for w in model.graph.initializer
    }
    return Layers(tuple(fingerprints), weights)


def _fingerprints(module: fx.GraphModule, inputs: Sequence[Tensor], names: Collection[str]) -> list[Fingerprint]:
    """Of the floating-point layers among ``names``, in order. Taken as each is computed: all values at once would be
    20 GB of a SqueezeSegV3-53 at 64×2048."""
    found: list[Fingerprint] = []

    class Watching(fx.Interpreter):
        def run_node(self, node: fx.Node) -> object:
            value = super().run_node(node)
            if node.name in names and isinstance(value, Tensor) and value.is_floating_point():
                found.append(fingerprint(node.name, _module_of(node), value.numpy()))
            return value

    with torch.no_grad():
        Watching(module).run(*inputs)
    return found


def _module_of(node: fx.Node) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    paths = [path for path, _ in stack.values()]
    return str(paths[-1]).removeprefix("L['self'].").removeprefix("network.") if paths else ""
