"""Metrics: the built-in ones, their versions, what they come to, what changing one changes."""
