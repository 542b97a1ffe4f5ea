"""Actions in videos: who annotated what from when to when, what was predicted, and features per video.

A segment is ``[start_s, end_s]`` in seconds from the video's beginning.
"""
