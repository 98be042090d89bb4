"""Running reports: what they read, what is kept, what leaves the house."""
