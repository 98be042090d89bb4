"""Visits, cut from what people did on the site and in the apps, and the interests they show.

Both are kept by one follower: what a machine looked at is nobody's interest, and that a machine
looked shows only in the whole visit.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

import msgspec

from amity.infra import queries
from amity.infra.config import settings
from amity.store.contracts import SYSTEM_SOURCE_ID, Activity
from amity.store.contracts_visits import Visit
from amity.store.follower import FOLLOWERS, Follower
from amity.store.logic.folding.batch import MERGED
from amity.store.logic.folding.consumers import activity
from amity.store.logic.visits.cutting import Cutting, Hit, Span, cut, find_spans, join_spans
from amity.store.logic.visits.hits import PageTopics, is_hit, places_of, read_hit
from amity.store.logic.visits.interests import Vector, add_up, keep_top
from amity.store.logic.visits.telling import tell_interests

_SQL: Final = queries.load("amity.store")

_FRESH: Final = timedelta(minutes=2)
_VECTOR: Final = msgspec.json.Decoder(dict[str, float])
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


def read_cutting() -> Cutting:
    """Return by what visits are cut, from the settings."""
    chosen = settings()
    return Cutting(
        idle=timedelta(minutes=chosen.visit_idle_minutes),
        midnight_in=ZoneInfo(chosen.time_zone) if chosen.visit_midnight else None,
        half_life=timedelta(days=chosen.interest_half_life_days),
    )


@FOLLOWERS.register("visits")
class Visits(Follower):
    """Keeps `store_visit` and `store_interest`, and tells rules what somebody is interested in."""

    name = "visits"
    tables = ("store_visit", "store_interest")
    samples: ClassVar[tuple[dict[str, Any], ...]] = (
        {
            "type": "track",
            "event": "Product Added",
            "properties": {"product_id": "p1", "category": "Shoes > Running", "brand": "Swift"},
        },
        {
            "type": "page",
            "properties": {"url": "https://shop.example/hats?gclid=x", "title": "Hats"},
            "context": {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1)"},
        },
    )

    def __init__(self, connection: Any, now: datetime) -> None:
        super().__init__(connection, now)
        self.cutting = read_cutting()

    def apply(self, activities: Sequence[Activity]) -> None:
        """Cut the visits anew that these activities touch, however late they come."""
        hits = [each for each in activities if is_hit(each)]
        if hits:
            self._recut(hits, activities[-1].position)
        self._stir(activities)

    def _recut(self, hits: Sequence[Activity], last: int) -> None:
        moments: dict[int, list[datetime]] = {}
        for each in hits:
            moments.setdefault(each.origin_id, []).append(each.occurred_at)
        touched = self._find_touched(find_spans(moments, self.cutting.idle))
        found = self._read(touched, last) if touched else []
        known = {each.position for each in found}
        mine = [each for each in hits if each.position not in known]
        if touched:
            self.connection.execute(_SQL["visit_delete"], _arguments(touched))
        visits = self._cut([*found, *mine])
        self._insert(visits)
        stirred = sorted({span.origin_id for span in touched} | _with_topics(visits))
        if stirred:
            self._sum_up(stirred)

    def _find_touched(self, spans: list[Span]) -> list[Span]:
        """Return those spans that have a visit near, widened to all they touch.

        Of the others the events at hand are all there are.
        """
        arguments = {**_arguments(spans), "idle": self.cutting.idle}
        rows = self.connection.execute(_SQL["visit_spans"], arguments).fetchall()
        return join_spans(Span(*row[:3]) for row in rows if row[3])

    def _read(self, spans: Sequence[Span], last: int) -> list[Activity]:
        arguments = {**_arguments(spans), "last": last}
        rows = self.connection.execute(_SQL["visit_activity"], arguments, binary=True)
        return [each for row in rows if is_hit(each := activity(row))]

    def _cut(self, activities: Sequence[Activity]) -> list[tuple[int, Visit]]:
        pages, currency = self._look_up(activities), settings().currency
        hits: dict[int, list[Hit]] = {}
        for each in activities:
            hits.setdefault(each.origin_id, []).append(read_hit(each, pages, currency))
        return [
            (origin_id, visit)
            for origin_id, some in sorted(hits.items())
            for visit in cut(some, self.cutting)
        ]

    def _look_up(self, activities: Sequence[Activity]) -> PageTopics:
        """Return what is known of the pages and products of some activities."""
        urls, products = places_of(activities)
        if not urls and not products:
            return PageTopics()
        by_url: dict[str, Vector] = {}
        by_product: dict[str, Vector] = {}
        for url, product_id, topics in self.connection.execute(
            _SQL["page_topics"], [sorted(urls), sorted(products)]
        ):
            by_url[url] = _VECTOR.decode(topics)
            if product_id:
                by_product.setdefault(product_id, by_url[url])
        return PageTopics(by_url, by_product)

    def _insert(self, visits: Sequence[tuple[int, Visit]]) -> None:
        rows = [_row(origin_id, visit) for origin_id, visit in visits]
        self.connection.execute(_SQL["visit_insert"], list(map(list, zip(*rows, strict=True))))

    def _sum_up(self, origins: Sequence[int]) -> None:
        """Make the interests of some origins anew from their visits."""
        rows = self.connection.execute(_SQL["interest_visits"], [list(origins)]).fetchall()
        rows.sort(key=lambda row: (row[0], row[1], row[2]))
        written = []
        for origin_id, own in groupby(rows, key=lambda row: row[0]):
            vectors = [(at, _VECTOR.decode(topics)) for _, at, topics in own]
            reference_at = max(at for at, _ in vectors)
            vector = keep_top(add_up(vectors, reference_at, self.cutting.half_life))
            if vector:
                written.append((origin_id, reference_at, _encode(vector).decode()))
        left = sorted(set(origins) - {row[0] for row in written})
        if left:
            self.connection.execute(_SQL["interest_forget"], [left])
        if written:
            columns = list(map(list, zip(*written, strict=True)))
            self.connection.execute(_SQL["interest_write"], columns)

    def _stir(self, activities: Iterable[Activity]) -> None:
        """Have the interests of those who became one counted together."""
        stirred: set[int] = set()
        for each in activities:
            if each.source_id == SYSTEM_SOURCE_ID and each.name == MERGED:
                stirred |= {each.origin_id, int(each.properties.get("loser_id", 0))}
        if stirred:
            self.connection.execute(_SQL["interest_stir"], [sorted(stirred)])

    def ring(self) -> int:
        """Record what rules see of interests where it changed by more than a step.

        Not while there is much to read yet: what is told then would be told again at once.
        """
        values = {"name": self.name, "fresh": self.now - _FRESH}
        lag = self.connection.execute(_SQL["interest_lag"], values)
        if lag.fetchone() == (True,):
            return 0
        return tell_interests(self.connection, self.now, self.cutting.half_life)


def _arguments(spans: Sequence[Span]) -> dict[str, Any]:
    return {
        "origins": [span.origin_id for span in spans],
        "begins": [span.begins_at for span in spans],
        "ends": [span.ends_at for span in spans],
    }


def _with_topics(visits: Iterable[tuple[int, Visit]]) -> set[int]:
    return {origin_id for origin_id, visit in visits if visit.topics}


def _row(origin_id: int, visit: Visit) -> tuple[Any, ...]:
    return (
        *(visit.visit_id, origin_id, visit.kind, visit.started_at, visit.ended_at),
        *(visit.run_started_at, visit.run_ended_at, visit.page_views, visit.event_count),
        *(visit.landing_page, visit.exit_page, _encode(visit.pages).decode()),
        *(visit.referrer, visit.referrer_kind, _encode(visit.campaign).decode(), visit.device),
        *(visit.order_count, visit.revenue_minor, visit.machine),
        _encode(visit.topics).decode(),
    )
