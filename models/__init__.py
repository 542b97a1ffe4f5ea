"""Torch networks, a folder per family, with their pre- and post-processing as pure functions beside them."""
