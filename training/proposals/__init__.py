"""Training of temporal action proposals: BC-GNN, and what it is compared with, on features of annotated videos."""
