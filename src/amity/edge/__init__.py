"""The lean web server of the hot paths. No Django."""
