"""How messages get from node to node: outputs and inputs, flow control, the protocol on the wire, its security."""
