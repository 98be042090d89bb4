"""The command `amity`."""
