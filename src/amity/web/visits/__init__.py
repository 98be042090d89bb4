"""Visits and the own site's pages: where people come from, machines apart, and what is read."""
