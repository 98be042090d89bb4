"""The store's door: sources, events, profiles, identity, consent, erasure, imports.

Every function takes keywords only, gives contracts back and owns its transaction, except those
that take a ``connection``: these take part in the caller's.
"""

from amity.store.logic.appending import (
    SystemEvent,
    append_events,
    list_received,
    record_event,
    record_events,
)
from amity.store.logic.quarantine import count_quarantine, list_quarantine, replay_quarantine
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
    "SystemEvent",
    "append_events",
    "count_by_source",
    "count_quarantine",
    "create_source",
    "find_source",
    "get_source",
    "list_quarantine",
    "list_received",
    "list_sources",
    "record_event",
    "record_events",
    "replay_quarantine",
    "rotate_source_key",
    "update_source",
]
