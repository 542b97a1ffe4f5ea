"""The command line: one file per verb. Nothing here computes; it asks, shows and explains."""
