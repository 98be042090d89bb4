"""One condition a file."""
