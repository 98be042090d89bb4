"""What customers are worth by whom they brought: those people's value, credited back."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from amity.analysis.contracts_estimates import ModelCard
from amity.analysis.contracts_models import ScoreWords
from amity.analysis.estimator import Column, FloatArray, IntArray, Refused, Transactions
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.estimators.gamma_gamma import GammaGamma
from amity.analysis.logic.calibration import describe_miss
from amity.analysis.logic.learning.measures import Z95
from amity.analysis.logic.lifetimes.referrals import Credit, credit_referrers
from amity.analysis.logic.reporting import frames
from amity.analysis.logic.scoring.reliability import Due
from amity.analysis.logic.transactions import count_between, summarise
from amity.analysis.store_estimate import (
    STORE_ESTIMATES,
    Followed,
    Known,
    Rows,
    Scored,
    StoreEstimated,
    StoreEstimator,
    pick,
)
from amity.kernel.money import exponent_of

if TYPE_CHECKING:
    import ibis

DECAY: Final = 0.5
"""What of a value goes back to who brought somebody, at each step."""
_FEWEST: Final = 30
_HORIZON_DAYS: Final = 365
_LEARNT_SHARE: Final = 0.75
_EPOCH: Final = date(1970, 1, 1)
_GROUPS: Final = ((1, 1), (2, 2), (3, 10**9))


@STORE_ESTIMATES.register("referrals")
class Referrals(StoreEstimator):
    """Credit along links: half of the value of whom one brought, a quarter of those they did."""

    name = "referrals"
    card = ModelCard(
        title="Referral value",
        purpose="To say what customers are worth by whom they brought, beside what they buy.",
        assumes=[
            "Who is named as having brought somebody did: without them nobody would have come.",
            "Half of what is to be expected of a customer is owed to who brought them, a quarter "
            "to who brought those.",
        ],
        needs=[
            "A trait, or a property of an event, that names who brought somebody by user id or "
            "e-mail address (AMITY_REFERRED_BY); 30 such links.",
            "The score `clv` of those who were brought, or `profit` where it is made.",
        ],
        refuses=["Fewer than 30 links.", "No score of value yet."],
        cannot_know=[
            "Who would have come anyway: only rewards for bringing drawn at random tell that.",
            "Whom they will bring: what is counted is who is here.",
        ],
        sources=[
            "Kumar, Petersen, Leone (2010), Driving profitability by encouraging customer "
            "referrals, Journal of Marketing 74.",
            "Schmitt, Skiera, Van den Bulte (2011), Referral programs and customer value, Journal "
            "of Marketing 75.",
        ],
    )
    scores = (
        ScoreWords(
            name="referral_value",
            title="Worth by whom they brought",
            meaning="Half of what is to be expected next year of those they brought, a quarter of "
            "those these brought, and so on; beside their own value, never added to it twice.",
        ),
    )
    tables = frozenset(("profiles", "identities", "events", "orders"))
    follows: ClassVar[Mapping[str, int]] = {"referral_value": _HORIZON_DAYS}
    needs = ("clv", "profit")
    days = 730

    def expressions(
        self, tables: Mapping[str, "ibis.Table"], known: Known
    ) -> dict[str, "ibis.Table"]:
        placed = frames.orders(tables, known.asked)
        return {
            "links": _links(tables, known),
            "orders": placed.select(
                "customer_id", "net_minor", at=placed.placed_at.epoch_seconds()
            ),
        }

    def estimate(self, rows: Rows, known: Known, rng: np.random.Generator) -> StoreEstimated:
        child, parent = _read_links(rows)
        if len(child) < _FEWEST:
            raise Refused(
                f"{len(child):,} customers are known to have been brought by another "
                f"(“{known.referred_by}”), and it takes at least {_FEWEST}"
            )
        name = "profit" if "profit" in known.scores else "clv"
        if name not in known.scores:
            raise Refused(f"of {len(child):,} who were brought nobody has a value yet")
        ids, values = known.scores[name]
        nodes, credit = _credit(child, parent, lambda who: pick(ids, values, who))
        orders = _transactions(rows, known)
        brought = np.bincount(np.searchsorted(nodes, parent), minlength=len(nodes))
        bringers = np.flatnonzero(brought > 0)
        labels = [
            f"brought {count} customer{'' if count == 1 else 's'}"
            for count in brought[bringers].tolist()
        ]
        worth = credit.credit[bringers]
        return StoreEstimated(
            scores={
                "referral_value": Scored(
                    customer_id=nodes[bringers], column=Column(value=worth, labels=labels)
                )
            },
            parameters={"decay": DECAY, "total": float(worth.sum())},
            report={
                "sentence": f"{len(bringers):,} customers brought {len(child):,}; what is to be "
                f"expected of these is credited at {DECAY:.0%} a step",
                "facts": {"links": len(child), "credited": name, "circles": credit.dropped},
                "warnings": ["that somebody would not have come otherwise is taken for granted"],
                "calibration": _judge(orders, child, parent, known),
            },
            # Time shows what those who were brought spend, not what is left of it.
            followed={"referral_value": Followed(customer_id=nodes[bringers], expected=worth)}
            if name == "clv"
            else {},
        )

    def observe(self, rows: Rows, known: Known, score: str, due: Due) -> FloatArray:
        """Return the credit for what those spent who had been here when it was predicted."""
        child, parent = _read_links(rows)
        orders = _transactions(rows, known)
        start, end = _day(due.predicted_at), _day(due.due_at)
        there = np.unique(orders.customer_id[orders.day <= start])
        _, money = count_between(orders, there, after=start, until=end)
        nodes, credit = _credit(child, parent, lambda who: pick(there, money, who))
        return pick(nodes, credit.credit, due.profile_id)


def _links(tables: Mapping[str, "ibis.Table"], known: Known) -> "ibis.Table":
    """Return who was brought by whom: child, parent."""
    import ibis  # noqa: PLC0415  # loads slowly

    event, _, name = known.referred_by.rpartition(".")
    if event:
        events = frames.events(tables, known.asked, names=(event,))
        told = events.select(
            child="customer_id", by=frames.text(events.properties, name), at="occurred_at"
        )
    else:
        people = tables["profiles"]
        people = people.filter(people.profile_id == people.root_id)
        told = people.select(
            child="root_id", by=frames.text(people.traits, name), at="first_seen_at"
        )
    told = told.filter(told.by.notnull(), told.by.strip() != "")
    # The first who is named has brought them.
    first = ibis.window(group_by=told.child, order_by=told["at"])
    told = told.mutate(place=ibis.row_number().over(first))
    told = told.filter(told.place == 0).select("child", key=told.by.strip().lower())
    names = tables["identities"]
    names = names.filter(names.kind.isin(("user_id", "email"))).select(
        "profile_id", key=names["value"].lower()
    )
    owners = names.join(frames.customers(tables), "profile_id")
    owners = owners.group_by("key").aggregate(
        parent=owners.customer_id.min(), several=owners.customer_id.nunique()
    )
    owners = owners.filter(owners.several == 1)
    found = told.join(owners, "key")
    return found.filter(found.child != found.parent).select("child", "parent").order_by("child")


def _read_links(rows: Rows) -> tuple[IntArray, IntArray]:
    links = rows["links"]
    return (
        np.asarray(links["child"]).astype(np.int64),
        np.asarray(links["parent"]).astype(np.int64),
    )


def _credit(child: IntArray, parent: IntArray, worth: Any) -> tuple[IntArray, Credit]:
    """Return all who are in a link, and what each is credited with; an unknown value is none."""
    nodes = np.unique(np.concatenate([child, parent]))
    above = np.full(len(nodes), -1)
    above[np.searchsorted(nodes, child)] = np.searchsorted(nodes, parent)
    values = np.nan_to_num(worth(nodes))
    return nodes, credit_referrers(values, above, decay=DECAY)


def _transactions(rows: Rows, known: Known) -> Transactions:
    table = rows["orders"]
    return Transactions(
        customer_id=np.asarray(table["customer_id"]).astype(np.int64),
        day=np.asarray(table["at"]).astype(np.int64) // 86_400,
        amount=np.asarray(table["net_minor"]).astype(np.int64),
        minor_per_unit=10 ** exponent_of(known.asked.currency),
    )


def _day(moment: datetime) -> int:
    return (moment.astimezone(UTC).date() - _EPOCH).days


def _judge(orders: Transactions, child: IntArray, parent: IntArray, known: Known) -> dict[str, Any]:
    """Credit what models of the first three quarters expect in the rest, beside what came."""
    until = _day(known.asked.now)
    first = int(orders.day.min(initial=until))
    split = first + int((until - first) * _LEARNT_SHARE)
    histories = summarise(orders, until=split)
    buying, spending = BgNbd(unit_days=7), GammaGamma(unit_days=7)
    try:
        fits = buying.fit(histories), spending.fit(histories)
    except Refused as error:
        return {"refused": f"the value of three quarters of the time cannot be told: {error}"}
    number = buying.predict(fits[0], histories, horizon_days=until - split)
    spend = spending.predict(fits[1], histories, horizon_days=0)
    worth = number.columns["expected_purchases"].value * spend.columns["expected_spend"].value
    ids = histories.customer_id
    _, money = count_between(orders, ids, after=split, until=until)
    nodes, said = _credit(child, parent, lambda who: pick(ids, worth, who))
    _, came = _credit(child, parent, lambda who: pick(ids, money, who))
    brought = np.bincount(np.searchsorted(nodes, parent), minlength=len(nodes))
    return _compare(brought, said.credit, came.credit)


def _compare(brought: IntArray, said: FloatArray, came: FloatArray) -> dict[str, Any]:
    groups = []
    for low, high in _GROUPS:
        inside = (brought >= low) & (brought <= high)
        count = int(inside.sum())
        if not count:
            continue
        some = came[inside]
        half = Z95 * float(some.std(ddof=1)) / float(np.sqrt(count)) if count > 1 else 0.0
        groups.append(
            {
                "label": f"brought {low}" if low == high else f"brought {low} or more",
                "customers": count,
                "predicted": float(said[inside].mean()),
                "actual": float(some.mean()),
                "actual_low": max(0.0, float(some.mean()) - half),
                "actual_high": float(some.mean()) + half,
            }
        )
    told = brought > 0
    return {
        "groups": groups,
        "sentence": describe_miss(float(said[told].sum()), float(came[told].sum()), "in credit"),
    }
