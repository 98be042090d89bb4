"""Plans as a file under version control, and events checked before they are ever sent."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from amity.infra.database import transaction
from amity.kernel.errors import Invalid, NotFound
from amity.store.contracts_tracking import (
    ALL_SOURCES,
    EventVerdict,
    Plan,
    PlanDifference,
    PlanDraft,
    PlanEntry,
    PlanFile,
    VerdictWord,
)
from amity.store.logic.intake.cards import cut_event
from amity.store.logic.intake.decoding import check_event
from amity.store.logic.intake.parsing import BadEvent, parse_object
from amity.store.logic.intake.sources import list_sources
from amity.store.logic.plans.checking import PlanBook, properties_of
from amity.store.logic.plans.pinning import (
    check_draft,
    compare_plans,
    draft_of,
    list_plans,
    pin_in,
    unpin_in,
)

_Key = tuple[str, str, str]
_WORDS: dict[str, VerdictWord] = {"pass": "counted", "cut": "cut", "quarantine": "quarantined"}


def export_plans() -> PlanFile:
    """Return all pinned plans, in the same order and form whenever they are the same."""
    names = {source.source_id: source.name for source in list_sources()}
    entries = [
        PlanEntry(
            type=plan.type,
            name=plan.name,
            source=names.get(plan.source_id, ""),
            policy=plan.policy,
            allows_unknown=plan.allows_unknown,
            description=plan.description,
            fields=sorted(plan.fields, key=lambda field: field.path),
        )
        for plan in list_plans()
    ]
    return PlanFile(plans=sorted(entries, key=_key_of))


def _key_of(entry: PlanEntry) -> _Key:
    return (entry.type, entry.name, entry.source)


def compare_plan_file(*, document: PlanFile) -> list[PlanDifference]:
    """Say how the plans of a file differ from the pinned ones; empty when they are the same.

    Raises Invalid for a plan that could not be pinned, NotFound for a source that is not here.
    """
    held = {_key_of(entry): entry for entry in export_plans().plans}
    wanted = _read(document)
    found = []
    for key, draft in wanted.items():
        now = held.get(key)
        words = compare_plans(_draft(now, draft.source_id), draft) if now else []
        if now is None or words:
            found.append(_differ(key, "changed" if now else "added", words))
    return found + [_differ(key, "only_here", []) for key in held if key not in wanted]


def _differ(key: _Key, kind: str, words: list[str]) -> PlanDifference:
    made = {"type": key[0], "name": key[1], "source": key[2], "kind": kind, "words": words}
    return msgspec.convert(made, PlanDifference)


def _read(document: PlanFile) -> dict[_Key, PlanDraft]:
    ids = {source.name: source.source_id for source in list_sources()} | {"": ALL_SOURCES}
    wanted: dict[_Key, PlanDraft] = {}
    for entry in document.plans:
        if entry.source not in ids:
            raise NotFound(f"there is no source named {entry.source!r}; make it first")
        if _key_of(entry) in wanted:
            raise Invalid(f"the file plans {entry.name or entry.type} twice", code="bad_plan")
        draft = _draft(entry, ids[entry.source])
        check_draft(draft)
        wanted[_key_of(entry)] = draft
    return wanted


def _draft(entry: PlanEntry, source_id: int) -> PlanDraft:
    return PlanDraft(
        type=entry.type,
        name=entry.name,
        source_id=source_id,
        policy=entry.policy,
        allows_unknown=entry.allows_unknown,
        description=entry.description,
        fields=sorted(entry.fields, key=lambda field: field.path),
    )


def import_plans(
    *, document: PlanFile, prunes: bool = False, by: str, now: datetime
) -> list[PlanDifference]:
    """Pin what a file plans otherwise, all or nothing; return what was different.

    With ``prunes`` what is pinned here and not in the file is unpinned.
    """
    differences = compare_plan_file(document=document)
    wanted = _read(document)
    ids = {source.name: source.source_id for source in list_sources()} | {"": ALL_SOURCES}
    with transaction() as connection:
        for each in differences:
            if each.kind != "only_here":
                pin_in(connection, wanted[each.type, each.name, each.source], by=by, now=now)
            elif prunes:
                unpin_in(connection, each.type, each.name, ids[each.source])
    return differences


def check_events(
    *, events: Iterable[bytes], document: PlanFile | None = None, source_id: int = ALL_SOURCES
) -> list[EventVerdict]:
    """Say what would become of events by the plans of a file, else by the pinned ones.

    Nothing is stored. Each event is one JSON object of the collector's own form.
    """
    plans: Sequence[Plan] = list_plans() if document is None else _as_plans(document)
    book = PlanBook(plans)
    return [_check(book, source_id, index, raw) for index, raw in enumerate(events)]


def _as_plans(document: PlanFile) -> list[Plan]:
    epoch = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return [
        Plan(
            **{name: getattr(draft, name) for name in PlanDraft.__struct_fields__},
            plan_id=0,
            version=0,
            is_live=True,
            made_at=epoch,
            made_by="",
        )
        for draft in map(draft_of, _read(document).values())
    ]


def _check(book: PlanBook, source_id: int, index: int, raw: bytes) -> EventVerdict:
    try:
        raw = cut_event(raw)
        checked = check_event(raw)
        event = parse_object(raw)[0]
    except BadEvent as fault:
        return EventVerdict(
            index=index, type="", name="", verdict="not_understood", message=fault.message
        )
    checker = book.find(source_id, checked.type, checked.event)
    if checker is None:
        return EventVerdict(index=index, type=checked.type, name=checked.event, verdict="unplanned")
    found = checker.weigh(properties_of(checked.type, event))
    return EventVerdict(
        index=index,
        type=checked.type,
        name=checked.event,
        verdict=_WORDS[found.policy] if found.wrong else "fits",
        violations=found.wrong,
    )
