"""What the estimators learned, and how well their predictions held."""
