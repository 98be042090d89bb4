"""Outbound: who else is told of what happens, and which segments are exported where."""
