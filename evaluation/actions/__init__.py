"""How right detected actions are: mean average precision over temporal IoU."""
