"""Scores as they are kept and as rules see them."""
