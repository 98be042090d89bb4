"""The analysis engine's schema, step by step."""
