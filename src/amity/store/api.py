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
from amity.store.logic.importing import (
    cancel_import,
    create_import,
    get_import,
    list_connectors,
    list_imports,
    preview_file,
)
from amity.store.logic.importing_run import run_import, run_waiting_imports
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
    "cancel_import",
    "count_by_source",
    "count_quarantine",
    "create_import",
    "create_source",
    "find_source",
    "get_import",
    "get_source",
    "list_connectors",
    "list_imports",
    "list_quarantine",
    "list_received",
    "list_sources",
    "preview_file",
    "record_event",
    "record_events",
    "replay_quarantine",
    "rotate_source_key",
    "run_import",
    "run_waiting_imports",
    "update_source",
]
