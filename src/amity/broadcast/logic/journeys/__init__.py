"""Journeys: drawn, checked, stepped through by people, counted."""
