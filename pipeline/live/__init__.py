"""A running graph as others see it: the status twice a second, its socket, its metrics, expected rates."""
