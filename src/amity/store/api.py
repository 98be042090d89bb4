"""The store's door: sources, events, profiles, identity, consent, erasure, imports.

Every function takes keywords only, gives contracts back and owns its transaction, except those
that take a ``connection``: these take part in the caller's.
"""

from amity.store.logic.consent.choices import (
    list_consent_history,
    read_preferences,
    state_choices,
)
from amity.store.logic.consent.gate import (
    judge_consents,
    list_ends,
    list_past_standings,
    list_policies,
    list_standings,
    may_use,
    plain_use_condition,
    use_condition,
)
from amity.store.logic.consent.ledger import verify_consents, write_consents
from amity.store.logic.consent.purposes import (
    add_notice,
    find_notice,
    get_purpose,
    latest_notices,
    list_notices,
    list_purposes,
    save_purpose,
)
from amity.store.logic.consent.reading import (
    count_consent_records,
    get_consent_record,
    list_consent_methods,
    list_consent_records,
    make_consent_receipt,
)
from amity.store.logic.consent.statements import list_windows
from amity.store.logic.doors import list_doors, list_heard
from amity.store.logic.erasure.cleaning import clean_large, clean_space, list_large
from amity.store.logic.erasure.erasing import (
    erase_profile,
    finish_erasure,
    list_erasures,
    list_unfinished_erasures,
    note_replayed,
)
from amity.store.logic.erasure.receipts import (
    find_named,
    get_receipt,
    is_genuine,
    keep_receipt,
    list_unreplayed,
    read_receipts,
)
from amity.store.logic.folding.consumer import fold_batch
from amity.store.logic.folding.consumers import (
    advance_consumer,
    claim_consumer,
    read_activity,
    read_said,
    read_stirred,
    rewind_consumer,
)
from amity.store.logic.folding.following import follow
from amity.store.logic.folding.rebuild import rebuild
from amity.store.logic.housekeeping import check_log, keep_house
from amity.store.logic.importing.imports import (
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
from amity.store.logic.importing.run import run_import, run_waiting_imports
from amity.store.logic.intake.appending import (
    SystemEvent,
    append_events,
    list_received,
    record_event,
    record_events,
)
from amity.store.logic.intake.quarantine import (
    count_matching_quarantine,
    count_quarantine,
    discard_quarantine,
    follow_quarantine,
    list_quarantine,
    replay_quarantine,
)
from amity.store.logic.intake.source_secrets import (
    list_dialects,
    list_signed_dialects,
    list_source_secrets,
    make_source_secret,
    remove_source_secret,
    set_source_secret,
)
from amity.store.logic.intake.sources import (
    count_by_source,
    create_source,
    find_source,
    get_source,
    list_sources,
    rotate_source_key,
    update_source,
)
from amity.store.logic.profiles.activity import list_activity
from amity.store.logic.profiles.catalogue import (
    list_event_names,
    list_properties,
    list_trait_names,
    trait_values,
)
from amity.store.logic.profiles.claims_reading import (
    list_claims,
    list_memory,
    list_unknown,
    remember,
    rule_words,
)
from amity.store.logic.profiles.contact_points import (
    contact_key,
    ensure_contact_points,
    find_contact_point,
    forget_soft_bounces,
    lift_suppression,
    list_contact_points,
    record_soft_bounce,
    suppress,
)
from amity.store.logic.profiles.past import get_profile_as_of
from amity.store.logic.profiles.placed_orders import load_placed_orders, placed_orders_sql
from amity.store.logic.profiles.reading import (
    count_profiles,
    find_profile,
    get_profile,
    list_identifiers,
    list_joined,
    list_living,
    list_merges,
    list_profiles,
    load_histories,
    load_profiles,
    unmerge,
)
from amity.store.logic.profiles.stats import stats
from amity.store.logic.profiles.subjects import make_subject, make_wishes, minor_units
from amity.store.logic.profiles.survivorship_rules import (
    is_settling,
    list_survivorship_rules,
    remove_survivorship_rule,
    set_survivorship_rule,
)
from amity.store.logic.telling.asserting import LAWFUL_BASES
from amity.store.logic.telling.phones import find_by_phone
from amity.store.logic.visits.reading import (
    get_attribution,
    list_interests,
    list_visit_shares,
    list_visits,
)
from amity.store.logic.warehousing import read_log_days, warehouse_exports

__all__ = [
    "LAWFUL_BASES",
    "SystemEvent",
    "add_notice",
    "advance_consumer",
    "append_events",
    "cancel_import",
    "check_log",
    "claim_consumer",
    "clean_large",
    "clean_space",
    "contact_key",
    "count_by_source",
    "count_consent_records",
    "count_matching_quarantine",
    "count_profiles",
    "count_quarantine",
    "create_dry_run",
    "create_import",
    "create_source",
    "discard_quarantine",
    "ensure_contact_points",
    "erase_profile",
    "find_by_phone",
    "find_contact_point",
    "find_named",
    "find_notice",
    "find_profile",
    "find_source",
    "finish_erasure",
    "fold_batch",
    "follow",
    "follow_quarantine",
    "forget_soft_bounces",
    "get_attribution",
    "get_consent_record",
    "get_import",
    "get_profile",
    "get_profile_as_of",
    "get_purpose",
    "get_receipt",
    "get_source",
    "import_checked",
    "is_genuine",
    "is_settling",
    "iter_problems",
    "judge_consents",
    "keep_house",
    "keep_receipt",
    "latest_notices",
    "lift_suppression",
    "list_activity",
    "list_claims",
    "list_connectors",
    "list_consent_history",
    "list_consent_methods",
    "list_consent_records",
    "list_contact_points",
    "list_dialects",
    "list_doors",
    "list_ends",
    "list_erasures",
    "list_event_names",
    "list_heard",
    "list_identifiers",
    "list_imports",
    "list_interests",
    "list_joined",
    "list_large",
    "list_living",
    "list_memory",
    "list_merges",
    "list_notices",
    "list_past_standings",
    "list_policies",
    "list_profiles",
    "list_properties",
    "list_purposes",
    "list_quarantine",
    "list_received",
    "list_signed_dialects",
    "list_source_secrets",
    "list_sources",
    "list_standings",
    "list_survivorship_rules",
    "list_trait_names",
    "list_unfinished_erasures",
    "list_unknown",
    "list_unreplayed",
    "list_visit_shares",
    "list_visits",
    "list_windows",
    "load_histories",
    "load_placed_orders",
    "load_profiles",
    "make_consent_receipt",
    "make_source_secret",
    "make_subject",
    "make_wishes",
    "may_use",
    "minor_units",
    "note_replayed",
    "placed_orders_sql",
    "plain_use_condition",
    "preview_file",
    "read_activity",
    "read_log_days",
    "read_preferences",
    "read_receipts",
    "read_said",
    "read_stirred",
    "rebuild",
    "record_event",
    "record_events",
    "record_soft_bounce",
    "remember",
    "remove_source_secret",
    "remove_survivorship_rule",
    "replay_quarantine",
    "rewind_consumer",
    "rotate_source_key",
    "rule_words",
    "run_import",
    "run_waiting_imports",
    "save_purpose",
    "set_source_secret",
    "set_survivorship_rule",
    "state_choices",
    "stats",
    "suppress",
    "trait_values",
    "unmerge",
    "update_source",
    "use_condition",
    "verify_consents",
    "warehouse_exports",
    "write_consents",
]
