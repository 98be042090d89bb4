"""What customers do: funnels, paths, cohorts, stages, baskets, attribution, leaving (pure)."""
