"""What every room may use: time, money, errors, registry, pages. Imports nothing of ours."""
