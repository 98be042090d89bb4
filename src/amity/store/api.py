"""The store's door: sources, events, profiles, identity, consent, erasure, imports.

Every function takes keywords only, gives contracts back and owns its transaction, except those
that take a ``connection``: these take part in the caller's.
"""

from amity.store.logic.activity import list_activity
from amity.store.logic.appending import (
    SystemEvent,
    append_events,
    list_received,
    record_event,
    record_events,
)
from amity.store.logic.candidates import (
    count_candidates,
    decide_candidate,
    gather_candidates,
    gather_links,
    get_candidate,
    list_candidates,
    suggest_candidates,
)
from amity.store.logic.catalogue import (
    list_event_names,
    list_properties,
    list_trait_names,
    trait_values,
)
from amity.store.logic.choices import (
    list_consent_history,
    read_preferences,
    state_choices,
)
from amity.store.logic.claims_reading import (
    list_claims,
    list_memory,
    list_unknown,
    remember,
    rule_words,
)
from amity.store.logic.consent_gate import (
    judge_consents,
    list_ends,
    list_policies,
    may_use,
)
from amity.store.logic.consent_ledger import verify_consents, write_consents
from amity.store.logic.consent_reading import (
    count_consent_records,
    get_consent_record,
    list_consent_methods,
    list_consent_records,
    make_receipt,
)
from amity.store.logic.consumers import advance_consumer, claim_consumer, read_activity
from amity.store.logic.contact_points import (
    contact_key,
    ensure_contact_points,
    find_contact_point,
    forget_soft_bounces,
    lift_suppression,
    list_contact_points,
    record_soft_bounce,
    suppress,
)
from amity.store.logic.erasure import erase_profile
from amity.store.logic.folding import fold_batch
from amity.store.logic.following import follow
from amity.store.logic.housekeeping import check_log, keep_house
from amity.store.logic.identity_hand import (
    confirm_identifier,
    merge_profiles,
    split_profile,
    undo_split,
)
from amity.store.logic.identity_reading import (
    explain_identity,
    list_evidence,
    list_links,
    list_places,
)
from amity.store.logic.importing import (
    cancel_import,
    create_dry_run,
    create_import,
    get_import,
    import_checked,
    iter_problems,
    list_connectors,
    list_imports,
    preview_file,
)
from amity.store.logic.importing_run import run_import, run_waiting_imports
from amity.store.logic.linking_files import link_files
from amity.store.logic.outbound import (
    create_endpoint,
    delete_endpoint,
    forget_deliveries,
    get_endpoint,
    list_deliveries,
    list_endpoints,
    replay_deliveries,
    rotate_endpoint_secret,
    set_endpoint_state,
    try_endpoint,
    update_endpoint,
)
from amity.store.logic.outbound_delivering import Deliverer
from amity.store.logic.outbound_queueing import queue_deliveries
from amity.store.logic.past import get_profile_as_of
from amity.store.logic.profiles import (
    count_profiles,
    find_profile,
    get_profile,
    list_identifiers,
    list_joined,
    list_merges,
    list_profiles,
    load_histories,
    load_profiles,
    unmerge,
)
from amity.store.logic.pulling import (
    configure_pull,
    create_pull,
    delete_pull,
    get_pull,
    list_pull_columns,
    list_pull_tables,
    list_pulls,
    pause_pull,
    preview_pull,
    reconnect_pull,
    resume_pull,
    rewind_pull,
)
from amity.store.logic.pulling_run import run_due_pulls, run_pull
from amity.store.logic.purposes import (
    add_notice,
    find_notice,
    get_purpose,
    latest_notices,
    list_notices,
    list_purposes,
    save_purpose,
)
from amity.store.logic.quarantine import count_quarantine, list_quarantine, replay_quarantine
from amity.store.logic.rebuild import rebuild
from amity.store.logic.sources import (
    count_by_source,
    create_source,
    find_source,
    get_source,
    list_sources,
    rotate_source_key,
    update_source,
)
from amity.store.logic.stats import stats
from amity.store.logic.subjects import make_subject, make_wishes, minor_units
from amity.store.logic.survivorship_rules import (
    is_settling,
    list_survivorship_rules,
    remove_survivorship_rule,
    set_survivorship_rule,
)
from amity.store.logic.warehousing import read_log_days, warehouse_exports

__all__ = [
    "Deliverer",
    "SystemEvent",
    "add_notice",
    "advance_consumer",
    "append_events",
    "cancel_import",
    "check_log",
    "claim_consumer",
    "configure_pull",
    "confirm_identifier",
    "contact_key",
    "count_by_source",
    "count_candidates",
    "count_consent_records",
    "count_profiles",
    "count_quarantine",
    "create_dry_run",
    "create_endpoint",
    "create_import",
    "create_pull",
    "create_source",
    "decide_candidate",
    "delete_endpoint",
    "delete_pull",
    "ensure_contact_points",
    "erase_profile",
    "explain_identity",
    "find_contact_point",
    "find_notice",
    "find_profile",
    "find_source",
    "fold_batch",
    "follow",
    "forget_deliveries",
    "forget_soft_bounces",
    "gather_candidates",
    "gather_links",
    "get_candidate",
    "get_consent_record",
    "get_endpoint",
    "get_import",
    "get_profile",
    "get_profile_as_of",
    "get_pull",
    "get_purpose",
    "get_source",
    "import_checked",
    "is_settling",
    "iter_problems",
    "judge_consents",
    "keep_house",
    "latest_notices",
    "lift_suppression",
    "link_files",
    "list_activity",
    "list_candidates",
    "list_claims",
    "list_connectors",
    "list_consent_history",
    "list_consent_methods",
    "list_consent_records",
    "list_contact_points",
    "list_deliveries",
    "list_endpoints",
    "list_ends",
    "list_event_names",
    "list_evidence",
    "list_identifiers",
    "list_imports",
    "list_joined",
    "list_links",
    "list_memory",
    "list_merges",
    "list_notices",
    "list_places",
    "list_policies",
    "list_profiles",
    "list_properties",
    "list_pull_columns",
    "list_pull_tables",
    "list_pulls",
    "list_purposes",
    "list_quarantine",
    "list_received",
    "list_sources",
    "list_survivorship_rules",
    "list_trait_names",
    "list_unknown",
    "load_histories",
    "load_profiles",
    "make_receipt",
    "make_subject",
    "make_wishes",
    "may_use",
    "merge_profiles",
    "minor_units",
    "pause_pull",
    "preview_file",
    "preview_pull",
    "queue_deliveries",
    "read_activity",
    "read_log_days",
    "read_preferences",
    "rebuild",
    "reconnect_pull",
    "record_event",
    "record_events",
    "record_soft_bounce",
    "remember",
    "remove_survivorship_rule",
    "replay_deliveries",
    "replay_quarantine",
    "resume_pull",
    "rewind_pull",
    "rotate_endpoint_secret",
    "rotate_source_key",
    "rule_words",
    "run_due_pulls",
    "run_import",
    "run_pull",
    "run_waiting_imports",
    "save_purpose",
    "set_endpoint_state",
    "set_survivorship_rule",
    "split_profile",
    "state_choices",
    "stats",
    "suggest_candidates",
    "suppress",
    "trait_values",
    "try_endpoint",
    "undo_split",
    "unmerge",
    "update_endpoint",
    "update_source",
    "verify_consents",
    "warehouse_exports",
    "write_consents",
]
