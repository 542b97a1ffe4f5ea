"""Score predictions by the benchmarks' own protocols."""

from cli.evaluate.boxes import detection
from cli.evaluate.scans import segmentation
from cli.evaluate.videos import actions, proposals

__all__ = ["actions", "detection", "proposals", "segmentation"]
