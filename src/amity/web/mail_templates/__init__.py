"""Message templates: the list, the editor with its live preview, starts."""
