"""Data requests: what customers ask for about their data, until when it is due, and doing it."""
