"""LiDAR scans as range images: projection, normalisation, and the way back from pixels to points."""
