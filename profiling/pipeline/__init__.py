"""Where a frame's milliseconds go, through all processes: run a graph with its trace on, take it apart, say it."""
