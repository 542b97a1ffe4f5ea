"""A Ctrl-C must end a program in order, whichever threads opened and closed its sessions."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import signal, threading, time
from inference.openvino_backend import openvino_core

cores = [openvino_core()]
last = threading.Thread(target=cores.clear)
last.start()
last.join()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit that it is ignored
try:
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    time.sleep(10)
except KeyboardInterrupt:
    print("interrupted in order")
"""


def test_ctrl_c_after_another_thread_has_unloaded_openvino() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (0, "interrupted in order\n"), ended.stderr
