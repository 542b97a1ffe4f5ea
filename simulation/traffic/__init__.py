"""What moves: road users with intentions, the ego vehicle among them, and the actions they carry out."""
