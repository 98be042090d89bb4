"""Decisions of an outside expert system: scored assertions about customers, by file or as they are
made. Each becomes a trait named by its subject, with the conclusion as value and the score as how
sure it is; rules and decisions use it as any other."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

import msgspec

from amity.kernel.clock import format_instant
from amity.store.connector import CONNECTORS, WHO, BadRow, Connector, Field, Row
from amity.store.dialect import (
    DIALECTS,
    BadEvent,
    Call,
    Dialect,
    Snippet,
    Taken,
    make_id,
    translate,
)
from amity.store.logic.importing.values import read_amount, read_free, read_instant
from amity.store.logic.intake.parsing import read_instant as parse_instant
from amity.store.logic.intake.webhook_reading import find_dict, find_text
from amity.store.logic.telling.asserting import assertion, read_share, whose

_MAKERS: Final = ("model", "rule")
_SCALARS: Final = (str, int, float, bool)


@CONNECTORS.register("assertions")
class AssertionFile(Connector):
    """One row a conclusion about one customer."""

    name: ClassVar[str] = "assertions"
    title: ClassVar[str] = "Assertions"
    description: ClassVar[str] = (
        "What an expert system, a rule or a model concluded. The subject becomes a trait, the "
        "conclusion its value, the score how sure it is."
    )
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = (("user_id", "email", "phone"),)
    fields: ClassVar[tuple[Field, ...]] = (
        *WHO,
        Field(
            name="subject",
            label="Subject",
            aliases=("trait", "about", "question"),
            required=True,
            help="What is concluded upon, such as churn_risk.",
        ),
        Field(
            name="conclusion",
            label="Conclusion",
            aliases=("value", "decision", "answer", "result"),
            required=True,
        ),
        Field(name="score", label="Score", aliases=("confidence", "probability"), help="0 to 1."),
        Field(
            name="model",
            label="Rule or model",
            aliases=("rule", "model name", "system", "rule name"),
            required=True,
        ),
        Field(name="version", label="Version", aliases=("model version", "rule version")),
        Field(
            name="decided_at",
            label="Decided at",
            aliases=("date", "time", "timestamp", "scored at"),
            required=True,
        ),
        Field(name="expires_at", label="Good until", aliases=("expires", "valid until")),
    )
    sample: ClassVar[str] = (
        "Customer id,Subject,Conclusion,Score,Model,Version,Decided at,Good until,Segment code\n"
        "c-1,churn_risk,high,0.83,churn,3.2,2026-01-03T04:00:00Z,2026-02-03,A\n"
        "c-2,churn_risk,low,0.12,churn,3.2,2026-01-03T04:00:00Z,2026-02-03,B\n"
    )

    def make_events(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        row = rows[0]
        at = read_instant(row, "decided_at")
        if at is None:
            raise BadRow(row.number, "it does not say when this was decided")
        said = {
            "identifiers": {f: row.find(f) for f in ("user_id", "email", "phone") if row.find(f)},
            "subject": row.find("subject"),
            "conclusion": read_free("conclusion", row.find("conclusion")),
            "score": read_amount(row, "score"),
            "model": {"name": row.find("model"), "version": row.find("version")},
            "decided_at": at,
            "expires_at": read_instant(row, "expires_at"),
        }
        try:
            [event] = _make({k: v for k, v in said.items() if v is not None})
        except BadEvent as error:
            raise BadRow(row.number, error.message) from error
        return [event]


@DIALECTS.register("assertions")
class Assertions(Dialect):
    """Conclusions as they are made, from a server: `POST /v1/assertions`, one or a list of them."""

    name: ClassVar[str] = "assertions"
    title: ClassVar[str] = "Assertions"
    description: ClassVar[str] = "Scored conclusions of an expert system; takes server keys only."
    routes: ClassVar[tuple[str, ...]] = ("POST /v1/assertions",)
    has_hook: ClassVar[bool] = False
    is_for_servers: ClassVar[bool] = True
    snippets: ClassVar[tuple[Snippet, ...]] = (
        Snippet(
            key="assertions",
            title="curl",
            code=(
                "curl {url}/v1/assertions \\\n  -H 'Authorization: Bearer {key}' \\\n"
                "  -H 'Content-Type: application/json' \\\n"
                """  -d '{"id": "d-1", "identifiers": {"user_id": "u-1042"}, """
                """"subject": "churn_risk", "conclusion": "high", "score": 0.83, """
                """"model": {"name": "churn", "version": "3.2"}, """
                """"decided_at": "2026-01-03T04:00:00Z", "explanation": "no order in 60 days"}'\n"""
            ),
        ),
    )

    def read(self, call: Call) -> Taken:
        """Return one event for each assertion; a wrong one goes into quarantine by itself."""
        try:
            found = _BODY.decode(call.body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise BadEvent("not_json", "expected an object, or `assertions` as a list") from error
        items = [call.body] if found.assertions is msgspec.UNSET else found.assertions
        return Taken(events=translate(map(bytes, items), _make))


class _Body(msgspec.Struct):
    assertions: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


_BODY: Final = msgspec.json.Decoder(_Body)


def _make(said: dict[str, Any]) -> Iterator[dict[str, Any]]:
    named = find_dict(said, "identifiers")
    who = whose(**{name: find_text(named, name) for name in _IDENTIFIERS})
    subject, conclusion = find_text(said, "subject"), said.get("conclusion")
    if not subject:
        raise BadEvent("missing_subject", "an assertion has a subject")
    if conclusion is None or not isinstance(conclusion, _SCALARS):
        raise BadEvent("bad_conclusion", "a conclusion is a text, a number, true or false")
    decided_at = _read_moment(said, "decided_at")
    about = {
        "confidence": read_share(said.get("score")),
        "lawful_basis": find_text(said, "lawful_basis"),
        "expires_at": _read_moment(said, "expires_at"),
        "provenance": _maker(said),
        "explanation": find_text(said, "explanation")[:1000],
    }
    event = assertion(who, {subject: conclusion}, how="inferred", at=decided_at, about=about)
    if its_id := find_text(said, "id"):
        event["messageId"] = make_id("assertions", its_id)
    elif decided_at:
        text = msgspec.json.encode(event, order="sorted").decode()
        event["messageId"] = make_id("assertions", text)
    yield event


_IDENTIFIERS: Final = ("user_id", "anonymous_id", "email", "phone")


def _maker(said: dict[str, Any]) -> str:
    """Return what concluded, in words: `model churn 3.2`."""
    for kind in _MAKERS:
        maker = find_dict(said, kind)
        if name := find_text(maker, "name"):
            return " ".join(filter(None, (kind, name, find_text(maker, "version"))))
    raise BadEvent("missing_model", "an assertion names the rule or model it comes from")


def _read_moment(said: dict[str, Any], field: str) -> str | None:
    value = said.get(field)
    if value is None:
        return None
    moment = parse_instant(value) if isinstance(value, str) else None
    if not isinstance(moment, datetime):
        raise BadEvent("bad_timestamp", f"{field} is a moment as ISO 8601")
    return format_instant(moment)
