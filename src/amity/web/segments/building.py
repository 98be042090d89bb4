"""The builder: a form tree that the server draws, with what the rule finds beside it.

The fields of the tree are the truth. The text beside them is rewritten from them, and read back
into them when it is changed; `written_before` tells which of the two was changed last.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg

from amity.analysis import api as analysis
from amity.analysis import api_segment_lists, api_segment_tools
from amity.analysis.contracts import Preview, Segment
from amity.kernel.errors import AmityError, Invalid
from amity.rules import decode_rule, encode_rule
from amity.store import api as store
from amity.store.contracts import ProfileRow
from amity.web.customers.words import who
from amity.web.segments.convert import Problem, Rule, read_rule, write_rule
from amity.web.segments.draft import Coded, Group, count_conditions, walk
from amity.web.segments.form import read_draft
from amity.web.segments.more import rows_of
from amity.web.segments.picks import fill_choices, name_lists
from amity.web.segments.tree import Known, NodeView, gather_messages, view_tree
from amity.web.segments.uses import list_uses

TIMES: Final = (
    ("at_least", "did, at least"),
    ("at_most", "did, at most"),
    ("exactly", "did, exactly"),
    ("between", "did, from"),
    ("never", "did not"),
)
_WITH_PLACE: Final = re.compile(r"the rule(?: at (?P<path>\S+))?: (?P<reason>.*)\Z", re.DOTALL)
_EXAMPLES: Final = 6


def _describe(rule: Rule) -> str:
    return analysis.describe_rule(rule=rule)


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """A draft with its rule and all that is wrong with it."""

    draft: Group
    rule: Rule
    problems: list[Problem]

    @property
    def is_complete(self) -> bool:
        """Whether the rule can be used as it is."""
        return not self.problems

    @property
    def tree(self) -> NodeView:
        """The draft as the page shows it."""
        return view_tree(self.draft, self.problems, Known(_describe, fill_choices))

    @property
    def written(self) -> str:
        """The rule as people type it; nothing while it is not complete."""
        if not self.is_complete:
            return ""
        # The form always has a group around all; with one condition in it, it says nothing.
        parts = self.rule.get("of")
        rule = parts[0] if isinstance(parts, list) and len(parts) == 1 else self.rule
        return analysis.write_rule(rule=rule)


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A customer a rule finds."""

    profile_id: int
    label: str
    order_count: int
    last_seen_at: datetime


def build(draft: Group) -> Built:
    """Write the draft's rule and collect what is wrong, each at its place."""
    written = write_rule(draft)
    problems, rule = list(written.problems), written.rule
    if not problems:
        try:
            rule = encode_rule(decode_rule(rule))
        except Invalid as refusal:
            path, reason = split_refusal(refusal)
            problems = [Problem(written.locate(path), reason)]
    return Built(draft=draft, rule=rule, problems=problems)


def split_refusal(refusal: AmityError) -> tuple[str, str]:
    """Return the path a refused rule is wrong at, and the reason as a sentence."""
    found = _WITH_PLACE.match(refusal.message)
    path, reason = (found["path"] or "", found["reason"]) if found else ("", refusal.message)
    return path, f"{reason[:1].upper()}{reason[1:]}."


def sentence_of(refusal: AmityError) -> str:
    """Say why a rule was refused, and where in it."""
    path, reason = split_refusal(refusal)
    return f"At {path}: {reason}" if path else reason


def read_written(text: str) -> Group:
    """Read a draft from a rule as text or JSON; raise Invalid with the place and the reason."""
    return read_rule(analysis.read_rule(written=text))


def read_posted(fields: Mapping[str, str]) -> tuple[Built, str, str]:
    """Read what was posted: the built draft, the text to show, and what is wrong with that text.

    When the text was edited after the form was drawn it wins, if it can be read; if it cannot,
    its text is kept as it is and the form stands.
    """
    built = build(read_draft(fields))
    text = fields.get("written", "")
    if not text.strip() or _lines(text) == _lines(fields.get("written_before", "")):
        return built, built.written, ""
    try:
        edited = build(read_written(text))
    except Invalid as refusal:
        return built, text, sentence_of(refusal)
    return edited, edited.written, ""


def _lines(text: str) -> list[str]:
    # A form sends line ends as CR LF.
    return [line.rstrip() for line in text.strip().splitlines()]


def describe_now(built: Built, now: datetime) -> dict[str, Any]:
    """Return what the panel beside the form says: words, count, examples, or why not."""
    context: dict[str, Any] = {"count": count_conditions(built.draft)}
    if not built.is_complete:
        return context
    try:
        found = analysis.preview(rule=built.rule, now=now)
    except AmityError as refusal:
        return context | {"failure": f"{refusal.message[:1].upper()}{refusal.message[1:]}."}
    except psycopg.errors.QueryCanceled:
        return context | {
            "failure": "Counting takes longer than 20 seconds, so it was stopped. "
            "The segment can still be made."
        }
    return context | {
        "preview": found,
        "rate": found.members / found.of_profiles if found.of_profiles else 0.0,
        "examples": list_examples(found),
    }


def describe_change(built: Built, segment: Segment | None, now: datetime) -> dict[str, Any]:
    """Return what saving a complete draft would do to its segment, or why that is not known."""
    if segment is None or not built.is_complete:
        return {}
    try:
        found = api_segment_tools.describe_impact(
            segment_id=segment.segment_id, rule=built.rule, now=now
        )
    except AmityError as refusal:
        return {"impact_failure": f"{refusal.message[:1].upper()}{refusal.message[1:]}."}
    except psycopg.errors.QueryCanceled:
        return {"impact_failure": "Comparing takes longer than 20 seconds, so it was stopped."}
    return {
        "impact": found,
        "entering": name_examples(found.examples_entering),
        "leaving": name_examples(found.examples_leaving),
        "uses": list_uses(found.segment_ids),
    }


def list_examples(found: Preview) -> list[Example]:
    """Return some of those a rule finds, the most recently seen first."""
    return name_examples(found.examples[:_EXAMPLES])


def name_examples(ids: list[int]) -> list[Example]:
    """Put names to customers, in their order."""
    if not ids:
        return []
    rows = {
        row.profile_id: row for row in store.list_profiles(profile_ids=ids, limit=len(ids)).items
    }
    return [_example(rows[profile_id]) for profile_id in ids if profile_id in rows]


def _example(row: ProfileRow) -> Example:
    return Example(
        profile_id=row.profile_id,
        label=who(row),
        order_count=row.order_count,
        last_seen_at=row.last_seen_at,
    )


def slots(built: Built) -> list[dict[str, Any]]:
    """Return every place a message can stand, with what stands there now."""
    messages = gather_messages(built.problems)
    places = [path for path, _ in walk(built.draft)]
    places += [
        f"{path}.where.{index}"
        for path, node in walk(built.draft)
        for index in range(len(getattr(node, "where", ())))
    ]
    places += [
        f"{path}.f.{row.at}"
        for path, node in walk(built.draft)
        if isinstance(node, Coded)
        for row in rows_of(node.json)
        if row.at
    ]
    return [{"slug": path.replace(".", "-"), "messages": messages.get(path)} for path in places]


def suggestions(*, but: int | None) -> dict[str, Any]:
    """Return what the form suggests: names of traits, events, segments, purposes."""
    others = [
        (segment_id, name)
        for segment_id, name in api_segment_lists.list_segment_names().items()
        if segment_id != but
    ]
    return {
        "traits": store.list_trait_names(limit=200),
        "events": store.list_event_names(limit=200),
        "purposes": [purpose.key for purpose in store.list_purposes()],
        "segments": others,
        "segment_ids": {str(segment_id) for segment_id, _ in others},
        "times": TIMES,
        **name_lists(),
    }
