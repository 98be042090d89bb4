"""What is held of whom, why, for how long, and what an erasure does to it."""
