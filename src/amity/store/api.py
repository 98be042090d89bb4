"""The store's door: sources, events, profiles, identity, consent, erasure, imports.

Every function takes keywords only, gives contracts back and owns its transaction, except those
that take a ``connection``: these take part in the caller's.
"""

from amity.store.logic.sources import (
    count_by_source,
    create_source,
    find_source,
    get_source,
    list_sources,
    rotate_source_key,
    update_source,
)

__all__ = [
    "count_by_source",
    "create_source",
    "find_source",
    "get_source",
    "list_sources",
    "rotate_source_key",
    "update_source",
]
