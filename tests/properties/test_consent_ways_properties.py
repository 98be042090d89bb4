"""Random lives of consent: whatever was said, merged or taken apart, no way lets out too much.

What the gate ought to say is worked out here by itself, from what was said of whom.
"""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fixtures.consent_town import MARKETING, SHARING, WAYS, key, says, standing

from amity.infra.database import transaction
from amity.store import api as store
from amity.store import hot
from amity.store.contracts import Consent
from amity.store.contracts_consent import Confirmation, Purpose, Signup
from amity.store.logic.consent.statements import combine_consents, reason_of

NOW = datetime.now(UTC).replace(microsecond=0)
PEOPLE = ("ann", "bob")
PROFILING = "profiling"
QUICK = tuple(way for way in WAYS if way not in ("webhook", "cloudevents", "export to a table"))
_runs = itertools.count(1)
moments = st.integers(-400, 400).map(lambda hours: NOW + timedelta(hours=hours))


def stricter(one, other):
    """Return the word that counts of two: a no before a yes, of two yeses the sooner end."""
    if one is None or other is None:
        return one or other
    if not (one[0] and other[0]):
        return (False, None)
    return (True, min((each[1] for each in (one, other) if each[1]), default=None))


class Life:
    """What was said of somebody, and of a device before it was known to be theirs."""

    def __init__(self):
        self.words = {"user": {}, "device": {}}
        self.merged = None
        self.is_parted = self.has_asked = self.is_restricted = self.is_paused = False
        self.by_amity = set()

    def says(self, side, purpose, is_yes, until=None, *, by_amity=False):
        word = (is_yes, until if is_yes else None)
        self.words[side][purpose] = word
        if self.merged is not None:
            self.merged[purpose] = word
            (self.by_amity.add if by_amity else self.by_amity.discard)(purpose)

    def joins(self):
        user, device = self.words["user"], self.words["device"]
        self.merged = {
            purpose: stricter(user.get(purpose), device.get(purpose)) for purpose in user | device
        }

    def parts(self):
        """Take the two apart again; a no that Amity wrote down meanwhile holds for both."""
        for purpose in self.by_amity:
            if not self.merged[purpose][0]:
                for side in self.words.values():
                    side[purpose] = (False, None)
        self.merged, self.is_parted = None, True

    def allows(self, purpose, now):
        if self.is_restricted or (purpose == MARKETING and self.is_paused):
            return False
        said = self.words["user"] if self.merged is None else self.merged
        if purpose not in said:
            return purpose == PROFILING
        is_yes, until = said[purpose]
        return is_yes and (purpose == PROFILING or until is None or until > now)


class Story:
    """A town in which steps are taken, and what is to be expected of everybody."""

    def __init__(self, town):
        self.town, self.run = town, next(_runs)
        # Each story begins then; what is sent must not be due long after PostgreSQL's own clock.
        town.now, town.ids = NOW, {}
        self.lives = {f"{person}{self.run}": Life() for person in PEOPLE}
        town.settle_in(self.lives)
        for user in self.lives:
            town.send({"type": "track", "event": "Seen", "anonymousId": f"d-{user}"})

    def take(self, step):
        verb, person, *rest = step
        user = f"{person}{self.run}"
        self.town.now += timedelta(seconds=1)
        getattr(self, verb)(user, self.lives[user], *rest)
        self.town.settle()
        self.town.find([user])

    def says(self, user, life, side, purpose, is_yes, until):
        more = {"expires_at": until.isoformat()} if until else {}
        told = says(user, {purpose: is_yes}, **more)
        self.town.send(told if side == "user" else self._of_device(told, user))
        life.says(side, purpose, is_yes, until)

    def browser(self, user, life, is_yes):
        told = self._of_device(says(user, {SHARING: is_yes}, method="GPC"), user)
        self.town.send(told, source_id=self.town.site_id)
        if not is_yes:
            life.says("device", SHARING, False)

    def _of_device(self, told, user):
        return {**told, "userId": None, "anonymousId": f"d-{user}"}

    def joins(self, user, life):
        if life.merged is None and not life.is_parted:
            known = {"type": "identify", "userId": user, "anonymousId": f"d-{user}"}
            self.town.send(known)
            life.joins()

    def unjoins(self, user, life):
        if life.merged is not None:
            held = store.list_merges(profile_id=self.town.ids[user], refused=False).items
            (merge,) = [each for each in held if each.undone_by is None]
            store.unmerge(merge_id=merge.merge_id, by="t", now=self.town.now)
            life.parts()

    def pauses(self, user, life, is_on):
        self.town.pauses(user, self.town.now + timedelta(days=30) if is_on else None)
        life.is_paused = is_on

    def restricts(self, user, life):
        self.town.restricts(user)
        life.is_restricted = True

    def chooses(self, user, life, purpose, is_yes):
        self.town.chooses(user, {purpose: is_yes})
        life.says("user", purpose, is_yes, by_amity=True)

    def asks(self, user, life, does_confirm):
        """Sign up by a form, which gives nothing, and press the button in the mail, which does."""
        if life.has_asked:
            return
        life.has_asked = True
        wanted = Signup(
            address=f"{user}@x.example", purposes=[MARKETING], source_id=self.town.site_id
        )
        assert hot.request_subscription(signup=wanted, now=self.town.now)
        self.town.settle()
        with transaction() as connection:
            ((event_id, profile_id),) = connection.execute(
                "SELECT event_id, profile_id FROM store_activity WHERE name = 'Consent Requested'"
                " AND properties ->> 'address_key' = %s",
                [key(user)],
            ).fetchall()
        if does_confirm:
            asked = Confirmation(
                profile_id=profile_id, address_key=key(user), event_id=event_id, send_id=""
            )
            self.town.now += timedelta(seconds=1)
            assert hot.confirm_subscription(confirmation=asked, evidence={}, now=self.town.now)
            life.says("user", MARKETING, True, by_amity=True)

    def check(self, way):
        users = list(self.lives)
        purpose, channel, _ = WAYS[way]
        now = self.town.noon if channel else self.town.now
        wanted = {user for user, life in self.lives.items() if life.allows(purpose, now)}
        assert self.town.allowed(users, way) == wanted, way
        assert self.town.goes(way, users) == wanted, way
        for user in users:
            self._check_page(user, now=self.town.now)

    def _check_page(self, user, now):
        """Hold the customer's own page to what is allowed; a pause is told there apart."""
        page = hot.read_preferences(
            profile_id=self.town.ids[user],
            channel="email",
            address_key=key(user),
            purposes=[MARKETING, SHARING],
            now=now,
        )
        standings = store.list_standings(profile_id=self.town.ids[user], now=now)
        reasons = {one.purpose: one.reason for one in standings}
        for purpose in (MARKETING, SHARING):
            assert page.allowed[purpose] is (reasons[purpose] in ("", "on_pause"))


people = st.sampled_from(PEOPLE)
purposes = st.sampled_from([MARKETING, SHARING, PROFILING])
sides = st.sampled_from(["user", "user", "device"])
steps = st.one_of(
    st.tuples(st.just("says"), people, sides, purposes, st.booleans(), st.none() | moments),
    st.tuples(st.just("says"), people, sides, purposes, st.just(True), st.none()),
    st.tuples(st.just("joins"), people),
    st.tuples(st.just("unjoins"), people),
    st.tuples(st.just("pauses"), people, st.booleans()),
    st.tuples(st.just("restricts"), people),
    st.tuples(st.just("browser"), people, st.booleans()),
    st.tuples(st.just("chooses"), people, purposes, st.booleans()),
    st.tuples(st.just("asks"), people, st.booleans()),
    st.tuples(st.just("looks"), st.sampled_from(QUICK)),
)


@pytest.fixture
def town(db):
    with standing(NOW) as made:
        yield made


def test_no_way_lets_out_whom_the_gate_holds_back(town):
    @settings(max_examples=5, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(steps, min_size=6, max_size=12), st.sampled_from(QUICK))
    def hold(taken, last):
        story = Story(town)
        for step in (*taken, ("looks", last)):
            if step[0] == "looks":
                story.check(step[1])
            else:
                story.take(step)

    hold()


said = st.builds(
    Consent,
    status=st.sampled_from(["granted", "granted", "denied", "withdrawn"]),
    at=moments,
    source_id=st.just(2),
    event_id=st.integers(1, 99),
    expires_at=st.none() | moments,
)
held = st.dictionaries(st.sampled_from([MARKETING, SHARING, "~pause.email", "~restricted"]), said)
POLICIES = {
    MARKETING: Purpose(key=MARKETING, title="", covers="", channels=["email"]),
    SHARING: Purpose(key=SHARING, title="", covers=""),
    PROFILING: Purpose(key=PROFILING, title="", covers="", needs_consent=False, basis="contract"),
}


@settings(max_examples=300, deadline=None, database=None)
@given(held, held, moments)
def test_what_is_allowed_after_a_merge_was_allowed_by_both(one, other, now):
    joined = combine_consents(one, other)
    assert joined == combine_consents(other, one)
    for purpose in POLICIES:
        if reason_of(purpose, joined, POLICIES, now) == "":
            for before in (one, other):
                reason = reason_of(purpose, before, POLICIES, now)
                # Who never said anything refused nothing.
                assert reason == "" or (reason == "no_consent" and purpose not in before)
