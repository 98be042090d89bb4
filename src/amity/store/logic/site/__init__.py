"""The company's own site, read politely."""
