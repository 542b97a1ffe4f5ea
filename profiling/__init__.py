"""Speed, as ratios measured in one run. Nothing here asserts; it prints."""
