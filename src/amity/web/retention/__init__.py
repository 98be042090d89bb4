"""How long what is kept: rules, what their runs removed, and running them all."""
