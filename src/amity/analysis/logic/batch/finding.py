"""Who passes a rule, by the warehouse: PostgreSQL gives the rules and purposes, and no more."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from amity.analysis.contracts_batch import BatchAnswer
from amity.analysis.logic.batch.catalogue import make_catalogue
from amity.analysis.logic.batch.engines import DUCKDB, Engine
from amity.analysis.logic.batch.translating import translate
from amity.analysis.logic.following_book import WHOLE_PROFILE_EVENTS
from amity.analysis.logic.measuring.conditions import read_rule
from amity.analysis.logic.segments import Definitions
from amity.infra import warehouse, warehouse_reading
from amity.infra.database import transaction
from amity.kernel.errors import Invalid, Unavailable
from amity.rules import Fragment, Rule, decode_rule, join_mentions, mentions, sql, to_sql
from amity.rules.fragment import join
from amity.store import api as store
from amity.store.contracts_consent import Purpose

_TABLES: Final = frozenset(("events", "profiles", "orders"))
_LINKS: Final = frozenset(("links", "link_reviews"))
_SECONDS: Final = 120.0
_PEOPLE: Final = Fragment("SELECT count(*) FROM profiles AS n WHERE n.merged_into IS NULL")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A rule with all that its query is made of, so that any engine can be asked."""

    rule: Rule
    now: datetime
    policies: Mapping[str, Purpose]
    segments: Mapping[int, Rule] = {}
    """By id, the rules of the segments it looks at, and of those that they look at."""

    def say(self, engine: Engine) -> str:
        """Return the query of the `id`s of all who pass, in an engine's words.

        Raises Invalid for a rule that looks at what is not in the warehouse.
        """
        return translate(self._query(self.rule), engine)

    def say_counted(self, engine: Engine) -> str:
        """Return the same as rows of (part, id): part 0 is how many people there are."""
        query = sql(
            "SELECT 0 AS part, ({}) AS id UNION ALL SELECT 1 AS part, f.id FROM ({}) AS f",
            _PEOPLE,
            self._query(self.rule),
        )
        return translate(query, engine)

    @property
    def tables(self) -> frozenset[str]:
        """The tables of the warehouse that the answer comes from."""
        found = join_mentions(map(mentions, (self.rule, *self.segments.values())))
        scores = frozenset(("scores",) if found.scores else ())
        return _TABLES | scores | (_LINKS if found.together else frozenset())

    def _query(self, rule: Rule) -> Fragment:
        found = mentions(rule)
        hidden = sorted(found.events & WHOLE_PROFILE_EVENTS)
        if hidden:
            raise Invalid(f"“{hidden[0]}” is not in the warehouse", code="no_batch")
        query = to_sql(rule, make_catalogue(self.policies), self.now)
        if not found.segments:
            return query
        # A segment is who passes its rule; nobody is in one that is not followed any more.
        members = [
            Fragment("SELECT CAST(NULL AS bigint) AS segment_id, 0 AS profile_id WHERE false")
        ]
        members += [
            *(
                sql(
                    "SELECT {}::bigint AS segment_id, f.id AS profile_id FROM ({}) AS f",
                    segment_id,
                    self._query(self.segments[segment_id]),
                )
                for segment_id in sorted(found.segments & self.segments.keys())
            ),
        ]
        return sql("WITH batch_members AS ({}) {}", join(" UNION ALL ", members), query)


def make_question(*, rule: dict[str, Any], now: datetime) -> tuple[Question, str]:
    """Read what a rule needs, and say it in words; raise Invalid when it cannot be read."""
    decoded = read_rule(rule)
    with transaction("readonly") as connection:
        definitions = Definitions(connection)
        policies = store.list_policies(connection=connection)
        segments = _load_rules(decoded, definitions)
    question = Question(rule=decoded, now=now, policies=policies, segments=segments)
    return question, decoded.describe(definitions.names)


def _load_rules(rule: Rule, definitions: Definitions) -> dict[int, Rule]:
    found: dict[int, Rule] = {}
    left = set(mentions(rule).segments)
    while left:
        segment_id = left.pop()
        if segment_id in found or definitions.state_of(segment_id) in (None, "archived"):
            continue
        found[segment_id] = decode_rule(definitions.make(segment_id).rule)
        left |= mentions(found[segment_id]).segments
    return found


def find_batch(*, rule: dict[str, Any], now: datetime) -> BatchAnswer:
    """Ask the warehouse who passes a rule; see `api.find_batch`."""
    question, words = make_question(rule=rule, now=now)
    query, complete_at = question.say_counted(DUCKDB), _complete_at(question.tables, now)
    answer = warehouse_reading.run_sql(query, seconds=_SECONDS, functions=DUCKDB.prelude)
    found = answer.to_pydict()
    rows = sorted(zip(found["part"], found["id"], strict=True))
    return BatchAnswer(
        words=words,
        of_profiles=rows[0][1],
        profile_ids=[profile_id for _, profile_id in rows[1:]],
        asked_at=now,
        complete_at=complete_at,
    )


def _complete_at(names: frozenset[str], now: datetime) -> datetime | None:
    """Return up to when the warehouse has everything; raise Unavailable when it is not there."""
    status = warehouse.status(now=now)
    tables = {table.name: table for table in status.tables}
    if not names <= tables.keys():
        raise Unavailable(
            "nothing is in the warehouse yet; `amity warehouse export` fills it",
            code="no_warehouse",
        )
    lags = [tables[name].lag_seconds for name in sorted(names)]
    known = [lag for lag in lags if lag is not None]
    return now - timedelta(seconds=max(known)) if len(known) == len(lags) else None
