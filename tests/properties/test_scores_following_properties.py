"""Scores kept by the follower are those the nightly run would give with the same parameters."""

import contextlib
import itertools
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Json

from amity.analysis import api
from amity.analysis.estimator import Fit
from amity.analysis.estimators.bgnbd import BgNbd
from amity.analysis.estimators.gamma_gamma import GammaGamma
from amity.analysis.estimators.rfm import Rfm
from amity.infra import config
from amity.infra.database import transaction
from amity.kernel.clock import format_instant
from amity.kernel.errors import Conflict
from amity.store import api as store
from amity.store import api_identity

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUYING = Fit(
    estimator="bgnbd",
    unit_days=7,
    parameters={"r": 0.6, "alpha": 5.0, "a": 0.7, "b": 2.4},
    customers=500,
    covariance=[[0.01 * (row == column) for column in range(4)] for row in range(4)],
)
SPENDING = Fit(
    estimator="gamma_gamma",
    unit_days=7,
    parameters={"p": 6.0, "q": 3.7, "v": 15.0},
    customers=300,
)
_numbers = itertools.count(1)

USERS = st.sampled_from("abcd")
STEP = st.one_of(
    st.tuples(
        st.just("order"),
        USERS,
        st.sampled_from([0, 0, 3, 40, 200]),
        st.sampled_from([0, 10, 95]),
        st.sampled_from(["USD", "USD", "EUR"]),
    ),
    st.tuples(st.sampled_from(["refund", "cancel"]), USERS, st.integers(0, 3)),
    st.tuples(st.sampled_from(["look", "forget"]), USERS),
    st.tuples(st.just("sign in"), st.sampled_from("ab"), st.sampled_from("cd")),
    st.tuples(st.just("join"), USERS, USERS),
    st.tuples(st.just("part"), USERS),
    st.tuples(st.just("wait"), st.sampled_from([1, 30, 24 * 20])),
    st.tuples(st.just("follow"), st.sampled_from([1, 3, 1000])),
)


class Shop:
    """Some customers of one example, told apart from others' by a number."""

    now = START
    """One clock for all examples: what one of them ordered is no order to come for the next."""

    def __init__(self, source_id):
        self.source_id, self.number = source_id, next(_numbers)
        self.orders = {}

    def send(self, user, *, days=0, **body):
        at = format_instant(self.now - timedelta(days=days))
        body = {"messageId": f"m{next(_numbers)}", "timestamp": at} | body
        body = self.who(user) | {"type": "track"} | body
        receipt = store.append_events(
            source_id=self.source_id, events=[msgspec.json.encode(body)], now=self.now
        )
        assert not receipt.quarantined, receipt

    def who(self, user):
        """Return how somebody is known: some have signed in, others are a cookie."""
        return {"anonymousId" if user in "cd" else "userId": f"{user}{self.number}"}

    def find(self, user):
        self.fold()
        kind = "anonymous_id" if user in "cd" else "user_id"
        return store.find_profile(kind=kind, value=f"{user}{self.number}")

    def fold(self):
        while store.fold_batch().events:
            pass

    def take(self, kind, *given):
        getattr(self, "do_" + kind.replace(" ", "_"))(*given)

    def do_order(self, user, days, amount, currency):
        order_id = f"o{next(_numbers)}"
        self.orders.setdefault(user, []).append(order_id)
        about = {"order_id": order_id, "total": amount, "currency": currency}
        self.send(user, days=days, event="Order Completed", properties=about)

    def do_refund(self, user, place):
        for order_id in self.orders.get(user, [])[place : place + 1]:
            self.send(user, event="Order Refunded", properties={"order_id": order_id, "total": 5})

    def do_cancel(self, user, place):
        for order_id in self.orders.get(user, [])[place : place + 1]:
            self.send(user, event="Order Cancelled", properties={"order_id": order_id})

    def do_look(self, user):
        self.send(user, event="Product Viewed")

    def do_sign_in(self, user, cookie):
        self.send(user, type="identify", **self.who(cookie))

    def do_join(self, one, other):
        found = [self.find(user) for user in (one, other)]
        if None not in found and found[0].profile_id != found[1].profile_id:
            ids = [each.profile_id for each in found]
            with contextlib.suppress(Conflict):  # who signed in twice is two customers
                api_identity.merge_profiles(winner=ids[0], loser=ids[1], by="t", now=self.now)

    def do_part(self, user):
        found = self.find(user)
        merges = store.list_merges(profile_id=found.profile_id).items if found else []
        for merge in merges:
            if not merge.refusal and merge.undone_by is None:
                store.unmerge(merge_id=merge.merge_id, by="t", now=self.now)
                return

    def do_forget(self, user):
        found = self.find(user)
        if found is not None:
            ids = store.list_joined(profile_id=found.profile_id)
            store.erase_profile(profile_id=found.profile_id, by="t", now=self.now)
            api.forget_profiles(profile_ids=ids)
            self.orders.pop(user, None)

    def do_wait(self, hours):
        Shop.now += timedelta(hours=hours)

    def do_follow(self, limit):
        self.fold()
        handled = 1
        while handled:
            handled = api.follow_scores(now=self.now, limit=limit).events


def kept():
    with transaction("readonly") as connection:
        rows = connection.execute(
            "SELECT profile_id, name, scored_at, value, label, low, high FROM analysis_score"
        ).fetchall()
    return {row[:2]: row[2:] for row in rows}


def nightly(now):
    """Return what a nightly run gives, and put the scores there were in their place again."""
    with transaction("readonly") as connection:
        before = connection.execute("SELECT json_agg(s) FROM analysis_score s").fetchone()[0]
    api.refresh_scores(now=now)
    found = kept()
    with transaction() as connection:
        connection.execute("DELETE FROM analysis_score")
        connection.execute(
            "INSERT INTO analysis_score"
            " SELECT * FROM json_populate_recordset(NULL::analysis_score, %s)",
            [Json(before)],
        )
    return found


@pytest.fixture
def source_id(db, monkeypatch):
    made = store.create_source(name="Shop", kind="server").source_id
    shop = Shop(made)
    for user in range(12):
        for order in range(user % 4 + 1):
            shop.do_order(str(user), 30 * order + 2 * user, 20 + user, "USD")
    shop.fold()
    monkeypatch.setattr(BgNbd, "fit", lambda self, histories: BUYING)
    monkeypatch.setattr(GammaGamma, "fit", lambda self, histories: SPENDING)
    fitted = []
    plain = Rfm.fit

    def fit(self, histories):
        fitted.append(plain(self, histories)) if not fitted else None
        return fitted[0]

    monkeypatch.setattr(Rfm, "fit", fit)
    with config.override(margin_rate=0.4):
        api.refresh_scores(now=START)
        yield made


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, min_size=6, max_size=16))
def test_a_score_kept_is_what_the_night_would_say_with_the_same_parameters(source_id, steps):
    shop = Shop(source_id)
    for step in steps:
        shop.take(*step)
        if step[0] == "wait":
            shop.do_follow(1000)
    shop.do_follow(2)
    expected, found = nightly(shop.now), kept()
    assert found.keys() == expected.keys()
    for key, (scored_at, *told) in found.items():
        if scored_at == shop.now:
            _, value, label, low, high = expected[key]
            assert told == [near(value), label, near(low), near(high)], key


def near(number):
    """One of few and one of many may differ by what rounding leaves."""
    return None if number is None else pytest.approx(number, rel=1e-6)
