"""BC-GNN: temporal action proposals (Bai et al., *Boundary Content Graph Neural Network*, ECCV 2020)."""
