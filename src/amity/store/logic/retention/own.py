"""What the store itself forgets, and how that is delivered."""

from datetime import datetime
from typing import Any

from amity.store.contracts_retention import Removal, RetentionRule, RetentionSlice
from amity.store.logic.importing.run import count_old_files, delete_old_files
from amity.store.logic.retention.days import EmptyDaySweep
from amity.store.logic.retention.events import EventSweep
from amity.store.logic.retention.tables import FileSweep, RowSweep
from amity.store.sweep import Sweep

_ENDED = "state IN ('finished', 'failed', 'cancelled')"


class ImportFileSweep(Sweep):
    """Deletes files of imports that ended, with what is told of their rows."""

    kind = "imports.files"
    title = "Files of imports"
    does = "The file of an import that ended is deleted, with the rows that were left out."
    reason = "Whoever imported a file can look at what was left out, and try again."
    tables = ("imports/**", "store_import_problem")

    def count(self, rule: RetentionRule, before: datetime) -> tuple[Removal, bool]:
        """Count the files."""
        return count_old_files(before), False

    def take(self, rule: RetentionRule, before: datetime, cursor: str) -> RetentionSlice:
        """Delete them all."""
        return RetentionSlice(removed=delete_old_files(before), is_last=True)


def list_sweeps() -> list[Sweep]:
    """Return the store's ways of forgetting, in the order in which they are shown."""
    return [*_of_events(), *_of_coming_in(), *_of_going_out(), *_of_the_house()]


def _of_events() -> list[Sweep]:
    return [
        EventSweep(
            "events.details",
            days=760,
            words=(
                "Details of events",
                "Events lose their properties and context; who, what and when stay, and so do "
                "traits, orders and consents.",
                "Two years with their seasons can be compared; what a profile is made of stays.",
            ),
        ),
        EventSweep(
            "events.network",
            days=30,
            words=(
                "Network addresses of events",
                "Events lose the network address they came from, except where it shows a consent.",
                "Abuse is looked into within weeks.",
            ),
        ),
        EmptyDaySweep(),
        RowSweep(
            "visits",
            ("store_visit", "ended_at"),
            words=(
                "Visits",
                "Visits that ended so long ago are deleted.",
                "Two years with their seasons can be compared.",
            ),
        ),
        RowSweep(
            "events.ids",
            ("store_event_key", "received_at"),
            words=(
                "Ids of events",
                "The hash by which a repeated event is told is deleted.",
                "Clients try again for weeks; a repeated event must be stored once.",
            ),
            least_days=90,
        ),
    ]


def _of_coming_in() -> list[Sweep]:
    return [
        RowSweep(
            "quarantine",
            ("store_quarantine", "received_at"),
            words=(
                "Quarantine",
                "Events that could not be understood are deleted, replayed or not.",
                "Time to mend what sent them, and to replay them.",
            ),
        ),
        ImportFileSweep(),
        RowSweep(
            "imports",
            ("store_import", "created_at"),
            where=_ENDED,
            words=(
                "Imports",
                "The record of an import that ended is deleted.",
                "Where customers came from can be shown.",
            ),
        ),
        _quality("tracking", "Shapes of events", ("store_shape", "day"), ("store_finding", "day")),
        _quality("quality", "Figures of sources", ("store_quality", "hour")),
        RowSweep(
            "signups",
            ("store_signup_pace", "hour"),
            words=(
                "Pace of sign-ups",
                "Counts by keyed hash of network and mail domain are deleted.",
                "Forms are not to be flooded.",
            ),
        ),
    ]


def _quality(kind: str, title: str, *tables: tuple[str, str]) -> Sweep:
    words = (title, "Counts of so long ago are deleted.", "A season can be compared with the last.")
    return RowSweep(kind, *tables, words=words)


def _of_going_out() -> list[Sweep]:
    said = "What was told and answered can be looked up while somebody may ask."
    return [
        RowSweep(
            "deliveries",
            ("store_delivery", "finished_at"),
            where="state = 'delivered'",
            words=("Deliveries that went well", "Deliveries to webhooks are deleted.", said),
            days=7,
        ),
        RowSweep(
            "deliveries.failed",
            ("store_delivery", "finished_at"),
            where="state <> 'delivered'",
            words=("Deliveries that failed", "Deliveries to webhooks are deleted.", said),
        ),
        FileSweep(
            "exports.files",
            "exports/**",
            "exports/*",
            words=("Files of exports", "Exported files are deleted.", "Time to fetch them."),
        ),
        RowSweep(
            "exports",
            ("store_export_run", "created_at"),
            where="state IN ('finished', 'failed')",
            words=(
                "Exports",
                "The record of an export is deleted; it names nobody.",
                "Who was given what can be shown.",
            ),
        ),
        FileSweep(
            "requests.files",
            "requests/**",
            "requests/**/*",
            words=(
                "Copies made for customers",
                "Files with a customer's data, made because they asked, are deleted.",
                "Time to hand them over.",
            ),
            basis="legal_obligation",
        ),
    ]


def _of_the_house() -> list[Sweep]:
    held: dict[str, Any] = {"basis": "legal_obligation"}
    return [
        FileSweep(
            "logs",
            "logs/**",
            "logs/**/*",
            words=(
                "Logs of processes",
                "Log files nothing was written to for so long are deleted.",
                "Faults are looked into within weeks.",
            ),
        ),
        RowSweep(
            "runs",
            ("store_retention_run", "started_at"),
            where="state <> 'running'",
            words=(
                "Records of these runs",
                "What a run removed is told for so long; it names nobody.",
                "That rules were kept can be shown.",
            ),
            **held,
        ),
    ]
