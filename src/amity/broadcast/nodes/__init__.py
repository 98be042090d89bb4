"""Journey nodes, a file each: what a step of a journey does."""
