"""TensorRT and TensorRT-RTX as libraries: import one, and read what an engine file says of itself."""

from __future__ import annotations

import importlib
import logging
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import msgspec

from errors import UserError
from inference.cuda import Gpu

log = logging.getLogger(__name__)

LibraryName = Literal["tensorrt", "tensorrt-rtx"]

TITLES: dict[LibraryName, str] = {"tensorrt": "TensorRT", "tensorrt-rtx": "TensorRT-RTX"}
_MODULES: dict[LibraryName, str] = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx_bindings"}
_EXTRAS: dict[LibraryName, str] = {"tensorrt": "gpu", "tensorrt-rtx": "rtx"}
_TAGS: dict[bytes, LibraryName] = {b"ftrt": "tensorrt", b"vtrt": "tensorrt-rtx"}

# The bits of a TensorRT-RTX header, as engines built for each have them. Bit 6 is set, beside 1 to 5, in an engine that
# was built for nothing in particular; which GPUs it stands for NVIDIA does not say.
_COMPUTE_CAPABILITIES = ("SM75", "SM80", "SM86", "SM89", "SM120", "SM121")
_HEADER_BYTES = 36


class Library(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two libraries, imported. ``version``: in full, ``10.16.1.11``."""

    name: LibraryName
    module: Any
    version: str

    @property
    def title(self) -> str:
        return TITLES[self.name]

    def __str__(self) -> str:
        return f"{self.title} {self.version}"


class EngineHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What the first bytes of an engine file tell without the library that made it.

    Attributes:
        library: which of the two it is for.
        version: of the library that built it: ``1.7.1.116``. (Each part is a byte.)
        compute_capabilities: the GPUs it was built for, ``("SM86", "SM89")``. Empty where the header does not tell:
            TensorRT writes that where only TensorRT can read it.
        or_others: it is for further ones, which the header does not name.
    """

    library: LibraryName
    version: str
    compute_capabilities: tuple[str, ...] = ()
    or_others: bool = False

    def __str__(self) -> str:
        others = (" or others",) if self.or_others else ()
        capabilities = ", ".join(self.compute_capabilities + others)
        return f"{TITLES[self.library]} {self.version}" + (f" for {capabilities}" if capabilities else "")


def load_library(name: LibraryName) -> Library:
    """Import a library. It is loaded into this process for good: some hundred megabytes.

    Raises:
        UserError: it is not installed, or not whole.
    """
    install = f"pip install 'rangecast[{_EXTRAS[name]}]'"
    try:
        module: ModuleType = importlib.import_module(_MODULES[name])
    except ImportError as error:
        raise UserError(f"{TITLES[name]} cannot be imported ({error}); {install}") from error
    version = str(module.__version__)
    if name == "tensorrt" and int(version.partition(".")[0]) not in (10, 11):
        raise UserError(f"TensorRT {version} is installed, Rangecast knows 10 and 11; {install}")
    return Library(name=name, module=module, version=version)


def read_header(engine: Path) -> EngineHeader:
    """Read what an engine file says of itself. Needs neither the library nor a GPU.

    The tag and the version are where NVIDIA's trtexec reads them (``--getPlanVersionOnly``).

    Raises:
        UserError: no such file, or not an engine.
    """
    try:
        with engine.open("rb") as file:
            head = file.read(_HEADER_BYTES)
    except OSError as error:
        raise UserError(f"{engine}: cannot be read ({error.strerror}); export the model again") from error
    library = _TAGS.get(head[:4])
    if library is None or len(head) < _HEADER_BYTES:
        raise UserError(f"{engine}: is not a TensorRT engine, or was cut short; export the model again")
    version = ".".join(str(part) for part in head[24:28])
    if library == "tensorrt":
        return EngineHeader(library=library, version=version)
    (bits,) = struct.unpack_from("<I", head, 32)
    known = tuple(name for i, name in enumerate(_COMPUTE_CAPABILITIES) if bits >> i & 1)
    others = bool(bits >> len(_COMPUTE_CAPABILITIES))
    return EngineHeader(library=library, version=version, compute_capabilities=known, or_others=others)


def check_runs_here(
    engine: Path, header: EngineHeader, built_for: Mapping[str, str], library: Library, gpu: Gpu
) -> None:
    """Compare what an engine was built for with this machine.

    ``built_for``: what the manifest says of it (:func:`export.tensorrt.key.engine_key`); may be empty.

    Raises:
        UserError: it cannot run here.
    """
    here = f"this machine has {library} and {gpu}"
    same_version = header.version.split(".")[:3] == library.version.split(".")[:3]
    if not same_version and built_for.get("version_compatible") != "true":
        raise UserError(f"{engine}: was built by {header}; {here}; export it again here, or install that version")
    targets = header.compute_capabilities
    if library.name == "tensorrt" and built_for.get("hardware_compatibility") == "none":
        targets = tuple(built_for.get("compute_capabilities", gpu.compute_capability).split(", "))
    if targets and not header.or_others and gpu.compute_capability not in targets:
        raise UserError(f"{engine}: was built for {', '.join(targets)}; {here}; export it again for this GPU")
    built_on = built_for.get("gpu", gpu.name)
    if built_on != gpu.name:
        log.warning("%s: was built on %s, this is %s: one that was built here may be faster", engine, built_on, gpu)


_LOGGERS: list[Any] = []
"""Those handed out. The library keeps a pointer to the first one for as long as the process lives, and no reference."""


def make_logger(library: Library, write: Callable[[str, str], None]) -> Any:
    """A logger of the library that hands each line to ``write(level, line)``; level: ``ERROR``, ``INFO``, ``VERBOSE``.

    ``write`` must not raise: the library calls it from C++, where an exception would end the process.
    """
    base: Any = library.module.ILogger

    class Logger(base):
        def __init__(self) -> None:
            base.__init__(self)

        def log(self, severity: Any, line: str) -> None:
            write(severity.name, line)

    logger = Logger()
    _LOGGERS.append(logger)
    return logger
