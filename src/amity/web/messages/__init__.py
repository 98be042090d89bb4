"""The send ledger on screen, and what every screen of Reach shares."""
