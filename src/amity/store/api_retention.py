"""The store's door for retention: ways of forgetting, their rules, and what runs removed."""

from amity.store.logic.retention.inactive import (
    list_inactive_profiles,
    list_notice_answers,
    list_table_sizes,
)
from amity.store.logic.retention.own import list_sweeps
from amity.store.logic.retention.rules import (
    Sweeps,
    add_retention_rule,
    get_retention_rule,
    index_sweeps,
    list_retention_rules,
    reset_retention_rule,
    save_retention_rule,
)
from amity.store.logic.retention.running import (
    ask_retention,
    get_retention_run,
    list_last_retention_runs,
    list_retention_runs,
    preview_retention,
    run_due_retention,
    run_retention,
)
from amity.store.logic.retention.tables import FileSweep, RowSweep
from amity.store.sweep import Sweep

__all__ = [
    "FileSweep",
    "RowSweep",
    "Sweep",
    "Sweeps",
    "add_retention_rule",
    "ask_retention",
    "get_retention_rule",
    "get_retention_run",
    "index_sweeps",
    "list_inactive_profiles",
    "list_last_retention_runs",
    "list_notice_answers",
    "list_retention_rules",
    "list_retention_runs",
    "list_sweeps",
    "list_table_sizes",
    "preview_retention",
    "reset_retention_rule",
    "run_due_retention",
    "run_retention",
    "save_retention_rule",
]
