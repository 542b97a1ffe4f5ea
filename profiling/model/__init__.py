"""``run.py profile model``: what a model costs on this machine, in every backend, side by side."""
