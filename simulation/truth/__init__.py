"""What nobody has to annotate: boxes, visibility, depth, motion and actions, from the simulation itself."""
