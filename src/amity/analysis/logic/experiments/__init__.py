"""Reading experiments: what a difference between arms drawn at random amounts to."""
