"""Detectors: backbones, necks and heads in torch; matching and losses; fitting, decoding and NMS in NumPy."""
