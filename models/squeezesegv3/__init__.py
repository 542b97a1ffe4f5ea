"""SqueezeSegV3: semantic segmentation of range images (Xu et al., ECCV 2020)."""
