"""The streaming runtime: messages, transport, flow control, supervision. Knows no sensor, no model, no file format."""
