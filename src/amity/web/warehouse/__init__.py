"""The warehouse: what lies in it, how far it is behind, and whether it says what the log says."""
