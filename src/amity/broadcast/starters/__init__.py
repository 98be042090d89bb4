"""Templates to begin with: a message of each kind, as MJML that can be changed at will."""
