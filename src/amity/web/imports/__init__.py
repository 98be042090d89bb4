"""Imports: files on their way in, with what became of every row."""
