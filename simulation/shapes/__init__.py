"""What things look like: triangle meshes, the objects built of them, and their materials."""
