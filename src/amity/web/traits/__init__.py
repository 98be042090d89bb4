"""Traits: which claim is shown where sources disagree."""
