"""The consent ledger, what data is used for, and the words customers are asked in."""
