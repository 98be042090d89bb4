"""Policies, a file each: how to choose among what is eligible."""
