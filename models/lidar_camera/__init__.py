"""Where LiDAR points fall in a calibrated image: projection, occlusion, the points of an image box."""
