"""A spinning LiDAR: its profile, its sweep, and what comes back."""
