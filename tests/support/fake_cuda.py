# ruff: noqa: N801, N802, N815 - the names are CUDA's
"""A CUDA runtime without a GPU, for tests: "device" memory is of this process, and work is done when it is waited for.

So a copy that is forgotten, a buffer that is freed too early or a result that is read without waiting shows in the
results. Its names are compared with the real ``cuda.bindings.runtime`` in tests/export/tensorrt/test_bindings.py.
"""

from __future__ import annotations

import ctypes
import enum
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np


class cudaError_t(enum.IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorStreamCaptureInvalidated = 901


Work = Callable[[], None]


class FakeCuda:
    """The functions of ``cuda.bindings.runtime`` that Rangecast calls.

    Attributes:
        calls: names of the functions called, in order.
        held: what was taken and not yet given back: (kind, handle).
        failing: name of a function → how many calls of it still succeed; the one after that fails.
    """

    cudaStreamNonBlocking = 1
    cudaEventBlockingSync = 1
    cudaEventDisableTiming = 2
    cudaHostRegisterDefault = 0
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)

    def __init__(self, compute_capability: str = "8.6", gpu: str = "Fake RTX 3060", sm_count: int = 28) -> None:
        self.calls: list[str] = []
        self.held: set[tuple[str, int]] = set()
        self.failing: dict[str, int] = {}
        self._memory: dict[int, np.ndarray] = {}
        self._graphs: dict[int, list[Work]] = {}
        self._queue: list[Work] = []
        self._captured: list[Work] | None = None
        self._next = 1000
        major, _, minor = compute_capability.partition(".")
        self._gpu = SimpleNamespace(
            name=gpu.encode(), major=int(major), minor=int(minor), multiProcessorCount=sm_count, totalGlobalMem=12 << 30
        )

    def enqueue(self, work: Work) -> None:
        """Put work on the stream, or into the graph that is being captured."""
        (self._queue if self._captured is None else self._captured).append(work)

    @property
    def is_capturing(self) -> bool:
        return self._captured is not None

    def memory(self, address: int) -> np.ndarray:
        """The bytes of device memory at ``address``, which must be allocated."""
        return self._memory[address]

    def cudaGetDeviceCount(self):
        return self._done("cudaGetDeviceCount", 1)

    def cudaGetDeviceProperties(self, device):
        return self._done("cudaGetDeviceProperties", self._gpu)

    def cudaMalloc(self, size):
        memory = np.full(size, 0xAB, np.uint8)
        return self._take(
            "cudaMalloc", "device", memory.ctypes.data, lambda: self._memory.update({memory.ctypes.data: memory})
        )

    def cudaFree(self, devPtr):
        self._memory.pop(devPtr, None)
        return self._give("cudaFree", "device", devPtr)

    def cudaHostRegister(self, ptr, size, flags):
        return self._take("cudaHostRegister", "pinned", ptr)[:1]

    def cudaHostUnregister(self, ptr):
        return self._give("cudaHostUnregister", "pinned", ptr)

    def cudaStreamCreateWithFlags(self, flags):
        return self._take("cudaStreamCreateWithFlags", "stream", self._handle())

    def cudaStreamDestroy(self, stream):
        return self._give("cudaStreamDestroy", "stream", stream)

    def cudaStreamSynchronize(self, stream):
        self._work()
        return self._done("cudaStreamSynchronize")

    def cudaEventCreateWithFlags(self, flags):
        return self._take("cudaEventCreateWithFlags", "event", self._handle())

    def cudaEventDestroy(self, event):
        return self._give("cudaEventDestroy", "event", event)

    def cudaEventRecord(self, event, stream):
        return self._done("cudaEventRecord")

    def cudaEventSynchronize(self, event):
        self._work()
        return self._done("cudaEventSynchronize")

    def cudaMemcpyAsync(self, dst, src, count, kind, stream):
        host = src if kind == self.cudaMemcpyKind.cudaMemcpyHostToDevice else dst
        assert ("pinned", host) in self.held, "an asynchronous copy needs pinned memory"
        assert ("stream", stream) in self.held
        self.enqueue(lambda: ctypes.memmove(dst, src, count))
        return self._done("cudaMemcpyAsync")

    def cudaStreamBeginCapture(self, stream, mode):
        self._captured = []
        return self._done("cudaStreamBeginCapture")

    def cudaStreamEndCapture(self, stream):
        graph, work = self._handle(), self._captured
        self._captured = None
        return self._take("cudaStreamEndCapture", "graph", graph, lambda: self._graphs.update({graph: work}))

    def cudaGraphInstantiate(self, graph, flags):
        executable, work = self._handle(), self._graphs[graph]
        return self._take(
            "cudaGraphInstantiate", "executable", executable, lambda: self._graphs.update({executable: work})
        )

    def cudaGraphLaunch(self, graphExec, stream):
        assert ("executable", graphExec) in self.held
        self._queue += self._graphs[graphExec]
        return self._done("cudaGraphLaunch")

    def cudaGraphDestroy(self, graph):
        return self._give("cudaGraphDestroy", "graph", graph)

    def cudaGraphExecDestroy(self, graphExec):
        return self._give("cudaGraphExecDestroy", "executable", graphExec)

    def _work(self) -> None:
        queue, self._queue = self._queue, []
        for work in queue:
            work()

    def _handle(self) -> int:
        self._next += 1
        return self._next

    def _done(self, name, *results):
        self.calls.append(name)
        left = self.failing.get(name)
        if left is not None:
            self.failing[name] = left - 1
            if left == 0:
                error = "cudaErrorStreamCaptureInvalidated" if "Capture" in name else "cudaErrorMemoryAllocation"
                return (cudaError_t[error], *(None for _ in results))
        return (cudaError_t.cudaSuccess, *results)

    def _take(self, name, kind, handle, then: Work = lambda: None):
        result = self._done(name, handle)
        if result[0] == cudaError_t.cudaSuccess:
            self.held.add((kind, handle))
            then()
        return result

    def _give(self, name, kind, handle):
        assert (kind, handle) in self.held, f"{name}: {kind} {handle} is not held"
        self.held.remove((kind, handle))
        return self._done(name)
