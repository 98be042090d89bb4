"""Forgetting a customer, everywhere."""
