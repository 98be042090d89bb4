"""Files of what others know: traits of customers, each with how sure it is and on what ground."""

from collections.abc import Sequence
from typing import Any, ClassVar

from amity.store.connector import CONNECTORS, WHO, BadRow, Connector, Field, Row
from amity.store.dialect import BadEvent
from amity.store.logic.importing.values import read_amount, read_extras, read_instant
from amity.store.logic.intake.parsing import read_instant as parse_instant
from amity.store.logic.telling.asserting import LAWFUL_BASES, after, assertion, read_basis, whose


@CONNECTORS.register("enrichment")
class Enrichment(Connector):
    """One row a person, as somebody else knows them; every free column is a trait."""

    name: ClassVar[str] = "enrichment"
    title: ClassVar[str] = "Enrichment"
    description: ClassVar[str] = (
        "What somebody else knows about your customers. Every column that is nothing else becomes "
        "a trait, claimed by this source with the confidence, lawful basis and end the row says."
    )
    extras: ClassVar[str] = "trait"
    one_of: ClassVar[tuple[tuple[str, ...], ...]] = (("user_id", "email", "phone"),)
    fields: ClassVar[tuple[Field, ...]] = (
        *WHO,
        Field(
            name="lawful_basis",
            label="Lawful basis",
            aliases=("legal basis", "basis", "ground"),
            required=True,
            help=f"One of {', '.join(LAWFUL_BASES)}.",
        ),
        Field(
            name="as_of",
            label="True as of",
            aliases=("date", "as of date", "collected at", "updated at"),
            required=True,
            help="When this was known to be so.",
        ),
        Field(
            name="confidence",
            label="Confidence",
            aliases=("probability", "certainty"),
            help="0 to 1.",
        ),
        Field(
            name="ttl_days",
            label="Good for days",
            aliases=("ttl", "time to live", "valid days"),
            help="After so many days it is not shown any more.",
        ),
        Field(
            name="provenance",
            label="Where from",
            aliases=("provider", "origin", "vendor"),
            help="In words, shown beside the value.",
        ),
    )
    sample: ClassVar[str] = (
        "E-mail,Lawful basis,As of,Confidence,TTL,Provider,Household size,Home owner\n"
        "ada@example.com,legitimate interests,2026-01-03,0.8,180,Panel Ltd,3,yes\n"
        "grace@example.org,consent,2026-01-03,0.65,90,Panel Ltd,1,no\n"
    )

    def make_events(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        row = rows[0]
        at, basis = read_instant(row, "as_of"), read_basis(row.find("lawful_basis"))
        if at is None:
            raise BadRow(row.number, "it does not say as of when this is so")
        if not basis:
            raise BadRow(row.number, f"its lawful basis is none of {', '.join(LAWFUL_BASES)}")
        confidence, days = read_amount(row, "confidence"), read_amount(row, "ttl_days")
        if confidence is not None and not 0 <= confidence <= 1:
            raise BadRow(row.number, "a confidence is a number from 0 to 1")
        if days is not None and not 0 < days <= 36_500:
            raise BadRow(row.number, "the days it is good for are more than none")
        traits = read_extras(row, "trait")
        if not traits:
            raise BadRow(row.number, "it claims nothing")
        moment = parse_instant(at)
        about = {
            "confidence": confidence,
            "lawful_basis": basis,
            "expires_at": after(moment, days) if moment and days else None,
            "provenance": row.find("provenance"),
        }
        try:
            who = whose(
                user_id=row.find("user_id"), email=row.find("email"), phone=row.find("phone")
            )
            return [assertion(who, traits, how="observed", at=at, about=about)]
        except BadEvent as error:
            raise BadRow(row.number, error.message) from error
