"""Print what a running pipeline publishes. Start it beside `run.py play ... --set nodes.fusion.publish.wait_for=1`:

python examples/print_fused.py ipc:///tmp/rangecast-fused.sock
"""

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from pipeline.consumer import Consumer

with Consumer(sys.argv[1], keys=Path(sys.argv[2]) if len(sys.argv) > 2 else None) as fused_frames:
    for frame in fused_frames:
        names = Counter(frame.class_names[label] for label in frame.labels).most_common(3)
        latency_ms = (frame.header.hops[-1].finished_ns - frame.header.due_ns) / 1e6
        print(frame.header.name, f"{latency_ms:.1f} ms", *(f"{name}:{count}" for name, count in names), flush=True)
