"""The control API: one table of routes, from which routing, checks and documents all come."""
