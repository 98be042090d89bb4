"""The catalogue of everything that can be connected, and what is connected beside files."""
