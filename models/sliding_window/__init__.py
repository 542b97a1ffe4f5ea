"""Sliding windows: the simplest proposals, that anything better must beat."""
