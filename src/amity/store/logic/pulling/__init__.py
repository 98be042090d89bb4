"""Databases of others, read on from where the last page ended."""
