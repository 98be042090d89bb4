"""Projections of what customers did, one a file: `store/follower.py` says what each must be."""
