"""A TensorRT without a GPU, for tests: its engines compute y = 2 x + 1, its builder remembers how it was configured.

Rangecast's code runs on it; that the real bindings of TensorRT 10, 11 and TensorRT-RTX have each of its names, with the
same arguments, is tested in tests/export/tensorrt/test_bindings.py. Setting what a class does not have is an error.
"""

from __future__ import annotations

import enum
from types import SimpleNamespace

import numpy as np

from tests.support.fake_cuda import FakeCuda

ANY = -1


class Strict:
    """Attributes that are set must be declared in the class; those of the test itself begin with an underscore."""

    def __setattr__(self, name, value):
        if not name.startswith("_") and not hasattr(type(self), name):
            raise AttributeError(f"{type(self).__name__} has no {name}")
        super().__setattr__(name, value)


class ILogger(Strict):
    Severity = enum.Enum("Severity", "INTERNAL_ERROR ERROR WARNING INFO VERBOSE")

    def __init__(self):
        pass


class IProgressMonitor(Strict):
    def __init__(self):
        pass


class IExecutionContext(Strict):
    def __init__(self, engine):
        self._engine = engine
        self._shapes = {}
        self._addresses = {}
        self._settled = False  # whether the work that follows a new shape, and cannot be captured, is done

    def set_input_shape(self, name, shape):
        self._shapes[name] = tuple(shape)
        self._settled = False
        return True

    def get_tensor_shape(self, name):
        tensor = self._engine._tensors[name]
        return tensor.largest_output if tensor.largest_output is not None else self._shapes["x"]

    def set_tensor_address(self, name, memory):
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle):
        library = self._engine._library
        if library._refuses == "run":
            library._say("ERROR", "IExecutionContext::enqueueV3: Error Code 1: Cuda Runtime (an illegal access)")
            return False
        if library._cuda.is_capturing and (library._refuses == "capture" or not self._settled):
            library._say("ERROR", "IExecutionContext::enqueueV3: Error Code 1: Cuda Runtime (not permitted in capture)")
            return False
        self._settled = True
        shape, addresses, cuda = self._shapes["x"], dict(self._addresses), library._cuda

        def work():
            count = int(np.prod(shape))
            x = cuda.memory(addresses["x"]).view(np.float32)[:count]
            cuda.memory(addresses["y"]).view(np.float32)[:count] = 2 * x + 1

        cuda.enqueue(work)
        return True


class ICudaEngine(Strict):
    num_io_tensors = 2

    def __init__(self, library, tensors):
        self._library, self._tensors = library, tensors

    def get_tensor_name(self, index):
        return list(self._tensors)[index]

    def get_tensor_mode(self, name):
        mode = self._library.TensorIOMode
        return mode.INPUT if name == "x" else mode.OUTPUT

    def get_tensor_profile_shape(self, name, profile_index):
        return list(self._tensors[name].profile)

    def get_tensor_shape(self, name):
        return self._tensors[name].shape

    def get_tensor_dtype(self, name):
        return self._tensors[name].dtype

    def create_execution_context(self, runtime_config=None):
        self._library._runtime_config = runtime_config
        if self._library._refuses == "context":
            self._library._say("ERROR", "out of memory")
            return None
        return IExecutionContext(self)

    def create_engine_inspector(self):
        return EngineInspector()

    def create_runtime_config(self):
        return IRuntimeConfig()


class EngineInspector(Strict):
    def get_engine_information(self, format):
        assert format.name == "ONELINE"
        return (
            "Layers:\n"
            "Name: stem + relu, LayerType: CaskConvolution, Inputs: [ { Name: x, Dimensions: [1,4,8,8], Format/"
            "Datatype: Thirty-two wide channel vectorized row major Int8 format }], Outputs: [ { Name: a, "
            "Dimensions: [1,4,8,8], Format/Datatype: Row major linear FP16 format }], ParameterType: Convolution, "
            "Metadata: [ONNX Layer: stem][ONNX Layer: relu]\n"
            "\nBindings:\nx\n"
        )


class IRuntimeCache(Strict):
    def __init__(self):
        self._content = b""

    def deserialize(self, blob):
        self._content = bytes(blob)
        return self._content.startswith(b"jit")

    def serialize(self):
        return b"jit " + self._content


class IRuntimeConfig(Strict):
    cuda_graph_strategy = None

    def __init__(self):
        self._cache = None

    def create_runtime_cache(self):
        return IRuntimeCache()

    def set_runtime_cache(self, cache):
        self._cache = cache
        return True


class Runtime(Strict):
    engine_host_code_allowed = False
    _library = None

    def __init__(self, logger):
        self._library._logger = logger
        self._library._runtime = self

    def deserialize_cuda_engine(self, serialized_engine):
        if self._library._refuses == "load":
            self._library._say("ERROR", "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (damaged)")
            return None
        return ICudaEngine(self._library, self._library._tensors)


class ITimingCache(Strict):
    def __init__(self, content):
        self._content = content

    def serialize(self):
        return self._content + b" and what was measured"


class IBuilderConfig(Strict):
    progress_monitor = None
    profiling_verbosity = None
    hardware_compatibility_level = None
    num_compute_capabilities = 0

    def __init__(self, library):
        self._library = library
        self._flags = {"TF32"}
        self._workspace = None
        self._targets = {}
        self._profiles = []
        self._cache = None

    def set_flag(self, flag):
        self._flags.add(flag.name)

    def clear_flag(self, flag):
        self._flags.discard(flag.name)

    def set_memory_pool_limit(self, pool, pool_size):
        self._workspace = (pool.name, pool_size)

    def set_compute_capability(self, compute_capability, index):
        self._targets[index] = compute_capability.name

    def add_optimization_profile(self, profile):
        self._profiles.append(profile)

    def create_timing_cache(self, serialized_timing_cache):
        stored = bytes(serialized_timing_cache)
        if stored and not stored.startswith(b"of this GPU"):
            self._library._say("WARNING", "Failed to deserialize timing cache. Returning an empty timing cache.")
            return self._library._stale_cache
        return ITimingCache(stored or b"of this GPU")

    def set_timing_cache(self, cache, ignore_mismatch):
        assert not ignore_mismatch
        self._cache = cache
        return True


class IOptimizationProfile(Strict):
    def __init__(self):
        self._shapes = {}

    def set_shape(self, input, min, opt, max):
        self._shapes[input] = (min, opt, max)


class ITensor(Strict):
    name = ""
    shape = ()


class INetworkDefinition(Strict):
    num_inputs = 1
    num_outputs = 1

    def __init__(self, library):
        self._library = library

    def get_input(self, index):
        tensor = ITensor()
        tensor.name, tensor.shape = "x", self._library._tensors["x"].shape
        return tensor


class Builder(Strict):
    _library = None

    def __init__(self, logger):
        self._library._logger = logger
        if self._library._refuses == "builder":
            self._library._say("ERROR", "CUDA initialization failure with error: 35")
            raise TypeError("pybind11::init(): factory function returned nullptr")

    def create_network(self, flags=0):
        self._library._network_flags = flags
        return INetworkDefinition(self._library)

    def create_builder_config(self):
        self._library._config = IBuilderConfig(self._library)
        return self._library._config

    def create_optimization_profile(self):
        return IOptimizationProfile()

    def build_serialized_network(self, network, config):
        return np.frombuffer(b"an engine", np.uint8)


class OnnxParser(Strict):
    num_errors = 0

    def __init__(self, network, logger):
        pass

    def parse_from_file(self, model):
        return True

    def get_error(self, index):
        raise IndexError(index)


class FakeTensorRt:
    """The module: ``tensorrt``, or with ``rtx`` what TensorRT-RTX has besides.

    ``shape`` is x's and y's, :data:`ANY` where it varies, from 1 to ``largest``. ``refuses``: the step that fails.
    """

    ILogger = ILogger
    IProgressMonitor = IProgressMonitor
    OnnxParser = OnnxParser
    BuilderFlag = enum.Enum("BuilderFlag", "TF32 VERSION_COMPATIBLE")
    ErrorCode = enum.Enum("ErrorCode", "MODEL_DESERIALIZE_FAILED")
    HardwareCompatibilityLevel = enum.Enum("HardwareCompatibilityLevel", "AMPERE_PLUS SAME_COMPUTE_CAPABILITY")
    LayerInformationFormat = enum.Enum("LayerInformationFormat", "ONELINE")
    MemoryPoolType = enum.Enum("MemoryPoolType", "WORKSPACE")
    NetworkDefinitionCreationFlag = enum.IntEnum("NetworkDefinitionCreationFlag", {"STRONGLY_TYPED": 1})
    ProfilingVerbosity = enum.Enum("ProfilingVerbosity", "DETAILED")
    TensorIOMode = enum.Enum("TensorIOMode", "INPUT OUTPUT")

    def __init__(
        self,
        cuda: FakeCuda | None = None,
        *,
        version: str = "10.16.1.11",
        rtx: bool = False,
        shape: tuple[int, ...] = (2, 3),
        largest: int = 4,
        refuses: str = "",
        dtype: str = "float32",
        y_shape: tuple[int, ...] | None = None,
    ) -> None:
        self.__version__ = version
        self._cuda = cuda
        self._refuses = refuses
        self._stale_cache: ITimingCache | None = None
        self._logger = None
        profile = [tuple(n if size == ANY else size for size in shape) for n in (1, 1, largest)]
        common = {"dtype": dtype, "shape": shape, "profile": profile}
        self._tensors = {
            "x": SimpleNamespace(**common, largest_output=None),
            "y": SimpleNamespace(**common, largest_output=y_shape),
        }
        self.Builder = type("Builder", (Builder,), {"_library": self})
        self.Runtime = type("Runtime", (Runtime,), {"_library": self})
        if rtx:
            self.ComputeCapability = enum.Enum("ComputeCapability", "NONE CURRENT SM75 SM80 SM86 SM89 SM120 SM121")
            self.CudaGraphStrategy = enum.Enum("CudaGraphStrategy", "DISABLED WHOLE_GRAPH_CAPTURE")

    def nptype(self, trt_type):
        if trt_type == "bfloat16":
            raise TypeError("Could not resolve TensorRT datatype to an equivalent numpy datatype.")
        return np.dtype(trt_type).type

    def _say(self, level, line):
        self._logger.log(ILogger.Severity[level], line)
