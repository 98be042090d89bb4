"""Databases that are pulled: who is let in where, what is read, how far it is."""
