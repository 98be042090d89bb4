"""Data requests: what customers ask for about their data, and what is done about it."""
