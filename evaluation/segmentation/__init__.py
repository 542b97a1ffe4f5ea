"""Semantic segmentation of LiDAR scans, scored as SemanticKITTI scores it (Behley et al., ICCV 2019, Sec. 4.1)."""
