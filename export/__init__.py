"""Export: from a trained network to a graph that the pipeline runs, and how far the one is from the other."""
