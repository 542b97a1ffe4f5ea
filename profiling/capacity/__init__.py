"""How much a graph carries on this machine: the highest input rate that holds a latency bound without a drop."""
