"""Rules about people are followed live as SQL says: scores, households, merges, days that pass."""

import itertools
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fixtures.people_town import NOW, Town

from amity.infra import database
from amity.store import api as store

_runs = itertools.count(1)
USERS = ("ann", "bob", "cid", "dan")


def _score(by, **test):
    return {"node": "score", "score": "clv", "by": by, "is": test}


def _trait(name, **test):
    return {"node": "check", "field": f"trait.{name}", "is": test}


def _born(days):
    return f"{1990 + days % 9}-{NOW + timedelta(days=days):%m-%d}"


def define(town):
    """Make segments of every kind of rule about people, some of them about others."""
    gold = town.define("gold", _trait("tier", op="eq", value="gold"))
    beside = {"node": "together", "kind": "household", "segment_id": gold}
    inner = town.define("beside gold", beside)
    rules = {
        "not beside gold": {"node": "not", "of": beside},
        "two gold colleagues": {**beside, "kind": "company", "at_least": 2},
        "beside those": {"node": "together", "kind": "company", "segment_id": inner},
        "gold or beside": {
            "node": "any",
            "of": [{"node": "in_segment", "segment_id": each} for each in (gold, inner)],
        },
        "not alone": {"node": "together", "kind": "household"},
        "rich": _score("value", op="gte", value=5),
        "best half": _score("percentile", op="gte", value=50),
        "no score": _score("value", op="missing"),
        "half": {"node": "bucket", "salt": "a", "to": 50},
        "birthday soon": _trait("born", op="anniversary_next", days=2, zone="Asia/Kathmandu"),
        "birthday": _trait("born", op="anniversary", zone="America/Los_Angeles"),
        "Austrian": {"node": "lives", "part": "country", "is": {"op": "eq", "value": "AT"}},
        "near": _trait("at", op="near", lat=0, lon=180, km=200),
    }
    for name, rule in rules.items():
        town.define(name, rule)


def actions():
    """Things that happen: traits, merges, scores, new households, days."""
    users = st.sampled_from(USERS)
    traits = st.fixed_dictionaries(
        {},
        optional={
            "tier": st.sampled_from(["gold", "gold", "tin", None]),
            "born": st.integers(-3, 4).map(_born),
            "country": st.sampled_from(["AT", None]),
            "address": st.sampled_from([{"country": "AT"}, {"country": "DE"}, "AT"]),
            "at": st.sampled_from(["0.5,179.6", {"lat": 0, "lon": -179}, "3,180", "nowhere"]),
        },
    )
    groups = st.lists(st.sets(st.sampled_from((*USERS, "phone")), min_size=2), max_size=2)
    return st.one_of(
        st.tuples(st.just("identify"), users, traits),
        st.tuples(st.just("identify"), users, traits),
        st.tuples(st.just("device"), users, traits),
        st.tuples(st.just("unmerge")),
        st.tuples(st.just("score"), st.dictionaries(users, st.sampled_from([1, 5, 9]))),
        st.tuples(st.just("link"), st.sampled_from(["household", "company"]), groups),
        st.tuples(st.just("wait"), st.sampled_from([0.4, 1])),
    )


class Play:
    """Acts on customers of its own, so that examples do not meet."""

    def __init__(self, town):
        self.town = town
        self.run = next(_runs)
        town.identify(*(self.name(user) for user in USERS))
        town.send({"type": "page", "anonymousId": self.name("phone")})

    def name(self, user):
        return f"{user}{self.run}"

    def identify(self, user, traits):
        self.town.identify(self.name(user), **traits)

    def device(self, user, traits):
        event = {"type": "identify", "anonymousId": self.name("phone"), "traits": traits}
        self.town.send({**event, "userId": self.name(user)})

    def unmerge(self):
        merges = [
            each for each in store.list_merges().items if not each.refusal and not each.undone_by
        ]
        if merges:
            store.unmerge(merge_id=merges[0].merge_id, by="test", now=self.town.now)
            self.town.run()

    def score(self, values):
        self.town.score("clv", **{self.name(user): value for user, value in values.items()})

    def link(self, kind, groups):
        self.town.link(kind, *({self._id_of(user) for user in group} for group in groups))

    def _id_of(self, user):
        return self.town.id_of(self.name(user), "anonymous_id" if user == "phone" else "user_id")

    def wait(self, days):
        self.town.now += timedelta(days=days)
        self.town.run()


def test_what_happens_to_people_moves_them_as_sql_says(db):
    town = Town()
    define(town)

    @settings(max_examples=5, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(actions(), min_size=3, max_size=8))
    def agree(steps):
        play = Play(town)
        for name, *values in steps:
            getattr(play, name)(*values)
            with database.transaction() as connection:
                for segment in town.segments:
                    town.hold(connection, segment)

    agree()
