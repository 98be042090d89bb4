"""Campaigns: planned, drawn from a segment, measured against those held out."""
