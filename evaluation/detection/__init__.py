"""How right detected boxes are: COCO's average precision."""
