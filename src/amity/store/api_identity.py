"""The store's door for who is who: candidates, joins by hand, learnt links, households."""

from amity.store.logic.identity.candidates import (
    count_candidates,
    decide_candidate,
    gather_candidates,
    gather_links,
    get_candidate,
    list_candidates,
    suggest_candidates,
)
from amity.store.logic.identity.deciding import (
    decide_candidates,
    forecast_decisions,
    list_decisions,
    undo_decisions,
)
from amity.store.logic.identity.hand import (
    confirm_identifier,
    merge_profiles,
    split_profile,
    undo_join,
    undo_split,
)
from amity.store.logic.identity.linked import IN_THE_WAREHOUSE, load_linked, together_sql
from amity.store.logic.identity.linking import (
    ask_to_learn,
    learn_asked,
    learn_links,
    list_link_models,
    propose_links,
)
from amity.store.logic.identity.linking_files import link_files
from amity.store.logic.identity.reading import (
    explain_identity,
    list_evidence,
    list_places,
)
from amity.store.logic.identity.together import (
    list_links,
    list_rejected_links,
    reject_link,
    restore_link,
)

__all__ = [
    "IN_THE_WAREHOUSE",
    "ask_to_learn",
    "confirm_identifier",
    "count_candidates",
    "decide_candidate",
    "decide_candidates",
    "explain_identity",
    "forecast_decisions",
    "gather_candidates",
    "gather_links",
    "get_candidate",
    "learn_asked",
    "learn_links",
    "link_files",
    "list_candidates",
    "list_decisions",
    "list_evidence",
    "list_link_models",
    "list_links",
    "list_places",
    "list_rejected_links",
    "load_linked",
    "merge_profiles",
    "propose_links",
    "reject_link",
    "restore_link",
    "split_profile",
    "suggest_candidates",
    "together_sql",
    "undo_decisions",
    "undo_join",
    "undo_split",
]
