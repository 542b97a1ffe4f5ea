"""Print what a running pipeline publishes. Start it beside `run.py play ... --set nodes.fusion.publish.wait_for=1`:

python examples/print_fused.py ipc://OUT/fused.sock [OUT/fusion.key]
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from pipeline.consumer import Consumer

with Consumer(sys.argv[1], keys=Path(sys.argv[2]) if len(sys.argv) > 2 else None) as fused_frames:
    for frame in fused_frames:
        counts = np.bincount(frame.labels, minlength=len(frame.class_names))
        top = [f"{frame.class_names[k]}:{counts[k]}" for k in np.argsort(-counts)[:3] if frame.class_names]
        latency_ms = (frame.header.hops[-1].finished_ns - frame.header.due_ns) / 1e6
        print(frame.header.name, f"{latency_ms:.1f} ms", *top, flush=True)
