"""Files on their way into the log."""
