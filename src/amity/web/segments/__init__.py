"""Segments: the list, one segment, and the builder that speaks words."""
