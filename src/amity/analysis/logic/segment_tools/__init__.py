"""Tools about segments: their versions, what a change would do, how they compare and move."""
