"""Journey Market's data as fetched: orders and campaigns, people, clicks, read by DuckDB.

The till data's clock is five hours ahead of the shop's (by it, most would be bought at ten in the
evening and nothing before noon), so five hours are taken off.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

import duckdb

from amity.cli.demo.packages import DataFiles
from amity.cli.demo.shop import Basket, Click, Household, Line, Mailing, Record, Redemption

_WEEK: Final = 7
_TENTH: Final = 10
_FEBRL: Final = (
    "given_name",
    "surname",
    "street_number",
    "address_1",
    "address_2",
    "suburb",
    "postcode",
    "state",
    "date_of_birth",
)

_RECORDS: Final = """
SELECT rec_id, given_name, surname, street_number, address_1, address_2, suburb, postcode, state,
       date_of_birth
FROM person
"""

_VIEWS: Final = """
CREATE TABLE line AS
SELECT household_id, store_id, basket_id, product_id, quantity, sales_value, retail_disc,
       coupon_disc, coupon_match_disc, transaction_timestamp - INTERVAL 5 HOURS AS moment
FROM read_parquet({transactions})
WHERE household_id % {every} = 0;
CREATE TABLE product AS SELECT * FROM read_parquet({products});
CREATE VIEW demographic AS SELECT * FROM read_parquet({demographics});
CREATE VIEW campaign AS SELECT * FROM read_parquet({campaigns}) WHERE household_id % {every} = 0;
CREATE VIEW campaign_description AS SELECT * FROM read_parquet({campaign_descriptions});
CREATE VIEW coupon AS SELECT * FROM read_parquet({coupons});
CREATE VIEW redemption AS
SELECT * FROM read_parquet({coupon_redemptions}) WHERE household_id % {every} = 0;
CREATE VIEW click AS SELECT * FROM read_csv({clicks});
CREATE VIEW person AS SELECT * FROM read_csv({people}, all_varchar = true);
"""

_BASKETS: Final = """
SELECT basket_id, any_value(household_id), any_value(store_id), min(moment),
       list((l.product_id, quantity, sales_value, retail_disc, coupon_disc, coupon_match_disc,
             p.product_type, p.product_category, p.brand, p.package_size)
            ORDER BY l.product_id)
FROM line AS l LEFT JOIN product AS p ON p.product_id = l.product_id
WHERE moment >= $since AND moment < $until
GROUP BY basket_id
ORDER BY min(moment), basket_id
"""

_HOUSEHOLDS: Final = """
SELECT h.household_id, h.first_at, d.age, d.income, d.home_ownership, d.marital_status,
       d.household_size, d.household_comp, d.kids_count
FROM (SELECT household_id, min(moment) AS first_at FROM line GROUP BY household_id) AS h
LEFT JOIN demographic AS d ON d.household_id = h.household_id
ORDER BY h.household_id
"""
_HOUSEHOLD_TRAITS: Final = (
    "age_group",
    "income",
    "home",
    "marital_status",
    "household_size",
    "household",
    "children",
)

_MAILINGS: Final = """
SELECT c.household_id, c.campaign_id, d.campaign_type, d.start_date, d.end_date,
       (SELECT count(DISTINCT coupon_upc) FROM coupon WHERE coupon.campaign_id = c.campaign_id)
FROM campaign AS c JOIN campaign_description AS d ON d.campaign_id = c.campaign_id
ORDER BY d.start_date, c.campaign_id, c.household_id
"""

# A coupon and a basket belong together when the household had one basket with a coupon that day.
_REDEMPTIONS: Final = """
WITH day AS (
    SELECT household_id, moment::date AS day, min(moment) AS moment, min(basket_id) AS basket_id
    FROM line WHERE coupon_disc > 0
    GROUP BY household_id, moment::date
    HAVING count(DISTINCT basket_id) = 1
)
SELECT r.household_id, r.coupon_upc, r.campaign_id,
       row_number() OVER (PARTITION BY r.household_id, r.coupon_upc, r.campaign_id
                          ORDER BY r.redemption_date),
       coalesce(day.moment, r.redemption_date + INTERVAL 12 HOURS), day.basket_id
FROM redemption AS r
LEFT JOIN day ON day.household_id = r.household_id AND day.day = r.redemption_date::date
ORDER BY r.redemption_date, r.household_id, r.coupon_upc, r.campaign_id, 4
"""


class Journey:
    """The fetched data: every tenth household, or all of them. The clicks are always all."""

    is_stand_in = False
    cards = 2_500

    def __init__(self, files: DataFiles, *, full: bool) -> None:
        self._database = duckdb.connect(":memory:")
        # What is read are files of others: nothing but these may be opened, here or by them.
        self._database.execute("SET threads = 2; SET memory_limit = '1GB'")
        self._database.execute(f"SET allowed_directories = [{_quoted(str(files.folder))}]")
        self._database.execute("SET enable_external_access = false")
        quoted = {name: _quoted(str(path)) for name, path in files.paths.items()}
        self._database.execute(_VIEWS.format(every=1 if full else _TENTH, **quoted))
        self._database.execute("SET lock_configuration = true")
        self.last_day: date = self._one("SELECT max(moment)::date FROM line")[0]
        self.last_click_day: date = self._one("SELECT max(timestamp)::date FROM click")[0]

    def households(self) -> list[Household]:
        """Return all cards that ever bought, by number."""
        return [
            Household(number, first, _filled(_HOUSEHOLD_TRAITS, told))
            for number, first, *told in self._rows(_HOUSEHOLDS)
        ]

    def records(self) -> list[Record]:
        """Return the people of FEBRL 3: 2,000 originals and 3,000 copies with mistakes."""
        found = [_read_record(key.strip(), values) for key, *values in self._rows(_RECORDS)]
        return sorted(found, key=lambda record: (record.person, record.copy or -1))

    def count_baskets(self) -> tuple[int, int]:
        """Return how many baskets and lines there are."""
        baskets, lines = self._one("SELECT count(DISTINCT basket_id), count(*) FROM line")
        return baskets, lines

    def iter_baskets(self) -> Iterator[Basket]:
        """Read the baskets in the order of time, a week at a time."""
        first, last = self._one("SELECT min(moment)::date, max(moment)::date FROM line")
        for start in range(0, (last - first).days + 1, _WEEK):
            since = first + timedelta(days=start)
            week = {"since": since, "until": since + timedelta(days=_WEEK)}
            # All lines of a basket have one time, so a week never cuts one in two.
            for basket_id, household_id, store_id, at, lines in self._rows(_BASKETS, week):
                yield Basket(
                    basket_id, household_id, store_id, at, [Line(*values) for values in lines]
                )

    def mailings(self) -> list[Mailing]:
        """Return who was sent which campaign, by its first day."""
        return [Mailing(*row) for row in self._rows(_MAILINGS)]

    def redemptions(self) -> list[Redemption]:
        """Return the coupons handed in, by day."""
        return [Redemption(*row) for row in self._rows(_REDEMPTIONS)]

    def clicks(self) -> list[Click]:
        """Return the steps of the web shop's visitors in the order of time."""
        rows = self._rows(
            "SELECT user_id, session_id, event, timestamp, platform, acquisition_channel, "
            "user_cohort FROM click ORDER BY timestamp, user_id, session_id, event"
        )
        return [Click(number, *row) for number, row in enumerate(rows)]

    def _rows(self, query: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return self._database.execute(query, values).fetchall()

    def _one(self, query: str) -> tuple[Any, ...]:
        row = self._database.execute(query).fetchone()
        assert row is not None
        return row


def _read_record(key: str, values: list[str | None]) -> Record:
    """Read FEBRL's key, `rec-12-org` or `rec-12-dup-3`."""
    _, person, kind, *copy = key.split("-")
    assert kind in {"org", "dup"}
    return Record(int(person), int(copy[0]) if copy else None, _filled(_FEBRL, values))


def _filled(names: tuple[str, ...], values: list[str | None]) -> dict[str, str]:
    return {
        name: value.strip()
        for name, value in zip(names, values, strict=True)
        if value is not None and value.strip()
    }


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
