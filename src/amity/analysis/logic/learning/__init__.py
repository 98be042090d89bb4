"""Learning from rows: who is most likely to do a thing, and how far to believe it."""
