"""Estimates from a file, one a file of code."""
