"""Claims in any order, told in any pieces, give the same shown values, whatever the rules."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from amity.store.contracts_claims import SurvivorshipRule
from amity.store.logic.folding.fold import Happening, begin, combine, fold, name_of
from amity.store.logic.intake.decoding import decode_event
from amity.store.logic.profiles.survivorship import NO_RULES, Rules, Words, choose

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SOURCES = (7, 8, 9)
instants = st.integers(0, 12).map(lambda hours: T0 + timedelta(hours=hours))
trait_names = st.sampled_from(["city", "age"])
values = st.one_of(st.none(), st.integers(0, 3), st.sampled_from(["a", "b"]), st.just(True))
kinds = st.sampled_from(
    [
        "latest",
        "most_trusted_source",
        "highest_confidence",
        "stated_over_inferred",
        "longest_known",
        "greatest",
        "least",
    ]
)
rules = st.builds(
    lambda kind, wide: Rules(
        [
            SurvivorshipRule(pattern="age", kind=kind, sources=[9, 7]),
            SurvivorshipRule(pattern="*", kind=wide, sources=[8]),
        ]
    ),
    kinds,
    kinds,
)


@st.composite
def wires(draw):
    at = draw(instants)
    wire = {"userId": "u", "timestamp": at.isoformat()}
    kind = draw(st.sampled_from(["identify", "identify", "assert", "expire"]))
    if kind == "identify":
        traits = draw(st.dictionaries(trait_names, values, max_size=2))
        return "server", wire | {"type": "identify", "traits": traits}
    if kind == "assert":
        properties = {
            "trait": draw(trait_names),
            "value": draw(values),
            "how": draw(st.sampled_from(["stated", "inferred", "observed", "verified", "?"])),
            "confidence": draw(st.sampled_from([None, 0, 0.4, 1, 7, "x"])),
            "expires_at": draw(st.one_of(st.none(), instants.map(datetime.isoformat))),
        }
        return "server", wire | {"type": "track", "event": "Trait Asserted"} | {
            "properties": properties
        }
    until = {"until": draw(instants).isoformat()}
    return "system", wire | {
        "type": "track",
        "event": "Trait Expired",
        "properties": until,
        "profileId": 1,
    }


@st.composite
def happenings(draw):
    made = []
    for number, (kind, wire) in enumerate(draw(st.lists(wires(), min_size=1, max_size=10))):
        event = decode_event(wire["type"], msgspec.json.encode(wire), is_system=kind == "system")
        source = draw(st.sampled_from(SOURCES))
        made.append(
            Happening(number + 1, number + 1, source, kind, event.timestamp, name_of(event), event)
        )
    return made


def traits_of(events, rules):
    state = begin(1, T0)
    for event in events:
        state = fold(state, event, rules)
    return state


def seen(state):
    return msgspec.json.encode([state.traits, state.origins, state.words], order="sorted")


@given(happenings(), rules, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_the_order_of_claims_does_not_matter(events, rules, rng):
    shuffled = list(events)
    rng.shuffle(shuffled)
    assert seen(traits_of(events, rules)) == seen(traits_of(shuffled, rules))


@given(happenings(), rules, st.integers(0, 10))
@settings(max_examples=80, deadline=None)
def test_two_halves_combined_are_the_whole(events, rules, cut):
    cut %= len(events) + 1
    one, other = traits_of(events[:cut], rules), traits_of(events[cut:], rules)
    whole = traits_of(events, rules)
    assert seen(combine(one, other, rules)) == seen(whole)
    assert seen(combine(other, one, rules)) == seen(whole)


@given(happenings(), rules)
@settings(max_examples=80, deadline=None)
def test_what_is_kept_is_enough_for_any_rules_declared_later(events, rules):
    """The words a profile holds give the same choice as folding anew by the new rules."""
    before, after = traits_of(events, NO_RULES), traits_of(events, rules)
    assert before.words == after.words
    for trait, words in before.words.words.items():
        chosen = choose(words, rules.find(trait), before.words.until)
        assert chosen.value == after.traits.get(trait)
        assert chosen.event_id == after.origins[trait].event_id


@given(happenings())
@settings(max_examples=80, deadline=None)
def test_without_rules_the_latest_word_counts_as_it_always_did(events):
    told = {}
    plain = [event for event in events if event.event.type == "identify"]
    for event in plain:
        for trait, value in event.event.traits.items():
            mark = (event.occurred_at, event.event_id)
            told[trait] = max(told.get(trait, (mark, value)), (mark, value), key=lambda one: one[0])
    shown = {trait: value for trait, (_, value) in told.items() if value is not None}
    assert traits_of(plain, NO_RULES).traits == shown


def test_a_profile_with_one_plain_source_keeps_nothing_beside_its_traits():
    wire = {"type": "identify", "userId": "u", "traits": {"city": "a"}}
    event = decode_event("identify", msgspec.json.encode(wire))
    told = [
        Happening(n, n, 7, "server", T0 + timedelta(hours=n), "Identify", event) for n in (1, 2)
    ]
    assert traits_of(told, NO_RULES).words == Words()
