"""Journeys: drawn with live counts, switched, changed."""
