"""The kinds of node: one file each. A node is a plain class (see ``pipeline/node.py``)."""
