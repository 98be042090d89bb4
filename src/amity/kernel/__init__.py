"""What every room may use: ids, time, money, errors, registry, pages. Imports nothing of ours."""
