"""Who may be used for what, and asked, and reached: statements, the ledger, the one gate."""
