"""The overview's figures, beside the same counted plainly."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from amity.analysis import api
from amity.analysis.logic import overview_statistics as statistics
from amity.infra.database import transaction
from amity.kernel.errors import Invalid

NOW = datetime(2026, 6, 30, 15, 0, tzinfo=UTC)


def put(orders):
    """Put orders (profile, days ago, total, currency if not USD) and the profiles they make."""
    with transaction() as connection:
        with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY store_order (profile_id, order_id, placed_at, total_minor, currency) "
                "FROM STDIN"
            ) as copy,
        ):
            for place, (profile, days_ago, total, *currency) in enumerate(orders):
                at = NOW.replace(hour=9) - timedelta(days=days_ago)
                copy.write_row((profile, str(place), at, total, *(currency or ["USD"])))
        connection.execute(
            "INSERT INTO store_profile (id, first_seen_at, last_seen_at, order_count, "
            "revenue_minor, first_order_at, last_order_at, version) "
            "SELECT profile_id, min(placed_at), max(placed_at), count(*), sum(total_minor), "
            "min(placed_at), max(placed_at), 1 FROM store_order GROUP BY profile_id"
        )


def figures(days=90):
    return {figure.name: figure for figure in api.overview(now=NOW, days=days)}


def test_who_ordered_in_another_currency_is_counted_and_revenue_is_of_those_who_did_in_ours(db):
    put([(1, 5, 3000), (1, 6, 9000, "EUR"), (2, 7, 5000, "EUR"), (3, 400, 100)])
    found = figures()
    assert found["active_customers"].value == found["acquisition"].value == 2
    assert found["revenue"].value == found["expansion"].value == 30
    assert "2 orders in other currencies are left out" in found["expansion"].sentence
    assert "are left out" not in found["active_customers"].sentence


def test_figures_are_what_counting_gives(db):
    rng = np.random.default_rng(7)
    orders = [
        (int(profile), int(days), int(total))
        for profile, days, total in zip(
            rng.integers(1, 400, 2500),
            rng.integers(0, 400, 2500),
            rng.integers(100, 9000, 2500),
            strict=True,
        )
    ]
    put(orders)
    found = figures()

    def who(low, high):
        return {profile for profile, ago, _ in orders if low <= ago < high}

    def spent(low, high):
        return sum(total for _, ago, total in orders if low <= ago < high) / 100

    first = {}
    for profile, ago, _ in orders:
        first[profile] = max(first.get(profile, 0), ago)
    assert found["acquisition"].value == sum(ago < 90 for ago in first.values())
    assert found["acquisition"].before == sum(90 <= ago < 180 for ago in first.values())
    assert found["active_customers"].value == len(who(0, 90))
    assert found["active_customers"].before == len(who(90, 180))
    assert found["revenue"].value == pytest.approx(spent(0, 90))
    assert found["expansion"].value == pytest.approx(spent(0, 90) / len(who(0, 90)))
    assert found["expansion"].before == pytest.approx(spent(90, 180) / len(who(90, 180)))
    kept = who(90, 180) & who(0, 90)
    assert found["retention"].value == pytest.approx(len(kept) / len(who(90, 180)))
    kept = who(180, 270) & who(90, 180)
    assert found["retention"].before == pytest.approx(len(kept) / len(who(180, 270)))
    assert len(found["revenue"].trend) == 25
    day, value = found["revenue"].trend[-1]
    assert (NOW.date() - day).days == 6
    assert value == pytest.approx(spent(0, 7))
    assert found["retention"].trend[-1][1] == pytest.approx(found["retention"].value)
    for figure in found.values():
        assert figure.low <= figure.value <= figure.high
        assert figure.definition
        assert str(90) in figure.sentence


def test_an_empty_shop_says_so(db):
    found = figures()
    assert found["acquisition"].value == 0
    assert found["expansion"].value is None
    assert found["retention"].value is None
    assert "Nobody ordered" in found["retention"].sentence
    assert all(figure.before is None for figure in found.values())
    assert all(figure.trend == [] for figure in found.values())
    assert api.concentration().sentence == "There is no revenue yet."


def test_a_young_shop_has_nothing_to_compare_with(db):
    put([(profile, profile % 100, 500) for profile in range(1, 300)])
    found = figures()
    assert found["acquisition"].before is None
    assert "no full period before" in found["acquisition"].sentence
    assert len(found["acquisition"].trend) == 14  # weeks it has sold in, not empty ones before


def test_chance_is_told_from_change(db):
    steady = [(profile, profile % 360, 500) for profile in range(1, 721)]
    put(steady)
    assert "can be chance" in figures()["acquisition"].sentence or (
        "same as" in figures()["acquisition"].sentence
    )
    with transaction() as connection:
        connection.execute("TRUNCATE store_order, store_profile")
    put([*steady, *((profile, 10, 500) for profile in range(1000, 1400))])
    sentence = figures()["acquisition"].sentence
    assert "beyond chance" in sentence
    assert "more than in the period before" in sentence


@pytest.mark.parametrize("days", [0, 6, 731])
def test_windows_without_sense_are_refused(db, days):
    with pytest.raises(Invalid, match="7 to 730"):
        api.overview(now=NOW, days=days)


def test_revenue_hangs_on_few(db):
    put([(profile, 5, 8000 if profile <= 20 else 500) for profile in range(1, 101)])
    found = api.concentration()
    assert found.customers == 100
    assert found.top_share == pytest.approx(0.8)
    assert found.half_share == pytest.approx(0.13)
    assert (found.curve[0].customers, found.curve[0].revenue) == (0, 0)
    assert (found.curve[-1].customers, found.curve[-1].revenue) == (1, 1)
    shares = [point.revenue for point in found.curve]
    assert shares == sorted(shares)
    assert "80%" in found.sentence


def test_a_shop_of_one_customer(db):
    put([(1, 1, 700), (1, 95, 300)])
    found = figures()
    assert found["retention"].value == 1
    assert found["retention"].low < 1
    assert found["acquisition"].value == 0
    assert api.concentration().half_share == 1


def test_intervals_against_published_tables():
    # Garwood's exact interval of a count of 10, and Wilson's of 10 in 100.
    ten = statistics.count(10)
    assert (round(ten.low, 2), round(ten.high, 2)) == (4.80, 18.39)
    tenth = statistics.share(10, 100)
    assert (round(tenth.low, 4), round(tenth.high, 4)) == (0.0552, 0.1744)
    assert statistics.count(0).low == 0
    assert round(statistics.count(0).high, 2) == 3.69
