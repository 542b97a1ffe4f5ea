"""SqueezeSegV3 as the paper's release has it, beside ours: ``python -m profiling.segmentation``."""
