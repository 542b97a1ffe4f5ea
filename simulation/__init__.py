"""A procedural street that yields KITTI-format drives with full ground truth."""
