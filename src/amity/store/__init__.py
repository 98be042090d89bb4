"""ENGINE 1, the customer-centric information store.

Every event enters here, is kept in one append-only log, and is folded into known customers:
identifiers join into profiles, traits keep their source and time, consent is remembered.
Doors: `api` (with the database), `hot` (for the edge, no Django), `contracts` (all that crosses).
"""
