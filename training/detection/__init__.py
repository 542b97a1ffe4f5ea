"""Detectors as a task of the trainer: pictures with boxes, SSD's augmentation, COCO's average precision."""
