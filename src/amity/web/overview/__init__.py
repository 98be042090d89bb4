"""The first screen: how the business does, who is in which segment, what just came in."""
