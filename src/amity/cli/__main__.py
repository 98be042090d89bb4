"""`python -m amity.cli`: the same as `amity`, for processes that start others."""

from amity.cli.main import main

main()
