"""How long customers stay and how often they buy meanwhile: the maths of the lifetime models."""
