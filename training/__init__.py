"""Training: data sets, losses, loops and scores."""
