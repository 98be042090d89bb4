"""Customers: finding them, and knowing one."""
