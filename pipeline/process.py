"""One worker process as the supervisor sees it: spawn, watch, kill."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import msgspec
import psutil

from pipeline.clock import now_ns
from pipeline.control import WorkerTask
from pipeline.live.status import ProcessState

SAMPLE_INTERVAL_NS = 500_000_000

# Each worker's inference sessions set their own threads; these are the pools nobody asked for.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

# glibc gives memory of megabytes back to the system and fetches it again, page by page, for every message; keep it.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}


class WorkerProcess:
    """A worker through all its incarnations. ``waiting`` is between a death and the restart, ``gone`` is for good."""

    def __init__(self, name: str, nodes: list[str], logs: Path | None) -> None:
        self.name = name
        self.nodes = nodes
        self.state: ProcessState = "starting"
        self.incarnation = -1
        self.ready_nodes: set[str] = set()
        self.spawned_ns = 0
        self.last_beat_ns = 0
        self.respawn_at_ns = 0
        self.deaths_ns: list[int] = []
        self.last_words = ""
        self.cpu_s = 0.0
        self.rss_bytes = 0
        self.peak_rss_bytes = 0
        self.sampled_ns = 0
        self._log_path = logs / f"{name}.log" if logs is not None else None
        self._popen: subprocess.Popen[bytes] | None = None
        self._usage: psutil.Process | None = None
        self._cpu_before_s = 0.0

    def spawn(self, task: WorkerTask) -> None:
        """Start a fresh interpreter and hand it its task. The pipe stays open: its end is the parent's death."""
        self.last_words = ""
        self.spawned_ns = now_ns()
        self._cpu_before_s = self.cpu_s
        root = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**ONE_THREAD, **KEEP_MEMORY, **os.environ, "PYTHONPATH": path}
        with contextlib.ExitStack() as stack:
            log: IO[bytes] | int = subprocess.DEVNULL
            if self._log_path is not None:
                log = stack.enter_context(self._log_path.open("ab"))
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "pipeline.worker"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # the terminal's Ctrl-C is for the supervisor alone
            )
        assert self._popen.stdin is not None
        # A worker that died at once shows in death(), with its exit code.
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.write(msgspec.json.encode(task) + b"\n")
            self._popen.stdin.flush()
        with contextlib.suppress(psutil.NoSuchProcess):
            self._usage = psutil.Process(self._popen.pid)

    @property
    def alive(self) -> bool:
        """Whether the process exists."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id of the present incarnation."""
        return self._popen.pid if self._popen is not None else None

    def death(self) -> str | None:
        """How the process ended, in words; None while it lives."""
        code = self._popen.poll() if self._popen is not None else None
        if code is None:
            return None
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"{self.last_words} ({how})" if self.last_words else how

    def kill(self) -> None:
        """End it and everything it started, and wait until it is gone."""
        if self._popen is None:
            return
        self.sample_usage(force=True)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        if self._popen.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._popen.stdin.close()

    def sample_usage(self, *, force: bool = False) -> None:
        """Take note of processor time and memory, twice a second."""
        if self._usage is None or (now_ns() - self.sampled_ns < SAMPLE_INTERVAL_NS and not force):
            return
        self.sampled_ns = now_ns()
        self.rss_bytes = 0
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            times = self._usage.cpu_times()
            self.cpu_s = max(self.cpu_s, self._cpu_before_s + times.user + times.system)
            self.rss_bytes = self._usage.memory_info().rss
            self.peak_rss_bytes = max(self.peak_rss_bytes, self.rss_bytes)

    def log_hint(self) -> str:
        """Where to read more."""
        return f" (log: {self._log_path})" if self._log_path is not None else ""
