"""Recommenders, a file each: which products go with which."""
