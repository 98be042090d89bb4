"""Rules over people, followed: scores, households, draws and campaigns change memberships."""

import re

import pytest
from tests.fixtures.people_town import NOW, Town

from amity.analysis import api as analysis
from amity.analysis.logic.following_book import Shelf
from amity.analysis.logic.following_evaluation import pairs_of_others
from amity.analysis.logic.scoring.keeping import replace_scores
from amity.infra import database, queries
from amity.kernel.draw import draw
from amity.kernel.errors import Invalid
from amity.store import api as store


@pytest.fixture
def town(db):
    return Town()


def score_rule(name, by, **test):
    return {"node": "score", "score": name, "by": by, "is": test}


ALL = ("ann", "bob", "cid", "dan")


def test_scores_are_followed_by_what_changed(town):
    town.identify(*ALL)
    town.define("worth", score_rule("clv", "value", op="gte", value=50))
    town.define("best half", score_rule("clv", "percentile", op="gte", value=50))
    town.define("unknown", score_rule("clv", "value", op="missing"))
    assert town.members("worth", *ALL) == []
    assert town.members("unknown", *ALL) == [*ALL]
    assert town.score("clv", ann=10, bob=50, cid=90) >= 3
    assert town.members("worth", *ALL) == ["bob", "cid"]
    assert town.members("best half", *ALL) == ["bob", "cid"]
    assert town.members("unknown", *ALL) == ["dan"]
    assert town.score("clv", ann=10, bob=50, cid=90) == 0, "nothing changed, nobody is asked"
    assert town.score("other", ann=1, bob=2) == 0, "no rule asks for it"
    assert town.score("clv", ann=60, bob=55, cid=90) == 2 + 3, "two asked, three moves"
    assert town.members("worth", *ALL) == ["ann", "bob", "cid"]
    assert town.members("best half", *ALL) == ["ann", "cid"]
    town.score("clv")
    assert town.members("worth", *ALL) == []
    assert town.members("unknown", *ALL) == [*ALL]


def test_percentiles_count_who_has_less_and_half_of_who_ties(town):
    town.identify(*ALL)
    town.score("clv", ann=5, bob=1, cid=5, dan=9)
    found = {user: analysis.list_scores(profile_id=town.id_of(user))[0] for user in ALL}
    assert {user: score.percentile for user, score in found.items()} == {
        "bob": 12.5,
        "ann": 50.0,
        "cid": 50.0,
        "dan": 87.5,
    }


def test_a_score_says_why_and_is_forgotten_with_its_customer(town):
    town.identify("ann")
    rule = score_rule("clv", "percentile", op="gte", value=50)
    assert "nobody has a score “clv”" in analysis.preview(rule=rule, now=NOW).warnings
    town.define("best", rule)
    town.score("clv", ann=3)
    said = analysis.explain(rule=rule, profile_id=town.id_of("ann"), now=NOW)
    assert said.holds
    assert said.words == "percentile of the score “clv” is at least 50"
    with database.transaction() as connection:
        replace_scores(connection, names=["clv"], rows=[])
    assert analysis.forget_profiles(profile_ids=[town.id_of("ann")])["memberships"] == 1
    with database.transaction() as connection:
        assert not connection.execute("SELECT FROM analysis_recheck").fetchall()


def test_buckets_part_customers_for_good_as_campaigns_draw_them(town):
    names = [f"p{number}" for number in range(60)]
    town.define("tenth", {"node": "bucket", "salt": "spring", "to": 10})
    town.define("next", {"node": "bucket", "salt": "spring", "from": 10, "to": 100})
    town.identify(*names)
    tenth, rest = town.members("tenth", *names), town.members("next", *names)
    assert sorted(tenth + rest) == sorted(names)
    assert [name for name in names if draw("spring", town.id_of(name)) < 0.1] == tenth
    of_campaigns = re.search(
        rb"\('x'.*?\)::float8", queries.load("amity.broadcast")["target_draw"], re.DOTALL
    )
    query = b"SELECT (" + of_campaigns[0].replace(b"c.salt", b"'spring'") + b" FROM g"
    with database.transaction() as connection:
        ids = b"WITH g AS (SELECT generate_series(1, 300) AS profile_id) "
        shares = [row[0] for row in connection.execute(ids + query)]
    assert shares == [draw("spring", profile_id) for profile_id in range(1, 301)]


def test_campaigns_and_offers_are_asked_for_by_what_the_log_says(town):
    town.identify("ann", "bob")
    rules = {
        "clicked": {"node": "message", "what": "clicked", "campaign_id": 7, "within_days": 30},
        "not opened": {"node": "message", "what": "opened", "campaign_id": 7, "at_most": 0},
        "sent": {"node": "message", "what": "sent", "campaign_id": 7},
        "held out": {"node": "message", "what": "held_out", "campaign_id": 7},
        "took it": {"node": "offer", "what": "accepted", "offer": "spring"},
    }
    for name, rule in rules.items():
        town.define(name, rule)

    def tell(user, name, **properties):
        with database.transaction() as connection:
            event = store.SystemEvent(
                profile_id=town.id_of(user),
                name=name,
                properties=properties,
                message_id=f"{user}-{name}-{properties}",
            )
            store.record_events(connection=connection, events=[event], now=NOW)
        town.run()

    tell("ann", "Email Sent", campaign_id=7, send_id="s1")
    tell("bob", "Email Sent", campaign_id=8, send_id="s2")
    tell("bob", "Email Link Clicked", send_id="s2", is_machine=False, promotion_id="spring")
    tell("bob", "Campaign Held Out", campaign_id=7)
    tell("ann", "Email Opened", send_id="s1", is_machine=True)
    found = {name: town.members(name, "ann", "bob") for name in rules}
    assert found == {
        "clicked": [],
        "not opened": ["ann", "bob"],
        "sent": ["ann"],
        "held out": ["bob"],
        "took it": ["bob"],
    }
    # Opens and clicks name the message; which campaign it was of, the sending says.
    tell("ann", "Email Link Clicked", send_id="s1", is_machine=False)
    tell("ann", "Email Opened", send_id="s1", is_machine=False)
    assert town.members("clicked", "ann", "bob") == ["ann"]
    assert town.members("not opened", "ann", "bob") == ["bob"]
    assert town.members("took it", "ann", "bob") == ["bob"]
    words = analysis.get_segment(segment_id=town.segments["clicked"]).words
    assert words == "clicked in a message of campaign no. 7 in the last 30 days"


def in_segment(segment_id, **more):
    return {"node": "in_segment", "segment_id": segment_id, **more}


def test_others_of_a_household_are_asked_when_one_enters_or_leaves(town):
    users = ("ann", "bob", "cid", "dan", "eve")
    town.identify(*users)
    ids = [town.id_of(user) for user in users]
    gold = {"node": "check", "field": "trait.tier", "is": {"op": "eq", "value": "gold"}}
    segment_id = town.define("gold", gold)
    beside = {"node": "together", "kind": "household", "segment_id": segment_id}
    town.define("beside gold", beside)
    town.define("not beside", {"node": "not", "of": beside})
    rule = {"node": "together", "kind": "household", "segment_id": town.segments["beside gold"]}
    town.define("near such", rule)
    town.define("large", {"node": "together", "kind": "household", "at_least": 2})
    town.define("colleagues", {"node": "together", "kind": "company"})
    assert town.members("large", *users) == []
    town.link("household", ids[:3], ids[3:])
    town.link("company", [ids[0], ids[4]])
    town.run()
    assert town.members("large", *users) == ["ann", "bob", "cid"]
    assert town.members("colleagues", *users) == ["ann", "eve"]
    town.identify("ann", tier="gold")
    assert town.members("beside gold", *users) == ["bob", "cid"]
    assert town.members("not beside", *users) == ["ann", "dan", "eve"]
    assert town.members("near such", *users) == ["ann", "bob", "cid"]
    town.identify("bob", "dan", tier="gold")
    assert town.members("beside gold", *users) == ["ann", "bob", "cid", "eve"]
    assert town.members("near such", *users) == ["ann", "bob", "cid", "dan"]
    town.identify("ann", "bob", tier="tin")
    assert town.members("beside gold", *users) == ["eve"]
    assert town.members("near such", *users) == ["dan"]
    town.link("household", [*ids[:2], ids[3]])
    town.run()
    assert town.members("beside gold", *users) == ["ann", "bob"]
    said = analysis.explain(rule=beside, profile_id=ids[0], now=NOW)
    assert (said.holds, said.words) == (
        True,
        "has another in the household who is in segment “gold”",
    )


def test_an_event_asks_only_the_household_of_who_moved(town):
    users = [f"u{number}" for number in range(40)]
    town.identify(*users)
    ids = [town.id_of(user) for user in users]
    gold = {"node": "check", "field": "trait.tier", "is": {"op": "eq", "value": "gold"}}
    town.define("gold", gold)
    rule = {"node": "together", "kind": "household", "segment_id": town.segments["gold"]}
    town.define("beside gold", rule)
    town.link("household", *(ids[at : at + 4] for at in range(0, 40, 4)))
    town.run()
    with database.transaction() as connection:
        book = Shelf().read(connection)[0]
        asked = pairs_of_others(connection, book, [(ids[0], town.segments["gold"])])
    assert asked == {each: {town.segments["beside gold"]} for each in ids[1:4]}
    town.identify("u0", tier="gold")
    assert town.members("beside gold", *users) == ["u1", "u2", "u3"]


def test_who_becomes_one_or_is_told_apart_changes_the_household(town):
    town.identify("ann", "bob")
    town.send({"type": "identify", "anonymousId": "phone", "traits": {"tier": "gold"}})
    phone = store.find_profile(kind="anonymous_id", value="phone").profile_id
    gold = {"node": "check", "field": "trait.tier", "is": {"op": "eq", "value": "gold"}}
    town.define("gold", gold)
    rule = {"node": "together", "kind": "household", "segment_id": town.segments["gold"]}
    town.define("beside gold", rule)
    town.link("household", [town.id_of("ann"), phone])
    town.run()
    assert town.members("beside gold", "ann", "bob") == ["ann"]
    town.send({"type": "alias", "previousId": "phone", "userId": "bob"})
    town.members("gold", "ann", "bob")
    town.members("beside gold", "ann", "bob")


def test_reviews_of_pairs_count_where_rules_ask(town):
    town.identify("ann", "bob", "cid")
    ann, bob, cid = sorted(town.id_of(user) for user in ("ann", "bob", "cid"))
    town.link("household", [ann, bob])
    with database.transaction() as connection:
        for one, other, state in ((ann, bob, "rejected"), (ann, cid, "accepted")):
            connection.execute(
                "INSERT INTO store_link_candidate (one_id, other_id, kind, origin, explanation, "
                "found_at, state) VALUES (%s, %s, 'household', 'told', '{}', %s, %s)",
                [one, other, NOW, state],
            )
    town.define("not alone", {"node": "together", "kind": "household"})
    page = analysis.list_members(segment_id=town.segments["not alone"])
    assert {member.profile_id for member in page.items} == {ann, cid}
    town.members("not alone")


@pytest.mark.parametrize(
    "back",
    [in_segment, lambda i: {"node": "together", "kind": "company", "segment_id": i}],
)
def test_a_circle_of_segments_is_refused_with_its_way(town, back):
    everyone = {"node": "all", "of": []}
    first = town.define("First", everyone)
    second = town.define("Second", {"node": "not", "of": back(first)})
    third = town.define("Third", {"node": "any", "of": [in_segment(second)]})
    with pytest.raises(Invalid, match="“First” → “Third” → “Second” → “First”"):
        analysis.update_segment(segment_id=first, rule=back(third), by="test", now=NOW)
    with pytest.raises(Invalid, match="“First” → “Second” → “First”"):
        analysis.update_segment(segment_id=first, rule=back(second), by="test", now=NOW)
    with pytest.raises(Invalid, match="its own segment: “First” → “First”"):
        analysis.update_segment(segment_id=first, rule=back(first), by="test", now=NOW)
