"""The feature intertwiner (InterNet): small regions learn to look as large ones of their class do, in training.

*Feature Intertwiner for Object Detection*, ICLR 2019.
"""
