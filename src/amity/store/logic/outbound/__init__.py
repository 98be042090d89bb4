"""What leaves the house: endpoints that are told, segments that are exported."""
