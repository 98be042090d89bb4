"""The product's screens and its control API, one folder an area."""
