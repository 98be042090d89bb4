"""The page that says whose data this is."""
