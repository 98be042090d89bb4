"""Sources: where events come from, what arrives, and what could not be understood."""
