"""Amity: one customer known across every electronic channel, and a loop that learns."""

__version__ = "0.1.0"
