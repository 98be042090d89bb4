"""Satisfaction as customers answer, corrected for who answers."""
