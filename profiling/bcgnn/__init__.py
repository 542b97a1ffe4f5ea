"""Speed of BC-GNN on a CPU, beside the paper's own formulation."""
