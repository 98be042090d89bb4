"""Offers and placements: what can be shown where, to whom, and what came of it."""
