"""Mailboxes that are read, and what their mail says."""
