"""Learning from experiments for whom a treatment works."""
