"""Benchmarks: each workload beside a peer, in one run, as ratios."""
