"""Schema of the staff records."""
