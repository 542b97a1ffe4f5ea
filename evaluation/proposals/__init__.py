"""How many actions are found by how many proposals: AR@AN and AUC."""
