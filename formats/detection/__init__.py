"""Pictures with boxes: COCO, Pascal VOC, KITTI object, KITTI tracking and simulated drives, in one form in memory."""
