"""BMN, compact: what BC-GNN is compared with (Lin et al., *Boundary-Matching Network*, ICCV 2019)."""
