"""An export, step by step: graph, precision, OpenVINO, engines, parity, folder. Each step is done once and kept."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from errors import UserError
from export import folder as folders
from export.cache import Result, StepCache, code_sha256, versions
from export.families import Request as GraphRequest
from export.families import Sample, choose_outputs, find, of_exported
from export.layers import FILE as LAYERS
from export.request import Build, ExportRequest
from export.to_onnx_options import DEFAULT_OPSET, ONE
from inference.manifest import Artifact, Manifest, Parity, load_manifest, read_manifest, sha256_of

if TYPE_CHECKING:
    from onnx import ModelProto

    from export.layers import Fingerprint
    from export.onnx_operators import Translations

GRAPH = "model.onnx"
BASE = "base.json"
PARITY = "parity.json"
TOOLS = ("torch", "onnx", "onnxscript", "onnxslim", "onnxruntime", "openvino")
SAMPLES_TO_CALIBRATE = 16
_GRAPH_CODE = ("export/to_onnx.py", "export/layers.py", "export/weights.py")
_PLAIN_CODE = ("export/plain_operators.py", "export/prove.py")
_PARITY_CODE = ("export/prove.py", "export/parity.py", "export/watch.py", "export/layers.py")
_HALVES = ("fp16", "bf16")


class Done(NamedTuple):
    """One step of an export, for those who watch it."""

    name: str
    result: Result
    size_bytes: int


class Export:
    """One export. :meth:`run` does it; it can be asked twice, and does nothing the second time.

    Args:
        request: what to make.
        out: the folder to leave.
        cache: of earlier steps.
        watch: called before each step with its name; gives a function to call with what became of it.
        on_progress: told what a step is at, and its progress, 0 to 1.
    """

    def __init__(
        self,
        request: ExportRequest,
        out: Path,
        cache: StepCache,
        *,
        watch: Callable[[str], Callable[[Done], None]] = lambda _: lambda _: None,
        on_progress: Callable[[str, float], None] = lambda _, __: None,
    ) -> None:
        self.request, self.out = request, out
        self._cache, self._watch, self._on_progress = cache, watch, on_progress
        self._family = of_exported(read_manifest(request.weights)) if request.is_from_folder else find(request.model)
        self._outputs = choose_outputs(self._family, request.outputs)
        self._weights = _identity(request.weights)
        self._opset = DEFAULT_OPSET if request.opset is None else request.opset

    def run(self) -> Manifest:
        """Make what was asked for, prove it, and leave it in the folder.

        Raises:
            UserError: anything of it that cannot be had. The folder is then what it was.
        """
        self._check_engines()
        with folders.staging(self.out) as staged:
            graph = self._step("graph", self._graph_key(), self._make_graph)
            base = msgspec.json.decode((graph / BASE).read_bytes(), type=Manifest)
            folders.share(graph / GRAPH, staged, GRAPH)
            if (graph / LAYERS).exists():
                folders.share(graph / LAYERS, staged, LAYERS)
            artifacts = tuple(
                artifact for build in self.request.builds for artifact in self._build(build, graph, base, staged)
            )
            manifest = msgspec.structs.replace(
                base, graph=GRAPH, graph_sha256=sha256_of(staged / GRAPH), artifacts=_once(artifacts)
            )
            parity = self._parity(staged, manifest)
            tools = versions(TOOLS) | {a.built_for["library"]: a.built_for["version"] for a in artifacts if a.built_for}
            manifest = msgspec.structs.replace(
                manifest,
                parity=parity,
                provenance=msgspec.structs.replace(base.provenance, tools=tools, request=request_key(self.request)),
            )
            return folders.place(staged, self.out, manifest)

    def _check_engines(self) -> None:
        """What a library cannot build is said before anything is made."""
        from export.tensorrt.api import load_api

        for target in ("tensorrt", "tensorrt-rtx"):
            if any(build.target == target for build in self.request.builds):
                load_api(target).check_request(
                    compute_capabilities=self.request.capabilities if target == "tensorrt-rtx" else (),
                    version_compatible=self.request.version_compatible and target == "tensorrt",
                    hardware_compatibility="none",
                    timing_cache=False,
                )

    def _step(self, name: str, key: Mapping[str, str], make: Callable[[Path], None]) -> Path:
        tell = self._watch(name)
        result = self._cache.step(name.replace(" ", "-"), key, make)
        size = sum(file.stat().st_size for file in result.folder.iterdir())
        tell(Done(name, result, size))
        return result.folder

    def _graph_key(self) -> dict[str, str]:
        request = self.request
        packages = versions(("torch", "onnx", "onnxscript", "onnxslim"))
        return {
            "model": request.model,
            "weights": self._weights,
            "height": str(request.height),
            "width": str(request.width),
            "batch": str(request.batch),
            "opset": str(self._opset),
            "outputs": str(self._outputs),
            "storage": request.storage,
            "trained_on": str(request.trained_on),
            "code": code_sha256("export/families", *_GRAPH_CODE, "models"),
        } | packages

    def _make_graph(self, folder: Path) -> None:
        if self.request.is_from_folder:
            assert self.request.weights is not None
            self._take_graph(self.request.weights, folder)
            return
        from export.onnx_operators import TRANSLATIONS
        from export.to_onnx import with_weights

        manifest, model, layers = self._write_graph(TRANSLATIONS, folder)
        with_weights(model, layers).write(folder)
        (folder / BASE).write_bytes(folders.encode(manifest))

    def _write_graph(self, operators: Translations, folder: Path) -> tuple[Manifest, ModelProto, list[Fingerprint]]:
        """``GRAPH`` in the folder, what is known of it, and what each of its layers computes."""
        import onnx

        from export.to_onnx import to_onnx
        from export.weights import store_weights

        request = self._graph_request()
        network = self._family.load(request)
        manifest, example = network.manifest, self._family.made_up(network.manifest)[0]
        model, layers = to_onnx(
            network.stored,
            manifest.inputs,
            [output.name for output in manifest.outputs],
            example.inputs,
            batch=request.batch,
            opset=request.opset,
            operators=operators,
        )
        store_weights(model.graph, request.storage)
        onnx.checker.check_model(model, full_check=True)
        onnx.save(model, folder / GRAPH)
        return manifest, model, layers

    def _take_graph(self, source: Path, folder: Path) -> None:
        """Of a model that was exported before, what does not depend on the backend."""
        manifest = load_manifest(source)
        if manifest.model != self.request.model:
            raise UserError(f"--weights {source}: is {manifest.model or manifest.family}, not {self.request.model}")
        folders.share(source / manifest.graph, folder, GRAPH)
        if (source / LAYERS).exists():
            folders.share(source / LAYERS, folder, LAYERS)
        (folder / BASE).write_bytes(folders.encode(msgspec.structs.replace(manifest, artifacts=())))

    def _graph_request(self) -> GraphRequest:
        r = self.request
        return GraphRequest(r.weights, r.height, r.width, r.batch, self._outputs, r.storage, self._opset, r.trained_on)

    def _build(self, build: Build, graph: Path, base: Manifest, staged: Path) -> Iterator[Artifact]:
        """Make one target in one precision; what is new in the folder."""
        lowered = self._for_target(build.target, graph, base)
        keep: tuple[str, ...] = ()
        if lowered != graph / GRAPH:
            from export.plain_operators import IN_FP32

            keep = (IN_FP32,)
        if build.precision == "int8" or (build.precision in _HALVES and build.target != "openvino"):
            lowered = self._lower(build.precision, lowered, base, keep) / GRAPH
        if build.precision == "int8" and build.target.startswith("tensorrt"):
            # What is not int8 would else be computed in fp32.
            lowered = self._lower("fp16", lowered, base, keep) / GRAPH
        if build.target == "onnx":
            if build.precision != "fp32":
                name = f"model.{build.precision}.onnx"
                files = {name: folders.share(lowered, staged, name)}
                yield Artifact(backend="onnxruntime", precision=build.precision, files=files)
        elif build.target == "openvino":
            yield self._openvino(build, lowered, staged)
        else:
            yield self._engine(build, lowered, base, staged)

    def _for_target(self, target: str, graph: Path, base: Manifest) -> Path:
        """The graph, or for a library that cannot compute some operator of it one that has others instead."""
        from export.tensorrt.operators import check_operators, missing_operators

        missing = missing_operators(graph / GRAPH, target)
        if not missing:
            return graph / GRAPH
        if self.request.is_from_folder:
            check_operators(graph / GRAPH, target)
        if "RoiAlign" in missing and self.request.batch != ONE:
            raise UserError(f"--to {target}: a detector that looks at regions takes one picture there; give --batch 1")

        def make(folder: Path) -> None:
            from export.plain_operators import TRANSLATIONS
            from export.prove import require_alike

            self._write_graph(TRANSLATIONS, folder)
            require_alike(folder / GRAPH, graph / GRAPH, base, self._family)

        key = self._graph_key() | {"graph": sha256_of(graph / GRAPH), "more code": code_sha256(*_PLAIN_CODE)}
        return self._step("graph of plain operators", key, make) / GRAPH

    def _lower(self, precision: str, graph: Path, base: Manifest, keep_fp32: tuple[str, ...]) -> Path:
        key = {
            "graph": sha256_of(graph),
            "precision": precision,
            "calibration": _identity(self.request.calibration) if precision == "int8" else "none",
            "code": code_sha256("export/precision", "export/families"),
        } | versions(("onnx", "onnxruntime"))

        def make(folder: Path) -> None:
            import onnx

            from export.precision.keep import KeepFp32
            from export.precision.lower import lower

            samples: list[Sample] = []
            if precision == "int8":
                assert self.request.calibration is not None
                samples = self._family.real(base, self.request.calibration, SAMPLES_TO_CALIBRATE)
            calibration = [sample.inputs for sample in samples] or None
            keep = KeepFp32(names=(*self._family.keep_fp32.get(precision, ()), *keep_fp32))
            onnx.save(lower(onnx.load(graph), precision, keep_fp32=keep, calibration=calibration), folder / GRAPH)

        return self._step(f"graph {precision}", key, make)

    def _openvino(self, build: Build, graph: Path, staged: Path) -> Artifact:
        stem = "model.int8" if build.precision == "int8" else "model"
        key = {"graph": sha256_of(graph), "stem": stem, "code": code_sha256("export/to_openvino.py")}

        def make(folder: Path) -> None:
            from export.to_openvino import to_openvino

            to_openvino(graph, folder / f"{stem}.xml")

        made = self._step("openvino int8" if stem != "model" else "openvino", key | versions(("openvino",)), make)
        files = {name: folders.share(made / name, staged, name) for name in (f"{stem}.xml", f"{stem}.bin")}
        # fp32 and bf16 are computed from the same file: what a session asks for decides.
        return Artifact(backend="openvino", precision="int8" if stem != "model" else "fp32", files=files)

    def _engine(self, build: Build, graph: Path, base: Manifest, staged: Path) -> Artifact:
        from export.tensorrt.api import load_api
        from export.tensorrt.build import build_engine
        from export.tensorrt.key import engine_key
        from export.tensorrt.operators import check_operators

        check_operators(graph, build.target)
        api, batch = load_api(build.target), self.request.batch
        capabilities = self.request.capabilities if build.target == "tensorrt-rtx" else ()
        profiles = None
        if not batch.is_fixed:
            sizes = (batch.least, batch.usual, batch.most)
            profiles = {t.name: tuple((size, *t.shape[1:]) for size in sizes) for t in base.inputs}
        options = {
            "profiles": profiles,
            "compute_capabilities": capabilities,
            "version_compatible": self.request.version_compatible and build.target == "tensorrt",
        }
        key = engine_key(graph, api=api, precision=build.precision, **options)
        stem = f"{build.target}-{build.precision}"

        def make(folder: Path) -> None:
            timing = None
            if build.target == "tensorrt":
                timing = self._cache.folder / "timing" / f"{api.version}-{key['gpu']}.cache".replace(" ", "-")
                timing.parent.mkdir(parents=True, exist_ok=True)
            log = folder / f"{stem}.log"
            try:
                build_engine(
                    graph, folder / f"{stem}.engine", api=api, log=log, timing_cache=timing,
                    on_progress=self._on_progress, **options,
                )  # fmt: skip
            except UserError as error:
                if not log.exists():
                    raise
                kept = self.out.parent / f"{self.out.name}-{stem}.log"
                shutil.copyfile(log, kept)
                raise UserError(str(error).replace(str(log), str(kept))) from error

        made = self._step(str(build), key, make)
        files = {name: folders.share(made / name, staged, name) for name in (f"{stem}.engine", f"{stem}.log")}
        return Artifact(backend=build.target, precision=build.precision, files=files, built_for=key)

    def _parity(self, staged: Path, manifest: Manifest) -> Parity:
        builds = measured(self.request.builds)
        key = {
            "weights": self._weights,
            "graph": manifest.graph_sha256,
            "artifacts": hashlib.sha256(msgspec.json.encode(manifest.artifacts)).hexdigest(),
            "builds": ", ".join(map(str, builds)),
            "data": _identity(self.request.data),
            "samples": str(self.request.samples),
            "machine": machine_key(),
            "code": code_sha256("export/families", *_PARITY_CODE, "inference", "models"),
        } | versions(("onnxruntime", "openvino", "numpy"))

        def make(folder: Path) -> None:
            from export.prove import prove

            request = None if self.request.is_from_folder else self._graph_request()
            parity = prove(
                staged, manifest, self._family, builds, request,
                data=self.request.data, count=self.request.samples, on_progress=self._on_progress,
            )  # fmt: skip
            (folder / PARITY).write_bytes(msgspec.json.encode(parity) + b"\n")

        return msgspec.json.decode((self._step("parity", key, make) / PARITY).read_bytes(), type=Parity)


def measured(builds: Sequence[Build]) -> tuple[Build, ...]:
    """What parity is measured of: what is built, and what a session would choose here for the plain graph."""
    from inference.auto import bf16_instructions, package_folder

    chosen: list[Build] = []
    if Build("onnx", "fp32") in builds and package_folder("openvino") is not None:
        chosen = [Build("openvino", "fp32"), *([Build("openvino", "bf16")] if bf16_instructions() else [])]
    return tuple(dict.fromkeys([*builds, *chosen]))


def request_key(request: ExportRequest) -> dict[str, str]:
    """What was asked for, as the manifest keeps it: files by what they hold, not by where they are."""
    values = {name: str(getattr(request, name)) for name in request.__struct_fields__}
    values["builds"] = ", ".join(map(str, request.builds))
    values["capabilities"] = ", ".join(request.capabilities)
    for name in ("weights", "data", "calibration"):
        values[name] = _identity(getattr(request, name))
    return values


def machine_key() -> str:
    """The processor's instructions and the GPU: what results may depend on."""
    from inference.auto import bf16_instructions
    from inference.cuda import first_gpu

    return f"{bf16_instructions()}, {first_gpu()}"


def _once(artifacts: tuple[Artifact, ...]) -> tuple[Artifact, ...]:
    """OpenVINO's fp32 and bf16 are one file."""
    return tuple({(a.backend, a.precision): a for a in artifacts}.values())


def _identity(path: Path | None) -> str:
    """What a file or folder holds: of a file its sha256; of a folder names, sizes and times of what is in it."""
    if path is None:
        return "none"
    if path.is_file():
        return sha256_of(path)
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            found = file.stat()
            digest.update(f"{file.relative_to(path)} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
