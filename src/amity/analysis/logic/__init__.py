"""The analysis engine's own reasoning; entered only through its doors."""
