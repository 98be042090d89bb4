"""Identity matchers, one a file."""
