"""Tracking plans, what events look like, and alerts about sources."""
