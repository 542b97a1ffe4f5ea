"""KITTI's cameras: where they sit, and the pictures they take."""
