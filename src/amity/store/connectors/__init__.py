"""Ways in for other systems' data, one a file."""
