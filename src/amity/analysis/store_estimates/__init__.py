"""Estimates over the store, one file each."""
