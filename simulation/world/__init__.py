"""What stands: the plan of a street, its centre line, and the stretches it is built of."""
