"""How long what is kept: the rules, their runs, and what the store itself forgets."""
