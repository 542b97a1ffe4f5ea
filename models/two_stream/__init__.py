"""Features of a video, snippet by snippet: what is seen (RGB) and how it moves (optical flow)."""
