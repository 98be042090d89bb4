"""Decisions: what was chosen for whom, why, and what came of it."""
