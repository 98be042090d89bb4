"""Campaigns: made, previewed, launched, watched, measured."""
