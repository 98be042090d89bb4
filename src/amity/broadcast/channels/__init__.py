"""Channels, a file each: how a message leaves."""
