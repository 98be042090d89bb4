"""Visits of people and machines, and what interests them."""
