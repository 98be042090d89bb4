-- The consent ledger: append-only, with a chain of hashes.
SELECT 1;
