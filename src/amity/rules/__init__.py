"""The rule language: one rule, three faces (memory, SQL, words)."""
