"""Simulated drives measured against real recordings: what differs, by how much, and how much real ones differ."""
