"""Templates as people write them, and the messages made of them."""
