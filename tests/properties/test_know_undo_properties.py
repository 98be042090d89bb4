"""What is done to identity by hand and taken back leaves nothing, in everything that follows it."""

import itertools
import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from amity.analysis import api as analysis
from amity.infra import database
from amity.kernel.errors import Conflict
from amity.store import api, api_identity
from amity.store.contracts_identity import Suggestion

NOW = datetime.now(UTC).replace(microsecond=0)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
ORDERS = {"node": "did", "event": "Order Completed"}
RULES = {
    "gold": {"node": "check", "field": "trait.tier", "is": {"op": "eq", "value": "gold"}},
    "no tier": {"node": "check", "field": "trait.tier", "is": {"op": "missing"}},
    "ordered twice": ORDERS | {"at_least": 2},
    "ordered lately": ORDERS | {"at_least": 1, "within_days": 3},
    "quiet": ORDERS | {"at_most": 0, "within_days": 2},
    "spent": {"node": "check", "field": "profile.revenue", "is": {"op": "gt", "value": 150}},
    "agreed": {"node": "consent", "purpose": "news"},
    "new": {
        "node": "check",
        "field": "profile.first_seen_at",
        "is": {"op": "within_last", "days": 2},
    },
}
HELD = {
    "profiles": "SELECT to_jsonb(p) - 'version' FROM store_profile p ORDER BY id",
    "identifiers": "SELECT to_jsonb(i) FROM store_identifier i ORDER BY kind, value",
    "whose": "SELECT event_id, profile_id, origin_id FROM store_activity"
    " WHERE source_id <> 1 ORDER BY event_id",
    "orders": "SELECT to_jsonb(o) FROM store_order o ORDER BY profile_id, order_id",
    "totals": "SELECT name, amount FROM store_tally WHERE kind = 'total' AND amount <> 0"
    " AND name <> 'events' ORDER BY name",
    # When an edge was counted and when not stays on record.
    "evidence": "SELECT to_jsonb(e) - '{retracted_at,retracted_by}'::text[] FROM store_evidence e"
    " WHERE way NOT IN ('manual', 'linkage') ORDER BY edge_key",
    "claims": "SELECT to_jsonb(c) FROM store_claim c"
    " ORDER BY origin_id, trait, source_id, how, value_key",
    "visits": "SELECT to_jsonb(v) FROM store_visit v ORDER BY visit_id",
    "interests": "SELECT to_jsonb(i) FROM store_interest i ORDER BY origin_id",
    "places": "SELECT to_jsonb(p) FROM store_place p ORDER BY kind, value",
    "members": "SELECT id, members FROM analysis_segment ORDER BY id",
}


@pytest.fixture
def sources(db):
    for name, rule in RULES.items():
        analysis.create_segment(name=name, rule=rule, by="test", now=NOW)
    return [
        api.create_source(name=name, kind=kind).source_id
        for name, kind in (("Shop", "server"), ("Site", "browser"))
    ]


def query(text, *arguments):
    with database.transaction() as connection:
        return connection.execute(text, arguments).fetchall()


def run(now):
    for _ in range(300):
        folded = api.fold_batch(limit=7).events
        if not folded + api.follow(now=now) + analysis.follow_batch(now=now).events:
            return
    raise AssertionError("the consumers never came to rest")


def held():
    into = dict(query("SELECT id, merged_into FROM store_profile"))

    def whose(profile_id):
        while into.get(profile_id):
            profile_id = into[profile_id]
        return profile_id

    refused = {
        (kind, value, refusal, tuple(sorted(map(whose, pair))))
        for kind, value, refusal, *pair in query(
            "SELECT kind, value, refusal, winner_id, loser_id FROM store_merge"
            " WHERE undone_by IS NULL"
        )
    }
    return {name: query(text) for name, text in HELD.items()} | {
        "refused": sorted(map(str, refused))
    }


def stays():
    return {
        tuple(pair): entered_at
        for *pair, entered_at in query(
            "SELECT segment_id, profile_id, entered_at FROM analysis_membership"
            " WHERE left_at IS NULL"
        )
    }


def timers():
    return {
        tuple(pair): due_at
        for *pair, due_at in query("SELECT segment_id, profile_id, due_at FROM analysis_timer")
    }


def left_since(at):
    """Who left a segment and was said to have: such a stay begins anew, all others go on."""
    return set(
        query(
            "SELECT segment_id, profile_id FROM analysis_membership"
            " WHERE left_at >= %s AND NOT is_retired",
            at,
        )
    )


def history(rng, count):
    """Events of a few people: late, out of order, some sent twice, by two sources."""
    events = []
    for number in range(count):
        body = {
            "messageId": f"m{number}",
            "timestamp": (NOW - rng.uniform(0, 5) * DAY).isoformat(),
            "anonymousId": rng.choice(["a1", "a2", "a3", "a4"]),
        }
        if rng.random() < 0.3:
            body["userId"] = rng.choice(["u1", "u2"])
        kind = rng.choice(["identify", "page", "order", "consent"])
        if kind == "identify":
            traits = {
                "tier": rng.choice(["gold", "tin"]),
                "email": rng.choice(["e1@x.y", "e2@x.y"]),
            }
            named = rng.choice(list(traits))
            body |= {"type": "identify", "traits": {named: traits[named]}}
        elif kind == "page":
            url = f"https://shop.example/{rng.choice('abc')}"
            body |= {"type": "page", "properties": {"url": url, "title": "Shoes"}}
        elif kind == "order":
            told = {"order_id": f"o{rng.randrange(6)}", "total": rng.choice([40, 90, 200])}
            body |= {"type": "track", "event": "Order Completed", "properties": told}
        else:
            says = {"consent": {"categoryPreferences": {"news": rng.random() < 0.6}}}
            event = "Segment Consent Preference Updated"
            body |= {"type": "track", "event": event, "context": says}
        by_browser = kind == "page" or rng.random() < 0.2
        events.append((int(by_browser), msgspec.json.encode(body)))
    twice = rng.sample(events, count // 6)
    rng.shuffle(events)
    return events + twice


def send(sources, events):
    for place, some in itertools.groupby(events, key=lambda event: event[0]):
        raw = [event for _, event in some]
        api.append_events(source_id=sources[place], events=raw, now=NOW)


def roots():
    return [
        row[0]
        for row in query("SELECT id FROM store_profile WHERE merged_into IS NULL ORDER BY id")
    ]


def join_and_back(rng, now):
    one, other = rng.sample(roots(), 2)
    try:
        join_id = api_identity.merge_profiles(winner=one, loser=other, by="me", now=now)
    except Conflict:
        return None

    def back(later):
        with database.transaction() as connection:
            api_identity.undo_join(connection=connection, join_id=join_id, by="me", now=later)

    return back


def split_and_back(rng, now):
    many = [root for root in roots() if len(api.list_identifiers(profile_id=root)) > 1]
    if not many:
        return None
    root = rng.choice(many)
    found = api.list_identifiers(profile_id=root)
    some = rng.sample(found, rng.randint(1, len(found) - 1))
    named = [(one.kind, one.value) for one in some]
    api_identity.split_profile(profile_id=root, identifiers=named, by="me", now=now)

    def back(later):
        [(split_id, about)] = query(
            "SELECT event_id, profile_id FROM store_activity WHERE name = 'Profile Unmerged'"
            " AND properties ? 'split' ORDER BY event_id DESC LIMIT 1"
        )
        api_identity.undo_split(profile_id=about, split_id=split_id, by="me", now=later)

    return back


def review_and_back(rng, now):
    one, other = rng.sample(roots(), 2)
    suggestion = Suggestion(one_id=one, other_id=other, probability=0.9)
    with database.transaction() as connection:
        api_identity.suggest_candidates(
            connection=connection, suggestions=[suggestion], origin="linkage", now=now
        )
    [(candidate_id, state)] = query(
        "SELECT id, state FROM store_link_candidate WHERE one_id = %s AND other_id = %s",
        *sorted((one, other)),
    )
    if state != "open":
        return None
    decide = lambda choice, at: api_identity.decide_candidate(  # noqa: E731
        candidate_id=candidate_id, choice=choice, by="me", now=at
    )
    try:
        decide("accept", now)
    except Conflict:
        return None
    return lambda later: decide("undo", later)


@pytest.mark.parametrize("act", [join_and_back, split_and_back, review_and_back])
def test_what_is_taken_back_was_never_done(sources, act):
    rng, done = random.Random(act.__name__), 0
    run(NOW)
    for turn in range(3):
        send(sources, history(rng, 25))
        run(NOW)
        before, stayed, then = held(), stays(), NOW + timedelta(minutes=turn)
        rang_at = timers()
        back = next(filter(None, (act(rng, then) for _ in range(30))), None)
        if back is None:
            continue
        run(then + SECOND)
        assert held() != before
        back(then + 2 * SECOND)
        run(then + 3 * SECOND)
        after, stay, left = held(), stays(), left_since(then)
        for name, rows in before.items():
            assert after[name] == rows, (name, turn)
        # What is taken back is asked anew: up to then a timer may come early, never late.
        for pair, due_at in timers().items():
            assert rang_at[pair] <= due_at, (pair, turn)
        assert set(stay) == set(stayed)
        assert {pair for pair in stay if stay[pair] != stayed[pair]} <= left
        done += 1
    assert done
